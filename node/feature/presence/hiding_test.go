package presence

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// TestNobodySeesWhatAHiddenSessionDoes has a session hide and go on working: others are
// shown, and are sent, what was so when it hid.
func TestNobodySeesWhatAHiddenSessionDoes(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	hider := bo.agent(t, "b1")
	say := func(summary string) {
		if _, err := bo.answerSummary(t.Context(), hider, SummaryRequest{Summary: summary}); err != nil {
			t.Fatal(err)
		}
		bo.shoutAll(t.Context())
		bo.fileCards(t.Context())
	}
	seen := func() string {
		out, err := ana.answerPeers(t.Context(), op.Caller{User: true}, PeersRequest{All: true})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	say("before")
	w.pass(time.Minute)
	bo.show(t, hider, false)
	left := seen()
	if !strings.Contains(left, "before") {
		t.Errorf("it does not look like one that left: %s", left)
	}
	w.pass(time.Minute)
	say("SECRET summary")
	if _, err := bo.answerSetStatus(t.Context(), hider, SetStatusRequest{Status: "dnd"}); err != nil {
		t.Fatal(err)
	}
	bo.join(t, hider, "secret-group", "")
	if got := seen(); got != left {
		t.Errorf("ana is shown\n%s\nand was shown when it hid\n%s", got, left)
	}
	m, ok := ana.mesh(w.id)
	if !ok {
		t.Fatal("no mesh")
	}
	self, err := bo.Caller(hider, "")
	if err != nil {
		t.Fatal(err)
	}
	ana.mu.Lock()
	raw := string(ana.roster(m.ID).Homes[self.Member].Raw)
	ana.mu.Unlock()
	for _, e := range w.records {
		raw += string(e.Value)
	}
	for _, word := range []string{"SECRET", "dnd", "secret-group"} {
		if strings.Contains(raw, word) {
			t.Errorf("ana was sent %q", word)
		}
	}
	bo.close(t, hider)
	if got := seen(); got != left {
		t.Errorf("once it is closed ana is shown\n%s\nand was shown when it hid\n%s", got, left)
	}
}
