package presence

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Each line of the catalogue of bugs of earlier implementations that presence could
// have stands here.
func TestCatalogue(t *testing.T) {
	t.Run("catalogue 1: an unknown name is refused and says who is known", unknownName)
	t.Run("catalogue 4: a prefix copied from peers is resolved or refused", copiedPrefix)
	t.Run("catalogue 6: two sessions of one node do not hear each other as others", noEcho)
	t.Run("catalogue 8: who calls is the session whose token was shown", whoCalls)
	t.Run("catalogue 14: peers of one mesh do not mix with those of another", oneMesh)
	t.Run("catalogue 20: nobody vanishes in a week of restarts and new attestations", week)
	t.Run("catalogue 21: a session stays through a restart of its node", restart)
	t.Run("catalogue 24: reconnect with the same session id replaces", replaces)
	t.Run("catalogue 28: the text shows what the JSON holds", sameFacts)
}

func unknownName(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.named(t, "b", "worker")
	_, err := ana.Resolve(w.id, ident.PublicKey{1}, "nobody")
	if op.CodeOf(err) != op.NotFound || !strings.Contains(op.AsError(err).Hint, "worker") {
		t.Errorf("%v, hint %q", err, op.AsError(err).Hint)
	}
}

func copiedPrefix(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	one := bo.named(t, "b1", "same")
	bo.named(t, "b2", "same")
	out, err := ana.answerPeers(t.Context(), op.Caller{User: true}, PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	text := out.Text()
	for _, p := range out.Meshes[0].Peers {
		i := strings.Index(text, "key "+p.Session[:16])
		if i < 0 {
			t.Fatalf("the text has no 16 digits of %s: %s", p.Session, text)
		}
		for n := 8; n <= 64; n += 8 {
			if a, err := ana.Resolve(w.id, ident.PublicKey{1}, p.Session[:n]); err != nil || a.Key.String() != p.Session {
				t.Errorf("%d digits find %+v, %v", n, a, err)
			}
		}
	}
	if _, err := ana.Resolve(w.id, ident.PublicKey{1}, "deadbeef00"); op.CodeOf(err) != op.NotFound {
		t.Errorf("a prefix of nobody: %v", err)
	}
	// Two members call their sessions alike: neither is taken at random.
	cy := w.person(t, "cy")
	cy.named(t, "c1", "same")
	self, err := bo.Caller(one, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = ana.Resolve(w.id, ident.PublicKey{1}, "same")
	hint := op.AsError(err)
	if op.CodeOf(err) != op.Ambiguous || !strings.Contains(hint.Hint, self.Session.String()[:16]) || !strings.Contains(hint.Hint, "/work/c1") || !strings.Contains(hint.Hint, "same ") {
		t.Errorf("ambiguous: %v, %+v", err, hint)
	}
}

func noEcho(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	one := ana.agent(t, "a1")
	l := ana.Listen(one.Session)
	defer l.Close()
	w.pass(time.Minute)
	two := ana.agent(t, "a2")
	ana.watch(ana.List()[0])
	if _, err := ana.answerClose(t.Context(), two, CloseRequest{}); err != nil {
		t.Fatal(err)
	}
	ana.watch(ana.List()[0])
	if got := l.Take(); len(got) != 0 {
		t.Errorf("told of the own member's session: %v", got)
	}
	self, err := ana.Caller(one, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{self.Session.String(), self.Session.String()[:8]} {
		if a, err := ana.Resolve(w.id, self.Session, target); op.CodeOf(err) != op.Invalid {
			t.Errorf("%s found itself: %+v, %v", target, a, err)
		}
	}
}

func whoCalls(t *testing.T) {
	ana := newWorld().person(t, "ana")
	seen := make(map[ident.PublicKey]string)
	for _, id := range []string{"a1", "a2", "a3"} {
		c := ana.agent(t, id)
		l, err := ana.Caller(c, "")
		if err != nil || l.ID != c.Session || seen[l.Session] != "" {
			t.Errorf("%s acts as %s %s, %v", id, l.ID, l.Name, err)
		}
		seen[l.Session] = l.Name
	}
	l, err := ana.Caller(op.Caller{User: true}, "")
	if err != nil || l.ID != UserSession || seen[l.Session] != "" || l.Visible {
		t.Errorf("the person acts as %s, %v", l.ID, err)
	}
}

func oneMesh(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.other = true
	if err := bo.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := bo.agent(t, "b")
	in := func(slug string) []string {
		out, err := bo.answerPeers(t.Context(), c, PeersRequest{InMesh: op.InMesh{Mesh: slug}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range out.Meshes {
			for _, p := range m.Peers {
				got = append(got, m.Mesh+":"+p.Name)
			}
		}
		return got
	}
	ana.agent(t, "a")
	for slug, want := range map[string][]string{"zoo": {"zoo:bo"}, "team": {"team:ana", "team:bo"}, "": {"team:ana", "team:bo", "zoo:bo"}} {
		if got := in(slug); !slices.Equal(got, want) {
			t.Errorf("peers of %q: %v, want %v", slug, got, want)
		}
	}
	if _, err := bo.answerJoinGroup(t.Context(), c, JoinGroupRequest{InMesh: op.InMesh{Mesh: "zoo"}, Name: "g"}); err != nil {
		t.Fatal(err)
	}
	if _, err := bo.answerSetStatus(t.Context(), c, SetStatusRequest{InMesh: op.InMesh{Mesh: "zoo"}, Status: "dnd"}); err != nil {
		t.Fatal(err)
	}
	if _, err := bo.answerSetVisible(t.Context(), c, SetVisibleRequest{InMesh: op.InMesh{Mesh: "team"}}); err != nil {
		t.Fatal(err)
	}
	for slug, want := range map[string]Local{
		"zoo": {Status: "dnd", Groups: []group.Group{{Name: "g"}}, Visible: true}, "team": {Status: "idle"},
	} {
		l, err := bo.Caller(c, slug)
		if err != nil || l.Status != want.Status || len(l.Groups) != len(want.Groups) || l.Visible != want.Visible {
			t.Errorf("in %s: %+v, %v", slug, l, err)
		}
	}
	out, err := bo.answerGroups(t.Context(), c, GroupsRequest{InMesh: op.InMesh{Mesh: "team"}})
	if err != nil || len(out.Groups) != 0 {
		t.Errorf("groups of team: %+v, %v", out, err)
	}
	if _, err := bo.answerGroups(t.Context(), c, GroupsRequest{}); op.CodeOf(err) != op.Ambiguous {
		t.Errorf("groups of no mesh: %v", err)
	}
}

func week(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	c := bo.agent(t, "b")
	before, err := bo.Caller(c, "")
	if err != nil {
		t.Fatal(err)
	}
	detach, err := bo.Attach(c, func() {})
	if err != nil {
		t.Fatal(err)
	}
	for day := range 7 {
		if day == 3 { // bo's node restarts, and later ana's
			bo.stop()
			w.pass(time.Minute)
			bo.start(t)
			if detach, err = bo.Attach(c, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		if day == 5 {
			ana.stop()
			ana.start(t)
		}
		for range 24 {
			w.pass(time.Hour)
			bo.closeOverdue()
			bo.shoutAll(t.Context())
			if got := ana.peers(t, op.Caller{User: true}, false); !slices.Equal(got, []string{"bo/online/"}) {
				t.Fatalf("day %d: ana sees %v", day, got)
			}
		}
	}
	detach()
	if after, err := bo.Caller(c, ""); err != nil || after.Session != before.Session || after.Name != before.Name {
		t.Errorf("after a week: %+v, %v", after, err)
	}
}

func restart(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	out, err := bo.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "b"})
	if err != nil {
		t.Fatal(err)
	}
	bo.shoutAll(t.Context())
	bo.stop()
	w.pass(10 * time.Minute) // an update that took its time
	if got := ana.peers(t, op.Caller{User: true}, true); !slices.Equal(got, []string{"bo/offline/"}) {
		t.Errorf("while the node is down ana sees %v", got)
	}
	bo.start(t)
	bo.closeOverdue()
	bo.shoutAll(t.Context())
	if got := ana.peers(t, op.Caller{User: true}, false); !slices.Equal(got, []string{"bo/online/"}) {
		t.Errorf("ana sees %v", got)
	}
	c, err := bo.Authenticate(out.Token)
	if err != nil {
		t.Fatalf("the running agent's token: %v", err)
	}
	detach, err := bo.Attach(c, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer detach()
	w.pass(time.Hour)
	bo.closeOverdue()
	if l, err := bo.Caller(c, ""); err != nil || !l.Attached {
		t.Errorf("not attached: %v", err)
	}
}

func replaces(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	first := bo.agent(t, "b")
	dropped := false
	if _, err := bo.Attach(first, func() { dropped = true }); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if again := bo.agent(t, "b"); again.Session != first.Session {
			t.Fatalf("another session: %s", again.Session)
		}
	}
	if !dropped {
		t.Error("the old connection goes on")
	}
	replaced := false // by another connection of the same token, too
	for _, drop := range []func(){func() { replaced = true }, func() {}} {
		if _, err := bo.Attach(first, drop); err != nil {
			t.Fatal(err)
		}
	}
	if !replaced {
		t.Error("two connections are attached to one session")
	}
	bo.fileCards(t.Context())
	for _, p := range []*person{ana, bo} {
		if got := p.peers(t, op.Caller{User: true}, false); len(got) != 1 {
			t.Errorf("%s sees %v", p.name, got)
		}
	}
}

func sameFacts(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	out, err := bo.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{
		AgentSession: "b", Name: "worker", Role: "coder", Cwd: "/w", PeerType: "ai", Channel: "claude-code", Model: "opus",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := op.Caller{Session: out.Session}
	bo.report(t, ReportRequest{AgentSession: "b", Status: "working"})
	if _, err := bo.answerSummary(t.Context(), c, SummaryRequest{Summary: "parsing"}); err != nil {
		t.Fatal(err)
	}
	bo.join(t, c, "g", "lead")
	ana.says = map[ident.PublicKey]Profile{bo.key: {Avatar: "🦊", Title: "Parser", RoleTag: "dev"}}
	ana.cfg.Regard = opinion{verified: true, warning: "another key"}
	peers, err := ana.answerPeers(t.Context(), op.Caller{User: true}, PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p, text := peers.Meshes[0].Peers[0], peers.Text()
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		var want []string
		switch value := v.Field(i).Interface().(type) {
		case []string:
			want = value
		case string:
			want = []string{value[:min(len(value), 16)]}
		case bool:
			if value {
				want = []string{strings.ToLower(name)}
			}
		}
		switch name {
		case "Hidden", "Own", "State", "MemberState": // not so here
			continue
		case "ConnectedAt", "LastSeen": // of somebody who is there
			continue
		}
		if len(want) == 0 || want[0] == "" {
			t.Errorf("%s is not set: the test shows nothing", name)
		}
		for _, one := range want {
			if !strings.Contains(text, one) {
				t.Errorf("the text lacks %s %q: %s", name, one, text)
			}
		}
	}
	if p.State != string(roster.Online) {
		t.Errorf("state %s", p.State)
	}
}
