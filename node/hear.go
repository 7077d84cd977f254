package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/allowance"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
)

// Records that come by gossip one shortly after the other may change places: what lies
// between gets these times to come before a neighbour is asked for it.
var outOfOrder = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond}

// mostLingering is how many records wait for what lies between: who waits takes a place
// of those that judge gossip, and a member can make up as many gaps as it likes.
const mostLingering = 32

// Gaps have so many exchanges begin; what is beyond comes with that of each minute.
const (
	gapEvery, gapsAtOnce         = 10 * time.Second, 6 // in what one member wrote
	gapPeerEvery, gapsPeerAtOnce = 2 * time.Second, 30 // as one neighbour passed it on
)

// exchangePaces bound the exchanges that others can have this node make.
type exchangePaces struct {
	answers *allowance.Of[partner]
	authors *allowance.Of[written]
	peers   *allowance.Of[partner]
}

// written is what one member wrote in a mesh.
type written struct {
	mesh   ident.MeshID
	member ident.PublicKey
}

func newExchangePaces(mono func() time.Duration) exchangePaces {
	return exchangePaces{
		answers: allowance.New[partner](mono, exchangeRest, answersAtOnce),
		authors: allowance.New[written](mono, gapEvery, gapsAtOnce),
		peers:   allowance.New[partner](mono, gapPeerEvery, gapsPeerAtOnce),
	}
}

// linger waits; false: too many do already, or ctx ended.
func (s *syncs) linger(ctx context.Context, d time.Duration) bool {
	s.mu.Lock()
	room := s.waits < mostLingering
	if room {
		s.waits++
	}
	s.mu.Unlock()
	if !room {
		return false
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits--
	}()
	return pause(ctx, d) == nil
}

// hear judges a record that came by gossip.
func (s *syncs) hear(ctx context.Context, m *mesh.Mesh, from peer.ID, raw []byte) gossip.Verdict {
	v, want, err := s.book.News(ctx, m.ID(), raw)
	for i := 0; err == nil && want && v != replica.Twice && i < len(outOfOrder) && s.linger(ctx, outOfOrder[i]); i++ {
		v, want, err = s.book.News(ctx, m.ID(), raw)
	}
	if err != nil {
		s.log.Warn("record from a neighbour not kept", "mesh", m.ID(), "error", err)
		return gossip.Ignore
	}
	switch v {
	case replica.Reject:
		return gossip.Reject
	case replica.Accept:
		if want {
			s.want(partner{m.ID(), from}, 0)
		}
		return gossip.Accept
	}
	author, known := s.book.Author(m.ID(), raw)
	if v == replica.Twice {
		s.refused(m.ID(), author, "number")
	}
	switch {
	case v == replica.Late:
		s.refused(m.ID(), author, "pace")
	case want && s.paces.peers.Allow(partner{m.ID(), from}) && s.paces.authors.Allow(written{m.ID(), author}):
		s.want(partner{m.ID(), from}, 0)
	}
	if !known {
		s.differ(m.ID(), from) // its author may have been admitted meanwhile
	}
	return gossip.Ignore
}
