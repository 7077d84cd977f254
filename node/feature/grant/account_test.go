package grant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// Every change is noted in the commit that makes it, once, and what changes nothing is
// not; a change that cannot be noted is not made.
func TestChangesAreNotedInTheirCommit(t *testing.T) {
	s := newStage(t)
	var noted []string
	var fails error
	s.cfg.Account = func(tx *store.Tx, c Change) error {
		text := fmt.Sprintf("%s %s %s %s", c.Event, c.Peer.Name, strings.Join(c.Caps, ","), c.Writes)
		tx.OnCommit(func() { noted = append(noted, strings.TrimRight(text, " ")) })
		return fails
	}
	peer := func(name string) WhichPeer { return WhichPeer{Peer: name} }
	calls := []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, err := s.answerBlock(t.Context(), user, BlockRequest{WhichPeer: peer("bo")})
			return err
		}, "peer_blocked bo"},
		{func() error {
			_, err := s.answerBlock(t.Context(), user, BlockRequest{WhichPeer: peer("bo")})
			return err
		}, ""},
		{func() error {
			_, err := s.answerAdd(t.Context(), user, AddRequest{WhichPeer: peer("bo"), Caps: []string{"dm", "read"}})
			return err
		}, "grants_changed bo read,dm no"},
		{func() error {
			_, err := s.answerRemove(t.Context(), user, RemoveRequest{WhichPeer: peer("bo"), Caps: []string{"dm"}})
			return err
		}, "grants_changed bo read no"},
		{func() error {
			_, err := s.answerUnblock(t.Context(), user, UnblockRequest{WhichPeer: peer("bo")})
			return err
		}, "grants_forgotten bo"},
		{func() error {
			_, err := s.answerUnblock(t.Context(), user, UnblockRequest{WhichPeer: peer("bo")})
			return err
		}, ""},
		{func() error {
			_, err := s.answerDefault(t.Context(), user, DefaultRequest{Caps: []string{"dm"}})
			return err
		}, "default_grants_changed  dm as the mesh says"},
		{func() error {
			_, err := s.answerDefault(t.Context(), user, DefaultRequest{Caps: []string{"none"}})
			return err
		}, "default_grants_changed   no"},
		{func() error {
			_, err := s.answerMark(t.Context(), user, MarkRequest{WhichPeer: peer("bo")})
			return err
		}, "peer_verified bo"},
		{func() error {
			_, err := s.answerMark(t.Context(), user, MarkRequest{WhichPeer: peer("bo"), Undo: true})
			return err
		}, "peer_unverified bo"},
		{func() error {
			_, err := s.answerMark(t.Context(), user, MarkRequest{WhichPeer: peer("bo"), Undo: true})
			return err
		}, ""},
	}
	for i, c := range calls {
		noted = nil
		if err := c.do(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		want := []string{c.want}
		if c.want == "" {
			want = nil
		}
		if !slices.Equal(noted, want) {
			t.Errorf("call %d: noted %q, want %q", i, noted, want)
		}
	}
	// A name that is verified anew under another key takes the mark from the first.
	for _, key := range []byte{2, 3} {
		noted = nil
		if _, err := s.answerMark(t.Context(), user, MarkRequest{WhichPeer: peer(keyOf(key).String())}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"peer_unverified cy", "peer_verified Cy"}; !slices.Equal(noted, want) {
		t.Errorf("noted %q, want %q", noted, want)
	}
	fails = errors.New("no room")
	before := s.allowed(1)
	if _, err := s.answerAdd(t.Context(), user, AddRequest{WhichPeer: peer("bo"), Caps: []string{"all"}}); op.CodeOf(err) == "" || !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
	if _, err := s.answerMark(t.Context(), user, MarkRequest{WhichPeer: peer("bo")}); !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
	_, verified := s.Verified(team, keyOf(1))
	if s.allowed(1) != before || verified {
		t.Error("it was changed without a note")
	}
}
