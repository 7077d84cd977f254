package grant

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var team = ident.MeshID{1}

func keyOf(n byte) ident.PublicKey { return ident.PublicKey{0xab, n, 31: n} }

// stage is a mesh of ana, who asks, and others.
type stage struct {
	*Feature
	db      *store.DB
	members []Member
	held    []string // what Mail was asked to hold
}

func (s *stage) Caller(_ op.Caller, slug string) (Self, error) {
	if slug != "" && slug != "team" {
		return Self{}, op.Errorf(op.NotFound, "no mesh %q", slug)
	}
	return s.List()[0], nil
}
func (s *stage) List() []Self                  { return []Self{{team, "team", keyOf(0)}} }
func (s *stage) Members(ident.MeshID) []Member { return s.members }
func (s *stage) Owner(_ ident.MeshID, session string) (ident.PublicKey, bool) {
	return keyOf(1), session == "bo's session"
}
func (s *stage) Listeners(ident.MeshID) []string { return []string{"s1", "user"} }

func (s *stage) Hold(_ *store.Tx, _ ident.MeshID, from ident.PublicKey, direct, many bool) error {
	s.held = append(s.held, fmt.Sprintf("%d %v %v", from[1], direct, many))
	return nil
}

func (s *stage) Release(context.Context, ident.MeshID, ident.PublicKey) (int, error) { return 3, nil }

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{members: []Member{{keyOf(0), "ana"}, {keyOf(1), "bo"}, {keyOf(2), "cy"}, {keyOf(3), "Cy"}}}
	s.db = storetest.New(t)
	s.reopen(t)
	return s
}

// reopen reads what is on the store anew.
func (s *stage) reopen(t interface{ Fatal(...any) }) {
	var err error
	s.Feature, err = New(Config{DB: s.db, Meshes: s, Mail: s, Now: func() time.Time { return time.Unix(1e9, 0) }})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) allowed(who byte) (c Cap) {
	for i := range capNames {
		if s.May(team, keyOf(0), keyOf(who), 1<<i) {
			c |= 1 << i
		}
	}
	return c
}

var user = op.Caller{User: true}

