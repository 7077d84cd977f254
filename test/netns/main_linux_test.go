package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/test/harness"
)

// bin is the program under test; empty where there is no network to test it on.
var bin string

// lacking says why there can be no network of our own, or is empty.
var lacking = func() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "network namespaces need ip(8), of iproute2"
	}
	s, err := newSpace()
	if err == nil {
		err = s.close()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}()

func TestMain(m *testing.M) {
	var clean goleak.Option = goleak.Cleanup(os.Exit)
	if lacking == "" {
		dir, err := build()
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		clean = goleak.Cleanup(func(code int) {
			_ = os.RemoveAll(dir) // a temporary folder
			os.Exit(code)
		})
	}
	goleak.VerifyTestMain(m, clean)
}

func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "cmesh-bin-"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	bin, err = harness.Build(ctx, dir)
	return dir, err
}

// network makes a network of machines that ends with the test, or skips it.
func network(t *testing.T, machines int) *lan {
	t.Helper()
	if lacking != "" {
		if os.Getenv("CLAUDEMESH_REQUIRE_NETNS") == "1" {
			t.Fatalf("CLAUDEMESH_REQUIRE_NETNS=1: %s", lacking)
		}
		t.Skip(lacking)
	}
	l, err := newLAN(machines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// user makes a home on machine n whose node starts by itself and has the settings
// that it has without any.
func user(t *testing.T, l *lan, n int, name string) *harness.Home {
	t.Helper()
	w, err := harness.New(harness.Config{
		Bin: bin, Enter: l.machines[n-1].enter, Keep: os.Getenv("CLAUDEMESH_KEEP") == "1",
		Env: []string{"CLAUDEMESH_LISTEN=", "CLAUDEMESH_MDNS=", "CLAUDEMESH_PORTMAP=", "CLAUDEMESH_AUTOSTART="},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the ends of the logs in %s:\n%s", w.Root(), w.Logs())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := w.Home(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { down(t, h) })
	return h
}

// down ends a node that nobody waits for.
func down(t *testing.T, h *harness.Home) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	hello, err := h.API().Hello(ctx)
	if err != nil {
		return // none runs
	}
	if out, err := h.Command(ctx, "node", "down"); err == nil && out.Status == 0 {
		return
	}
	t.Errorf("the node of %s (pid %d) does not end", h.Name, hello.PID)
	if p, err := os.FindProcess(hello.PID); err == nil {
		_ = p.Kill()
	}
}
