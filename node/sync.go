package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// syncs keeps the records of this node's meshes equal to those of its neighbours: by
// an exchange with each that connects, with one at random every minute, and with whoever
// turns out to have something; what is written meanwhile comes by gossip.
//
// Of two neighbours that want an exchange at the same time the one with the lower
// libp2p id has its way: see answer.
type syncs struct {
	host   *host.Host
	book   *record.Book
	meshes *mesh.Meshes
	log    *slog.Logger
	// differ says that a neighbour's admin log is not ours.
	differ func(mesh ident.MeshID, from peer.ID)
	// publish writes what each member says of itself, where it is not written yet.
	publish func(ctx context.Context, mesh ident.MeshID)
	// refused counts what a member broke the rules with.
	refused func(mesh ident.MeshID, member ident.PublicKey, reason string)
	paces   exchangePaces

	mu    sync.Mutex // guards what follows
	life  context.Context
	with  map[partner]*pairing
	waits int // how many are lingering, see linger
	// following are the meshes that are looked at anew, and whether once more.
	following map[ident.MeshID]bool
	wg        sync.WaitGroup
}

// partner is a neighbour in one mesh.
type partner struct {
	mesh ident.MeshID
	peer peer.ID
}

// pairing is what is known of the exchanges with one partner.
type pairing struct {
	turn   chan struct{} // holds one token: who has it exchanges
	wanted bool          // an exchange is under way or will be
	again  bool          // one more is wanted after it
	last   time.Time     // end of the last that succeeded
}

const (
	exchangeEvery = time.Minute
	// exchangeFor is how long one exchange may take, stalledFor how long nothing may
	// come or go in it.
	exchangeFor = 10 * time.Minute
	stalledFor  = 30 * time.Second
	// exchangeRest lies between two exchanges with one partner.
	exchangeRest = time.Second
	// answersAtOnce is how many exchanges a partner may open without a rest between.
	answersAtOnce = 20
	// greetLater is what the second of two neighbours leaves the first. Its exchange
	// brings what was written after the first one and before gossip reached the other.
	greetLater = 3 * time.Second
	// followRest is waited after a mesh was looked at anew before it is once more.
	followRest = 500 * time.Millisecond
	// askedAnew is how many neighbours are asked after the admin log or the own log
	// changed.
	askedAnew = 3
)

// register has the host serve exchanges.
func (s *syncs) register() { s.host.Handle(replica.Proto, 2, s.answer) }

// Run exchanges with a random neighbour of each mesh every minute until ctx ends.
func (s *syncs) Run(ctx context.Context) error {
	s.mu.Lock()
	s.life = ctx
	s.mu.Unlock()
	tick := time.NewTicker(exchangeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			for _, m := range s.meshes.All() {
				s.some(m.ID(), 1)
			}
			s.forget()
		}
	}
	s.mu.Lock()
	s.life = nil
	s.mu.Unlock()
	s.wg.Wait()
	return ctx.Err()
}

// forget drops what is known of those who are not connected any more.
func (s *syncs) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for with, p := range s.with {
		if !p.wanted && !s.host.Connected(with.peer) {
			delete(s.with, with)
		}
	}
}

// some has up to n random neighbours of a mesh asked.
func (s *syncs) some(id ident.MeshID, n int) {
	peers := s.host.Peers(id)
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	for _, p := range peers[:min(n, len(peers))] {
		s.want(partner{id, p.Peer}, 0)
	}
}

// met exchanges with a neighbour that has just connected. Both sides hear of it at the
// same time: one begins, the other follows a while later.
func (s *syncs) met(p host.Peer) {
	with := partner{p.Mesh, p.Peer}
	if s.host.ID() < p.Peer {
		s.want(with, 0)
	} else {
		s.want(with, greetLater)
	}
}

// want has an exchange with a partner begin: after a delay, or, while one is under way,
// after that one.
func (s *syncs) want(with partner, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		return
	}
	p := s.pairing(with)
	if p.wanted {
		p.again = p.again || delay == 0
		return
	}
	p.wanted = true
	ctx := s.life
	s.wg.Go(func() { s.run(ctx, with, p, delay) })
}

// pairing needs s.mu.
func (s *syncs) pairing(with partner) *pairing {
	if s.with == nil {
		s.with = make(map[partner]*pairing)
	}
	p, ok := s.with[with]
	if !ok {
		p = &pairing{turn: make(chan struct{}, 1)}
		p.turn <- struct{}{}
		s.with[with] = p
	}
	return p
}

// run exchanges with a partner for as long as somebody wants it.
func (s *syncs) run(ctx context.Context, with partner, p *pairing, delay time.Duration) {
	for ; ; delay = 0 {
		s.mu.Lock()
		rest := max(exchangeRest-time.Since(p.last), delay)
		s.mu.Unlock()
		if pause(ctx, rest) != nil {
			s.over(p)
			return
		}
		s.open(ctx, with, p)
		if !s.more(ctx, p) {
			return
		}
	}
}

