package mesh

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

func TestJoinByInvite(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	m := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	info := m.Info()
	if info.Slug != "team" || info.Member != "bo" || info.Role != "member" || info.Members != 2 {
		t.Errorf("bo sees %+v", info)
	}
	if all := ana.All(); all[0].Info().Members != 2 {
		t.Errorf("ana sees %+v", all[0].Info())
	}
	left, err := filepath.Glob(filepath.Join(bo.dir, keyDir, "joining-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMeshesSurviveARestart(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	before := ana.found("team")
	link := ana.invite(InviteRequest{Uses: 2})
	bo.mustJoin(ana, link)
	want := before.Info()
	first := ana.Meshes
	for range 2 {
		func() {
			if err := first.cfg.DB.Close(); err != nil {
				t.Fatal(err)
			}
			ana.start("ana")
			first = ana.Meshes
		}()
	}
	m, ok := ana.Get(before.id)
	if !ok || m.Info() != want || m.self != before.self || m.tagKey != before.tagKey {
		t.Fatalf("after: %+v, before: %+v", m.Info(), want)
	}
	newHome(t, "cy").mustJoin(ana, link) // the invite is still good
}

// A lost welcome or a crash uses nothing up: the same seed asks again.
func TestALostWelcomeIsAskedForAgain(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	link := ana.invite(InviteRequest{})
	bo.lose = 1
	if _, err := bo.tryJoin(ana, link); err == nil {
		t.Fatal("joined without a welcome")
	}
	if got := ana.All()[0].Info().Members; got != 2 {
		t.Fatalf("%d members after the claim", got)
	}
	bo.mustJoin(ana, link)
	if got := ana.All()[0].Info().Members; got != 2 {
		t.Errorf("%d members after asking again", got)
	}
}

func TestJoiningTwiceIsOneMember(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	link := ana.invite(InviteRequest{Uses: 5})
	bo.mustJoin(ana, link)
	out, err := bo.tryJoin(ana, link)
	if err != nil || !out.Already || ana.All()[0].Info().Members != 2 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestInvitesThatAdmitNobody(t *testing.T) {
	ana := newHome(t, "ana")
	ana.found("team")
	one := ana.invite(InviteRequest{})
	newHome(t, "bo").mustJoin(ana, one)
	short := ana.invite(InviteRequest{Expires: "30m"})
	ana.pass(31 * time.Minute)
	for name, c := range map[string]struct {
		link string
		code op.Code
	}{
		"used up":   {one, op.Conflict},
		"expired":   {short, op.Expired},
		"cut off":   {one[:len(one)-5], op.Invalid},
		"no link":   {"https://example.com/x", op.Invalid},
		"elsewhere": {newHomeLink(t), op.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newHome(t, "cy").tryJoin(ana, c.link)
			if op.CodeOf(err) != c.code {
				t.Errorf("got %v (%s), want %s", err, op.CodeOf(err), c.code)
			}
		})
	}
}

// newHomeLink is an invite of another owner's mesh.
func newHomeLink(t *testing.T) string {
	h := newHome(t, "eve")
	h.found("other")
	return h.invite(InviteRequest{})
}

func TestTheLastUseGoesToOne(t *testing.T) {
	ana := newHome(t, "ana")
	ana.found("team")
	link := ana.invite(InviteRequest{Uses: 2})
	const rivals = 6
	results := make(chan error, rivals)
	var wg sync.WaitGroup
	for range rivals {
		h := newHome(t, "bo")
		wg.Go(func() {
			_, err := h.tryJoin(ana, link)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	joined := 0
	for err := range results {
		if err == nil {
			joined++
		} else if op.CodeOf(err) != op.Conflict {
			t.Errorf("refused with %v", err)
		}
	}
	if state := ana.All()[0].State(); joined != 2 || len(state.Members) != 3 {
		t.Errorf("%d joined, %d members", joined, len(state.Members))
	}
	names := map[string]bool{}
	for _, m := range ana.All()[0].State().Members {
		names[m.Name] = true
	}
	if !names["bo"] || !names["bo-2"] {
		t.Errorf("names %v", names)
	}
	state := ana.All()[0].State()
	for wish, want := range map[string]string{"BO": "BO-3", "во": "во-3", "b0": "b0-3", "bob": "bob", "bоb": "guest"} { // 2 and 5 have Cyrillic letters
		if got := freeName(state, wish); got != want {
			t.Errorf("who wants to be %q is %q", wish, got)
		}
	}
}

func TestRequestsAreChecked(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	bo.mustJoin(ana, ana.invite(InviteRequest{}))
	user := op.Caller{User: true}
	for name, c := range map[string]struct {
		err  error
		code op.Code
	}{
		"bad name":     {second(ana.answerNew(t.Context(), user, NewRequest{Name: "Team A"})), op.Invalid},
		"taken":        {second(ana.answerNew(t.Context(), user, NewRequest{Name: "team"})), op.Conflict},
		"bad member":   {second(ana.answerNew(t.Context(), user, NewRequest{Name: "x2", Member: "@all"})), op.Invalid},
		"uses":         {second(ana.answerInvite(t.Context(), user, InviteRequest{Uses: 1001})), op.Invalid},
		"negative":     {second(ana.answerInvite(t.Context(), user, InviteRequest{Uses: -1})), op.Invalid},
		"role":         {second(ana.answerInvite(t.Context(), user, InviteRequest{Role: "boss"})), op.Invalid},
		"admins":       {second(ana.answerInvite(t.Context(), user, InviteRequest{Role: "admin", Uses: 2})), op.Invalid},
		"too long":     {second(ana.answerInvite(t.Context(), user, InviteRequest{Expires: "31d"})), op.Invalid},
		"overflow":     {second(ana.answerInvite(t.Context(), user, InviteRequest{Expires: "99999999999d"})), op.Invalid},
		"too short":    {second(ana.answerInvite(t.Context(), user, InviteRequest{Expires: "1s"})), op.Invalid},
		"no duration":  {second(ana.answerInvite(t.Context(), user, InviteRequest{Expires: "soon"})), op.Invalid},
		"member":       {second(bo.answerInvite(t.Context(), user, InviteRequest{})), op.Denied},
		"unknown mesh": {second(ana.answerLeave(t.Context(), user, LeaveRequest{Mesh: "nope"})), op.NotFound},
		"owner leaves": {second(ana.answerLeave(t.Context(), user, LeaveRequest{Mesh: "team"})), op.Conflict},
	} {
		if op.CodeOf(c.err) != c.code {
			t.Errorf("%s: got %v (%s), want %s", name, c.err, op.CodeOf(c.err), c.code)
		} else if op.AsError(c.err).Hint == "" {
			t.Errorf("%s: no next step in %v", name, c.err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestLeaving(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	m := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	if _, err := bo.answerLeave(t.Context(), op.Caller{User: true}, LeaveRequest{Mesh: "team"}); err != nil {
		t.Fatal(err)
	}
	if len(bo.All()) != 0 {
		t.Error("bo is still in it")
	}
	if _, err := os.Stat(keyPath(bo.dir, m.id)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("bo's key is still there: %v", err)
	}
	// ana's node learns of it from bo's log.
	var left []trust.Entry
	for _, e := range m.admin.Entries() {
		if e.Kind() == ident.KindLeave {
			left = append(left, e)
		}
	}
	at := ana.All()[0]
	added, err := at.take(t.Context(), left, nil)
	if err != nil || len(added) != 1 {
		t.Fatalf("%d entries, %v", len(added), err)
	}
	if _, in := at.State().Member(m.self); in {
		t.Error("ana still counts bo in")
	}
}

// A mesh whose data cannot be removed stays in sight, and can be left again.
func TestLeavingWithAFullDisk(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	ana.cfg.Forget = func(*store.Tx, ident.MeshID) error { return store.ErrFull }
	_, left := ana.answerLeave(t.Context(), user(), LeaveRequest{Mesh: "team", Force: true})
	_, closed := ana.answerClose(t.Context(), user(), CloseRequest{Mesh: "team"})
	for _, err := range []error{left, closed} {
		if op.CodeOf(err) != op.Unavailable || !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "still on this machine") {
			t.Error(err)
		}
	}
	if _, here := ana.Get(m.id); !here {
		t.Fatal("the mesh is out of sight, and its data is there")
	}
	ana.cfg.Forget = nil
	if _, err := ana.answerLeave(t.Context(), user(), LeaveRequest{Mesh: "team", Force: true}); err != nil || len(ana.All()) != 0 {
		t.Errorf("%v, %d meshes", err, len(ana.All()))
	}
}

// Two logs that differ are equal after an exchange, whoever opens it.
func TestLogExchange(t *testing.T) {
	for _, anaOpens := range []bool{true, false} {
		ana, bo, cy := newHome(t, "ana"), newHome(t, "bo"), newHome(t, "cy")
		ana.found("team")
		at := bo.mustJoin(ana, ana.invite(InviteRequest{Role: "admin"}))
		cy.mustJoin(ana, ana.invite(InviteRequest{})) // bo does not know
		set, err := at.admin.SignSet(at.member, "key", "value", bo.now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := at.take(t.Context(), []trust.Entry{set}, nil); err != nil { // ana does not know
			t.Fatal(err)
		}
		exchangeLogs(t, ana.All()[0], at, anaOpens)
		if x, y := ana.All()[0].Heads(), at.Heads(); len(x) != len(y) || x[0] != y[0] {
			t.Errorf("ana opens %v: heads %v and %v", anaOpens, x, y)
		}
		if got := ana.All()[0].State(); len(got.Members) != 3 || got.Settings["key"] != "value" {
			t.Errorf("%d members, settings %v", len(got.Members), got.Settings)
		}
	}
}

// A newcomer whom the other side does not know yet shows its admission and is then
// given all; somebody with keys made up is given nothing, whoever opens.
func TestLogExchangeWithSomebodyUnknown(t *testing.T) {
	for _, newcomerOpens := range []bool{true, false} {
		ana, bo, cy := newHome(t, "ana"), newHome(t, "bo"), newHome(t, "cy")
		ana.found("team")
		at := bo.mustJoin(ana, ana.invite(InviteRequest{Role: "admin"}))
		knows := cy.mustJoin(ana, ana.invite(InviteRequest{})) // bo does not know
		set, err := at.admin.SignSet(at.member, "key", "value", bo.now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := at.take(t.Context(), []trust.Entry{set}, nil); err != nil { // cy does not know
			t.Fatal(err)
		}
		exchangeLogs(t, knows, at, newcomerOpens)
		if x, y := knows.Heads(), at.Heads(); len(x) != len(y) || x[0] != y[0] {
			t.Errorf("newcomer opens %v: heads %v and %v", newcomerOpens, x, y)
		}
	}
	ana, eve := newHome(t, "ana"), newHome(t, "eve")
	team := ana.found("team")
	at := eve.mustJoin(ana, ana.invite(InviteRequest{}))
	if _, err := ana.answerBan(t.Context(), op.Caller{User: true}, BanRequest{Members: []string{"eve"}}); err != nil {
		t.Fatal(err)
	}
	newHome(t, "cy").mustJoin(ana, ana.invite(InviteRequest{}))
	seed, err := ident.NewSeed()
	if err != nil {
		t.Fatal(err)
	}
	at.self = seed.Member().Public() // what she had, under another key
	before := at.admin.Len()
	for _, eveOpens := range []bool{true, false} {
		exchangeLogs(t, at, team, eveOpens)
	}
	if got := at.admin.Len(); got != before {
		t.Errorf("eve learned %d entries under a key made up", got-before)
	}
}

// Who is gone learns that, and nothing of what came after.
func TestWhoIsGoneIsOfferedNothingElse(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	team := ana.found("team")
	at := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	entry, err := team.admin.SignRemove(team.member, trust.Removal{
		Targets: []trust.Principal{trust.Principal(at.self)}, Key: [32]byte{1},
	}, team.ring, ana.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := team.take(t.Context(), []trust.Entry{entry}, nil); err != nil {
		t.Fatal(err)
	}
	newHome(t, "cy").mustJoin(ana, ana.invite(InviteRequest{}))
	before := at.admin.Len()
	exchangeLogs(t, team, at, false)
	if _, in := at.State().Member(at.self); in || at.admin.Len() != before+1 {
		t.Errorf("bo counts itself in: %v; entries %d, before %d", in, at.admin.Len(), before)
	}
	if len(at.State().Members) != 1 {
		t.Errorf("bo knows %d members", len(at.State().Members))
	}
}

func exchangeLogs(t *testing.T, a, b *Mesh, aOpens bool) {
	t.Helper()
	if !aOpens {
		a, b = b, a
	}
	near, far := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		x := &exchange{conn: wire.NewConn(far), mesh: b, peer: a.self}
		if err := x.answer(t.Context()); err != nil {
			t.Errorf("answer: %v", err)
		}
	})
	x := &exchange{conn: wire.NewConn(near), mesh: a, peer: b.self}
	if err := x.open(t.Context()); err != nil {
		t.Errorf("open: %v", err)
	}
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestDeliveryKeysAreRenewedAndErased(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	first := m.Delivery()
	for day := range 12 {
		ana.pass(24 * time.Hour)
		erased, err := m.renew(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		if want := day >= 8; erased != want {
			t.Errorf("day %d: erased %v", day+1, erased)
		}
	}
	if string(m.Delivery()) == string(first) {
		t.Error("the key was never renewed")
	}
	// the seal key, the newest, and those whose successor is younger than 8 days
	if n := len(m.private); n != 1+1+8 {
		t.Errorf("%d private keys", n)
	}
}

func TestSlugs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &Meshes{meshes: map[ident.MeshID]*Mesh{}}
		if slug := h.freeSlug(rapid.String().Draw(t, "name"), nil); checkSlug(slug) != nil {
			t.Fatalf("slug %q", slug)
		}
	})
}

func TestLinkAddresses(t *testing.T) {
	got := linkAddrs(append([]string{strings.Repeat("/x", 300)}, newHome(t, "ana").Addrs()...))
	if len(got) != 2 || got[0] != "/ip4/127.0.0.1/tcp/1" || got[1] != "/ip4/127.0.0.1/tcp/2" {
		t.Errorf("got %v", got)
	}
}