func TestTheDefaultLetsOthersReadAndWriteButFetchNothing(t *testing.T) {
	s := newStage(t)
	if got := s.allowed(1); got != standard|StateWrite {
		t.Errorf("of whom nothing was said: %v", got.names())
	}
	if got := s.allowed(0); got != all {
		t.Errorf("the own member: %v", got.names())
	}
	out, err := s.answerList(t.Context(), user, ListRequest{})
	if err != nil || !slices.Equal(out.Default, []string{"read", "dm", "broadcast", "state-read"}) || len(out.Grants) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestFindTrustsNoPartOfAName(t *testing.T) {
	s := newStage(t)
	for peer, want := range map[string]op.Code{
		"bo": "", "BO": "", " bo ": "", keyOf(1).String(): "", keyOf(1).String()[:8]: "", "bo's session": "",
		"b": op.NotFound, "": op.NotFound, keyOf(1).String()[:4]: op.NotFound, "dan": op.NotFound, "cy": op.Ambiguous,
	} {
		out, err := s.answerBlock(t.Context(), user, BlockRequest{WhichPeer: WhichPeer{peer}})
		if op.CodeOf(err) != want || err == nil && out.Key != keyOf(1).String() {
			t.Errorf("%q: %+v, %v", peer, out, err)
		}
	}
	if _, err := s.answerBlock(t.Context(), user, BlockRequest{WhichPeer: WhichPeer{"ana"}}); op.CodeOf(err) != op.Invalid {
		t.Errorf("oneself: %v", err)
	}
	// Of whom something was said is found by its key when it is no member any more.
	s.members = s.members[:1]
	if _, err := s.answerUnblock(t.Context(), user, UnblockRequest{WhichPeer: WhichPeer{keyOf(1).String()}}); err != nil {
		t.Errorf("somebody gone: %v", err)
	}
}

func TestWhatIsTakenIsHeldInTheSameCommit(t *testing.T) {
	s := newStage(t)
	for _, caps := range []string{"state-read", "dm", "broadcast", "all"} {
		if _, err := s.answerRemove(t.Context(), user, RemoveRequest{WhichPeer: WhichPeer{"bo"}, Caps: []string{caps}}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"1 true false", "1 true true", "1 true true"}; !slices.Equal(s.held, want) {
		t.Errorf("held %q, want %q", s.held, want)
	}
	out, err := s.answerUnblock(t.Context(), user, UnblockRequest{WhichPeer: WhichPeer{"bo"}, Held: true})
	if err != nil || out.Released != 3 || out.Blocked || !strings.Contains(out.Text(), "3 message(s)") {
		t.Errorf("%+v, %v", out, err)
	}
}

// Any history of grants gives what a list of words gives, and so does what is on disk.
func TestRulesAreWhatWasSaidLast(t *testing.T) {
	s := newStage(t)
	model := map[byte]map[string]bool{}
	base := func() map[string]bool {
		return map[string]bool{"read": true, "dm": true, "broadcast": true, "state-read": true, "state-write": true}
	}
	rapid.Check(t, func(t *rapid.T) {
		who := byte(rapid.IntRange(1, 2).Draw(t, "who"))
		peer := WhichPeer{keyOf(who).String()}
		caps := rapid.SliceOfN(rapid.SampledFrom(capNames[:]), 1, 4).Draw(t, "caps")
		have := model[who]
		if have == nil {
			have = base()
		}
		var err error
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			_, err = s.answerAdd(context.Background(), user, AddRequest{WhichPeer: peer, Caps: caps})
			for _, c := range caps {
				have[c] = true
			}
		case 1:
			_, err = s.answerRemove(context.Background(), user, RemoveRequest{WhichPeer: peer, Caps: caps})
			for _, c := range caps {
				have[c] = false
			}
		case 2:
			_, err = s.answerBlock(context.Background(), user, BlockRequest{WhichPeer: peer})
			have = map[string]bool{}
		case 3:
			_, err = s.answerUnblock(context.Background(), user, UnblockRequest{WhichPeer: peer})
			have = base()
		}
		if err != nil {
			t.Fatal(err)
		}
		model[who] = have
		if rapid.Bool().Draw(t, "restart") {
			s.reopen(t)
		}
		for i, name := range capNames {
			if got := s.May(team, keyOf(0), keyOf(who), 1<<i); got != have[name] {
				t.Fatalf("%s: %v, want %v", name, got, have[name])
			}
		}
	})
}

func TestTheDefaultNoneLetsInWhomOneGrants(t *testing.T) {
	s := newStage(t)
	if _, err := s.answerDefault(t.Context(), user, DefaultRequest{Caps: []string{"none"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.answerAdd(t.Context(), user, AddRequest{WhichPeer: WhichPeer{"bo"}, Caps: []string{"dm,read"}}); err != nil {
		t.Fatal(err)
	}
	s.reopen(t)
	if got := s.allowed(1); got != DM|Read {
		t.Errorf("bo may %v", got.names())
	}
	if got := s.allowed(2); got != 0 {
		t.Errorf("cy may %v", got.names())
	}
	err := s.db.Update(t.Context(), func(tx *store.Tx) error { return s.Drop(tx, team) })
	if err != nil || s.allowed(2) != standard|StateWrite {
		t.Errorf("in a mesh that was left: %v, %v", s.allowed(2).names(), err)
	}
	s.reopen(t)
	if s.allowed(1) != standard|StateWrite {
		t.Error("left on disk")
	}
}

func TestTextAndJSONAgree(t *testing.T) {
	s := newStage(t)
	if _, err := s.answerRemove(t.Context(), user, RemoveRequest{WhichPeer: WhichPeer{"bo"}, Caps: []string{"state-write,dm"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.mark(t.Context(), team, Member{keyOf(2), "cy"}, false); err != nil {
		t.Fatal(err)
	}
	list, err := s.answerList(t.Context(), user, ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bo", keyOf(1).String()[:16], "read, broadcast, state-read", "do not count", "all others in team may read, dm"} {
		if !strings.Contains(list.Text(), want) {
			t.Errorf("%q lacks %q", list.Text(), want)
		}
	}
	out, err := s.answerVerify(t.Context(), user, VerifyRequest{Grants: true})
	if err != nil || len(out.Peers) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, p := range out.Peers {
		for _, want := range []string{p.Peer, p.Number, p.Key[:16], p.Grants.May().String(), p.Verified, p.Warning} {
			if !strings.Contains(out.Text(), want) {
				t.Errorf("%q lacks %q", out.Text(), want)
			}
		}
	}
	if out.Peers[2].Warning == "" && out.Peers[1].Warning == "" {
		t.Error("two members are called cy, one was verified, and nobody is warned")
	}
}
