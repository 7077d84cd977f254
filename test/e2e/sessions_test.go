package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
)

// Two sessions of one member on one machine are two peers: each has a name, its
// own mail, and answers to what it asked. No node is a peer.
func TestTwoSessionsOfOneMember(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, anaHome, boHome := pair(ctx, t)
	first := agent(ctx, t, anaHome, "first")
	awaitPeers(ctx, t, first, "ana")
	second := agent(ctx, t, anaHome, "second")
	bo := agent(ctx, t, boHome, "bo's")

	t.Run("peers", func(t *testing.T) {
		own := map[string]string{}
		for _, p := range awaitPeers(ctx, t, first, "ana", "ana-2", "bo") {
			own[p.Name] = p.Own
			if p.Session == "" || p.State != "online" {
				t.Errorf("no session: %+v", p)
			}
		}
		if own["ana"] != "this" || own["ana-2"] != "yours" || own["bo"] != "" {
			t.Errorf("own: %v", own)
		}
		for _, p := range awaitPeers(ctx, t, second, "ana", "ana-2", "bo") {
			if want := map[string]string{"ana": "yours", "ana-2": "this", "bo": ""}[p.Name]; p.Own != want {
				t.Errorf("to the second, %s is %q, want %q", p.Name, p.Own, want)
			}
		}
		awaitPeers(ctx, t, bo, "ana", "ana-2", "bo")
	})

	t.Run("no node is a peer", func(t *testing.T) {
		var who presence.WhoamiResponse
		if err := anaHome.JSON(ctx, &who, "whoami"); err != nil {
			t.Fatal(err)
		}
		out, err := boHome.Command(ctx, "peers", "--all", "--json")
		if err != nil || out.Status != 0 {
			t.Fatal(err, out)
		}
		if who.Node == "" || strings.Contains(out.Stdout, who.Node) {
			t.Errorf("node %q among the peers:\n%s", who.Node, out.Stdout)
		}
		for _, p := range awaitPeers(ctx, t, bo, "ana", "ana-2", "bo") {
			if p.Session == p.MemberKey {
				t.Errorf("%s is a member, not a session", p.Name)
			}
		}
	})

	welcomed(ctx, t, first, second, bo)
	t.Run("mail to one", func(t *testing.T) {
		toSecond := send(ctx, t, bo, "ana-2", "for the second alone", "")
		hear(ctx, t, second, toSecond)
		toFirst := send(ctx, t, bo, "ana", "for the first alone", "")
		hear(ctx, t, first, toFirst)
		if ids := heard(first); slices.Contains(ids, toSecond) {
			t.Error("the first heard what was for the second")
		}
		if ids := heard(second); slices.Contains(ids, toFirst) {
			t.Error("the second heard what was for the first")
		}
		if r := check(ctx, t, first, true); mentions(r, toSecond) {
			t.Errorf("the first reads what was for the second: %+v", r)
		}
		if r := check(ctx, t, second, true); mentions(r, toFirst) {
			t.Errorf("the second reads what was for the first: %+v", r)
		}
	})

	t.Run("from one to the other", func(t *testing.T) {
		id := send(ctx, t, first, "ana-2", "are you on the parser?", "")
		if c := hear(ctx, t, second, id); c.Meta["from_name"] != "ana" {
			t.Errorf("from %q", c.Meta["from_name"])
		}
		answer := send(ctx, t, second, "ana", "yes", id)
		hear(ctx, t, first, answer)
		if slices.Contains(heard(first), id) || slices.Contains(heard(second), answer) {
			t.Error("a session heard its own message")
		}
	})

	t.Run("a reply goes to who asked", func(t *testing.T) {
		question := send(ctx, t, second, "bo", "which branch?", "")
		asked := hear(ctx, t, bo, question)
		byName := send(ctx, t, bo, asked.Meta["from_name"], "main", question)
		byKey := send(ctx, t, bo, asked.Meta["from_id"], "main, I said", question)
		for _, id := range []string{byName, byKey} {
			if c := hear(ctx, t, second, id); c.Meta["reply_to_id"] != question {
				t.Errorf("answers %q, want %q", c.Meta["reply_to_id"], question)
			}
			if slices.Contains(heard(first), id) {
				t.Error("the first heard the answer to the second's question")
			}
		}
	})

	t.Run("commands of an agent speak for its session", func(t *testing.T) {
		var who struct{ Identities []presence.Identity }
		env := []string{"CLAUDE_CODE_SESSION_ID=second"}
		if err := anaHome.JSONEnv(ctx, env, &who, "whoami"); err != nil {
			t.Fatal(err)
		}
		if len(who.Identities) != 1 || who.Identities[0].Name != "ana-2" {
			t.Errorf("got %+v", who)
		}
	})
}