// more tells whether one more exchange is wanted; if not, the run is over.
func (s *syncs) more(ctx context.Context, p *pairing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.wanted = p.again && ctx.Err() == nil; !p.wanted {
		return false
	}
	p.again = false
	return true
}

func (s *syncs) over(p *pairing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.wanted, p.again = false, false
}

// open runs one exchange as the opener.
func (s *syncs) open(ctx context.Context, with partner, p *pairing) {
	ctx, cancel := context.WithTimeout(ctx, exchangeFor)
	defer cancel()
	select {
	case <-ctx.Done():
		return
	case <-p.turn:
	}
	defer func() { p.turn <- struct{}{} }()
	stream, err := s.host.Open(ctx, with.mesh, with.peer, replica.Proto)
	if err != nil {
		s.log.Debug("records not exchanged", "mesh", with.mesh, "peer", with.peer, "error", err)
		return
	}
	if err := s.exchange(ctx, with, p, stream, true); err != nil {
		stream.Reset()
		return
	}
	stream.Close()
}

// answer serves an exchange that a neighbour opened. While an own one with it is under
// way, the neighbour with the lower id is waited for: the other one's is refused at
// once, and so its own ends. A refused neighbour is served by the exchange that runs.
func (s *syncs) answer(ctx context.Context, stream *host.Stream) {
	with := partner{stream.Peer.Mesh, stream.Peer.Peer}
	s.mu.Lock()
	p := s.pairing(with)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, exchangeFor)
	defer cancel()
	if pause(ctx, s.paces.answers.Book(with)) != nil {
		stream.Reset()
		return
	}
	if !s.turn(ctx, p, with.peer < s.host.ID()) {
		stream.Reset()
		return
	}
	defer func() { p.turn <- struct{}{} }()
	if err := s.exchange(ctx, with, p, stream, false); err != nil {
		stream.Reset()
	}
}

// turn takes the right to exchange; false: somebody else has it, and it was not waited
// for, or in vain.
func (s *syncs) turn(ctx context.Context, p *pairing, wait bool) bool {
	select {
	case <-p.turn:
		return true
	default:
	}
	if !wait {
		return false
	}
	late := time.NewTimer(stalledFor)
	defer late.Stop()
	select {
	case <-p.turn:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// exchange runs the protocol over a stream.
func (s *syncs) exchange(ctx context.Context, with partner, p *pairing, stream *host.Stream, opener bool) error {
	stop := context.AfterFunc(ctx, func() { stream.Reset() })
	defer stop()
	began := time.Now()
	got, err := s.book.Exchange(ctx, with.mesh, wire.NewConn(patient{stream}), opener)
	if err != nil {
		s.log.Debug("records not exchanged", "mesh", with.mesh, "peer", with.peer, "error", err)
		if errors.Is(err, replica.ErrProtocol) || errors.Is(err, wire.ErrTooLarge) {
			s.refused(with.mesh, stream.Peer.Key, "exchange")
		}
		return err
	}
	s.mu.Lock()
	p.last = time.Now()
	s.mu.Unlock()
	if got.Sent+got.Received > 0 {
		s.log.Info("records exchanged", "mesh", with.mesh, "peer", with.peer, "sent", got.Sent, "received", got.Received,
			"bytes", got.BytesSent+got.BytesCame, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// patient is a stream that has its deadline moved by every read and write: it ends when
// nothing comes or goes for stalledFor.
type patient struct{ *host.Stream }

func (a patient) Read(b []byte) (int, error) {
	if err := a.SetReadDeadline(time.Now().Add(stalledFor)); err != nil {
		return 0, fmt.Errorf("set deadline: %w", err)
	}
	return a.Stream.Read(b)
}

func (a patient) Write(b []byte) (int, error) {
	if err := a.SetWriteDeadline(time.Now().Add(stalledFor)); err != nil {
		return 0, fmt.Errorf("set deadline: %w", err)
	}
	return a.Stream.Write(b)
}

// follow has a mesh's records looked at anew, beside, after its admin log or the known
// keys changed; while that goes on, once more after it.
func (s *syncs) follow(id ident.MeshID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, runs := s.following[id]
	if s.life == nil {
		return
	}
	if s.following == nil {
		s.following = make(map[ident.MeshID]bool)
	}
	s.following[id] = runs
	if runs {
		return
	}
	ctx := s.life
	s.wg.Go(func() {
		for s.followOnce(ctx, id) {
		}
	})
}

// followOnce tells whether it is to be done once more.
func (s *syncs) followOnce(ctx context.Context, id ident.MeshID) (again bool) {
	s.publish(ctx, id)
	if err := s.book.Follow(ctx, id); err != nil && ctx.Err() == nil {
		s.log.Error("records not looked at anew", "mesh", id, "error", err)
	}
	s.some(id, askedAnew)
	_ = pause(ctx, followRest) // changes seldom come alone
	s.mu.Lock()
	defer s.mu.Unlock()
	if again = s.following[id] && ctx.Err() == nil; again {
		s.following[id] = false
	} else {
		delete(s.following, id)
	}
	return again
}
