package presence

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func (p *person) join(t *testing.T, c op.Caller, name, role string) {
	t.Helper()
	if _, err := p.answerJoinGroup(t.Context(), c, JoinGroupRequest{Name: name, Role: role}); err != nil {
		t.Fatal(err)
	}
	p.shoutAll(t.Context())
	p.fileCards(t.Context())
}

func (p *person) show(t *testing.T, c op.Caller, visible bool) {
	t.Helper()
	if _, err := p.answerSetVisible(t.Context(), c, SetVisibleRequest{Visible: visible}); err != nil {
		t.Fatal(err)
	}
	p.shoutAll(t.Context())
	p.fileCards(t.Context())
}

func (p *person) close(t *testing.T, c op.Caller) {
	t.Helper()
	if _, err := p.answerClose(t.Context(), c, CloseRequest{}); err != nil {
		t.Fatal(err)
	}
	p.shoutAll(t.Context())
	p.fileCards(t.Context())
}

// audience names the members that a target means, or the error's code.
func (p *person) audience(target string) string {
	keys, err := p.Audience(p.w.id, target)
	if err != nil {
		return string(op.CodeOf(err))
	}
	var names []string
	for _, m := range p.w.members {
		if slices.Contains(keys, m.Key) {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestGroupsAreSeenEverywhere(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	one, two := bo.agent(t, "b1"), bo.agent(t, "b2")
	bo.join(t, one, "@frontend/css", "lead")
	bo.join(t, one, "reviewers", "")
	bo.join(t, two, "reviewers", "observer")
	user := op.Caller{User: true}
	peers, err := ana.answerPeers(t.Context(), user, PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := peers.Meshes[0].Peers[0].Groups; !slices.Equal(got, []string{"@frontend/css:lead", "@reviewers"}) {
		t.Errorf("groups of bo: %v", got)
	}
	if text := peers.Text(); !strings.Contains(text, "@frontend/css:lead @reviewers") {
		t.Errorf("the text lacks them: %s", text)
	}
	for _, p := range []*person{ana, bo} {
		out, err := p.answerGroups(t.Context(), user, GroupsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range out.Groups {
			for _, m := range g.Members {
				got = append(got, g.Name+"="+m.Name+":"+m.Role)
			}
		}
		if want := []string{"frontend/css=bo:lead", "reviewers=bo:", "reviewers=bo-2:observer"}; !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", p.name, got, want)
		}
		for _, want := range []string{"@frontend/css: bo:lead", "@reviewers: bo", "bo-2:observer"} {
			if !strings.Contains(out.Text(), want) {
				t.Errorf("the text lacks %q: %s", want, out.Text())
			}
		}
	}
	for range 2 { // leaving is idempotent
		if out, err := bo.answerLeaveGroup(t.Context(), one, LeaveGroupRequest{Name: "@reviewers"}); err != nil || out.Joined {
			t.Errorf("leave: %+v, %v", out, err)
		}
	}
	bo.join(t, one, "frontend/css", "") // joining again replaces the role
	if l, err := bo.Caller(one, ""); err != nil || !slices.Equal(group.Strings(l.Groups), []string{"@frontend/css"}) {
		t.Errorf("groups now %v, %v", l.Groups, err)
	}
	for _, name := range []string{"all", "@all", `x"y`, "", "a\nb"} {
		if _, err := bo.answerJoinGroup(t.Context(), one, JoinGroupRequest{Name: name}); op.CodeOf(err) != op.Invalid {
			t.Errorf("joined %q: %v", name, err)
		}
	}
	bo.stop()
	bo.start(t)
	if l, err := bo.Caller(one, ""); err != nil || len(l.Groups) != 1 {
		t.Errorf("after a restart %v, %v", l.Groups, err)
	}
}

func TestAudience(t *testing.T) {
	w := newWorld()
	ana, bo, cy := w.person(t, "ana"), w.person(t, "bo"), w.person(t, "cy")
	w.person(t, "dan") // never heard of
	delete(w.heard, w.members[3].Key)
	a1, b1 := ana.agent(t, "a1"), bo.agent(t, "b1")
	c1 := cy.agent(t, "c1")
	bo.join(t, b1, "a/b/c", "")
	cy.join(t, c1, "other", "")
	ana.says = map[ident.PublicKey]Profile{}
	expect := func(what, target, want string) {
		t.Helper()
		if got := ana.audience(target); got != want {
			t.Errorf("%s: %s is %q, want %q", what, target, got, want)
		}
	}
	for target, want := range map[string]string{
		"*": "ana bo cy", "@all": "ana bo cy", "team:@all": "ana bo cy",
		"@a": "bo", "@a/b": "bo", "@a/b/c": "bo", "@a/b/c/d": "not_found", "@ab": "not_found", "@other": "cy", `@"`: "invalid", "bo": "invalid",
	} {
		expect("all open", target, want)
	}
	ana.says[bo.key] = Profile{Groups: []group.Group{{Name: "a"}, {Name: "night"}}}
	expect("open sessions, not the profile", "@night", "not_found")
	bo.close(t, b1)
	expect("closed: the profile", "@night", "bo")
	expect("closed: the profile", "@a/b", "not_found")
	expect("closed: seen", "@all", "ana bo cy")
	if _, err := ana.Audience(w.id, "@nobody"); op.AsError(err).Hint != "groups: @a, @night, @other; @all is everybody" {
		t.Errorf("the hint: %q", op.AsError(err).Hint)
	}
	ana.join(t, a1, "mine", "")
	expect("the own member counts", "@mine", "ana")

	delete(w.heard, cy.key) // cy falls silent, with an open card
	w.pass(29 * 24 * time.Hour)
	bo.shoutAll(t.Context())
	expect("29 days later", "*", "ana bo cy")
	expect("an open card of somebody away", "@other", "cy")
	w.pass(2 * 24 * time.Hour)
	expect("31 days later", "*", "ana bo")
}

func TestMatching(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	matching := func(target string) string {
		open, member := ana.Matching(w.id, target)
		var names []string
		for _, l := range open {
			names = append(names, l.Name)
		}
		slices.Sort(names)
		if member {
			names = append(names, "(member)")
		}
		return strings.Join(names, " ")
	}
	expect := func(what string, want map[string]string) {
		t.Helper()
		for target, names := range want {
			if got := matching(target); got != names {
				t.Errorf("%s: %s is %q, want %q", what, target, got, names)
			}
		}
	}
	ana.says = map[ident.PublicKey]Profile{ana.key: {Groups: []group.Group{{Name: "p/q"}}}}
	expect("none open", map[string]string{"*": "(member)", "@all": "(member)", "@p": "(member)", "@x": ""})
	one, two := ana.agent(t, "a1"), ana.agent(t, "a2")
	ana.join(t, one, "x/y", "")
	expect("two open", map[string]string{"*": "ana ana-2", "@x": "ana", "@x/y": "ana", "@p": "", "@y": ""})
	ana.show(t, one, false)
	expect("one hides", map[string]string{"*": "ana-2", "@x": ""})
	ana.show(t, two, false)
	expect("both hide", map[string]string{"*": "", "@x": "", "@p": ""})
	ana.close(t, one)
	ana.close(t, two)
	expect("none open again", map[string]string{"*": "(member)", "@p": "(member)", "@x": ""})
}

func TestWhoHidesLooksLikeOneThatLeft(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	hider, other := bo.agent(t, "b1"), bo.agent(t, "b2")
	user := op.Caller{User: true}
	w.pass(time.Minute)
	bo.show(t, hider, false)
	if got := ana.peers(t, user, false); !slices.Equal(got, []string{"bo-2/online/"}) {
		t.Errorf("ana sees %v", got)
	}
	bo.shoutAll(t.Context())
	if got := bo.peers(t, other, false); !slices.Equal(got, []string{"bo/online/yours", "bo-2/online/this"}) {
		t.Errorf("bo's own session sees %v", got)
	}
	if out, err := bo.answerPeers(t.Context(), hider, PeersRequest{}); err != nil || !strings.Contains(out.Text(), "[hidden]") || !out.Meshes[0].Peers[0].Hidden {
		t.Errorf("not marked: %v, %v", out.Text(), err)
	}
	if got := bo.peers(t, user, true); len(got) < 2 {
		t.Errorf("bo's terminal sees %v", got)
	}
	self, err := bo.Caller(hider, "")
	if err != nil || self.Visible {
		t.Fatalf("visible %v, %v", self.Visible, err)
	}
	a, err := ana.Resolve(w.id, ident.PublicKey{1}, self.Session.String())
	if err != nil || a.Key != self.Session || a.Online {
		t.Errorf("direct messages find %+v, %v", a, err)
	}
	if got := ana.Online(w.id, ident.PublicKey{}); slices.Contains(got, "bo") {
		t.Errorf("the welcome names %v", got)
	}
	bo.stop()
	bo.start(t)
	if l, err := bo.Caller(hider, ""); err != nil || l.Visible {
		t.Errorf("shown after a restart: %v", err)
	}
	bo.show(t, hider, true)
	if got := ana.peers(t, user, false); !slices.Equal(got, []string{"bo/online/", "bo-2/online/"}) {
		t.Errorf("ana sees %v", got)
	}
}

// The largest beacon that sessions can make is carried.
func TestAFullBeaconFits(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	wide := func(n int) string { return strings.Repeat("é", n/2) }
	for i := range roster.MaxSessions {
		out, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{
			AgentSession: strings.Repeat("z", i+1), Name: wide(60), Role: wide(64), Cwd: wide(256), PeerType: wide(64), Channel: wide(64), Model: wide(64),
		})
		if err != nil {
			t.Fatal(err)
		}
		c := op.Caller{Session: out.Session}
		if _, err := ana.answerSummary(t.Context(), c, SummaryRequest{Summary: strings.Repeat("🤖", roster.MaxSummary)}); err != nil {
			t.Fatal(err)
		}
		for g := 0; ; g++ {
			_, err := ana.answerJoinGroup(t.Context(), c, JoinGroupRequest{Name: string(rune('a'+g)) + strings.Repeat("g", 10), Role: strings.Repeat("r", 14)})
			if op.CodeOf(err) == op.TooLarge {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		ana.Count(out.Session, 1<<40, 1<<40, 1<<40, 1<<40)
	}
	ana.publish()
	raw, err := ana.beacon(ana.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	const node = 4<<10 + 64*33 + 16*130 // binding, heads, addresses at their largest
	t.Logf("%d bytes of %d", len(raw), roster.MaxBeacon)
	if len(raw)+node > roster.MaxBeacon {
		t.Errorf("a full beacon has %d bytes and up to %d of the node's, the limit is %d", len(raw), node, roster.MaxBeacon)
	}
	if err := bo.Hear(t.Context(), w.id, ana.key, raw, 0); err != nil {
		t.Fatal(err)
	}
	if got := bo.peers(t, op.Caller{User: true}, false); len(got) != roster.MaxSessions {
		t.Errorf("bo sees %d sessions", len(got))
	}
}
