package netns

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// examined is what the doctor says of one check, and what to do.
func examined(ctx context.Context, t *testing.T, h *harness.Home, check string) (status, detail, fix string) {
	t.Helper()
	out, err := h.Command(ctx, "doctor", "--json")
	if err != nil {
		t.Fatal(err)
	}
	const longest = 20 * time.Second // 10 are promised, and a machine may run other tests
	if out.Took > longest {
		t.Errorf("it took %v", out.Took)
	}
	var doc struct {
		Checks []struct {
			Check, Status string
			Findings      []struct{ Detail, Fix string }
		}
	}
	if err := json.Unmarshal([]byte(out.Stdout), &doc); err != nil {
		t.Fatal(err, out)
	}
	for _, c := range doc.Checks {
		if c.Check == check && len(c.Findings) > 0 {
			return c.Status, c.Findings[0].Detail, c.Findings[0].Fix
		}
	}
	t.Fatalf("there is no check %s", check)
	return "", "", ""
}

// The doctor tells a network that leads nowhere, and one that keeps multicast out, from
// one as it should be, and says what to do.
func TestTheDoctorKnowsNetworks(t *testing.T) {
	l := network(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ana := user(t, l, 1, "ana")
	if err := ana.JSON(ctx, &struct{}{}, "new", "team"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		commands      []string
		check, status string
		says, todo    string
	}{
		{nil, "route", "pass", "a way out", ""},
		{nil, "local-network", "pass", "multicast comes through", ""},
		{[]string{"route del default", "-6 route del default"}, "route", "warn", "no default route", "connect this machine"},
		{nil, "local-network", "pass", "multicast comes through", ""},
		{[]string{"link set eth0 multicast off"}, "local-network", "warn", "mDNS is blocked", "UDP port 5353"},
		{[]string{"link set eth0 multicast on", "route add default via 10.77.0.254"}, "local-network", "pass", "multicast comes through", ""},
		{nil, "route", "pass", "a way out", ""},
		{[]string{"link set eth0 down"}, "local-network", "warn", "mDNS is blocked", "UDP port 5353"},
	} {
		if err := l.machines[0].ip(step.commands...); err != nil {
			t.Fatal(err)
		}
		status, detail, fix := examined(ctx, t, ana, step.check)
		if status != step.status || !strings.Contains(detail, step.says) || !strings.Contains(fix, step.todo) {
			t.Errorf("after %v: %s %s: %q, to do %q", step.commands, step.check, status, detail, fix)
		}
	}
	quiet(t, l, 0)
}
