package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Stream is a stream of one mesh to one proved peer, or a stranger's. It has the semantics of a
// libp2p stream: Close ends both directions gracefully, CloseWrite only ours, Reset everything at
// once. Reads and writes may be concurrent.
type Stream struct {
	// Peer is who is at the other end; Peer.Key is the member key proved in the handshake the stream
	// is bound to. On a stranger's stream only Peer.Peer is set.
	Peer Peer
	// Proto is the inner protocol.
	Proto string

	raw network.MuxedStream
	end func() // leaves the link; runs once or more
}

// NewStream wraps raw as a stream of p; tests and wrappers use it, the host makes its own.
func NewStream(p Peer, proto string, raw network.MuxedStream) *Stream {
	return &Stream{Peer: p, Proto: proto, raw: raw, end: func() {}}
}

func (s *Stream) Read(b []byte) (int, error)  { return s.raw.Read(b) }
func (s *Stream) Write(b []byte) (int, error) { return s.raw.Write(b) }

// Close ends the stream; what was written before still arrives.
func (s *Stream) Close() error {
	s.end()
	return s.raw.Close()
}

// CloseWrite tells the other side that nothing more comes. Close or Reset is still needed.
func (s *Stream) CloseWrite() error { return s.raw.CloseWrite() }

// Reset ends the stream at once, on both sides.
func (s *Stream) Reset() error {
	s.end()
	return s.raw.Reset()
}

// SetDeadline bounds reads and writes; the zero time means no bound.
func (s *Stream) SetDeadline(t time.Time) error { return s.raw.SetDeadline(t) }

// SetReadDeadline bounds reads.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.raw.SetReadDeadline(t) }

// SetWriteDeadline bounds writes.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.raw.SetWriteDeadline(t) }

// Raw is the stream underneath. Closing it goes around the host's bookkeeping until the connection
// or the proof ends.
func (s *Stream) Raw() network.MuxedStream { return s.raw }

// Open opens a stream of mesh to p for one inner protocol, waiting until p has accepted it (at most
// 10 s). The stream has no deadline: its user sets one. Errors: ErrOffline, ErrNotProved, ErrRefused,
// ErrBusy, ErrUnsupported, ErrStopped, or ctx's.
func (h *Host) Open(ctx context.Context, mesh ident.MeshID, p peer.ID, proto string) (*Stream, error) {
	return h.OpenOneOf(ctx, mesh, p, []string{proto})
}

// Home says which peer is the node of a member of a mesh, as far as that is known.
type Home func(mesh ident.MeshID, member ident.PublicKey) (peer.ID, bool)

// OpenHome is Open to a member's node; ErrOffline also where it is not known.
func (h *Host) OpenHome(ctx context.Context, mesh ident.MeshID, member ident.PublicKey, home Home, proto string) (*Stream, error) {
	p, ok := home(mesh, member)
	if !ok {
		return nil, ErrOffline
	}
	return h.Open(ctx, mesh, p, proto)
}

// OpenOneOf is Open for several inner protocols, the best first; Stream.Proto says which p took.
func (h *Host) OpenOneOf(ctx context.Context, mesh ident.MeshID, p peer.ID, protos []string) (*Stream, error) {
	if !h.enter() {
		return nil, ErrStopped
	}
	defer h.wg.Done()
	h.mu.Lock()
	l := h.bestLink(pair{mesh, p})
	h.mu.Unlock()
	if l == nil {
		if h.Connected(p) {
			return nil, ErrNotProved
		}
		return nil, ErrOffline
	}
	ctx, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	s, err := h.openOn(ctx, l, protos)
	if errors.Is(err, ErrRefused) {
		h.refused(l)
	}
	return s, err
}

// refused: the peer does not hold us for proved by l. After a while of that our own idea of it is
// given up, and a new handshake settles the matter.
func (h *Host) refused(l *link) {
	h.mu.Lock()
	if l.refusals == 0 {
		l.refused = time.Now()
	}
	l.refusals++
	var streams []*Stream
	again := l.refusals >= maxRefusals && time.Since(l.refused) > refusalsFor &&
		time.Since(l.conn.regreeted) > regreetEvery
	if again {
		l.conn.regreeted = time.Now()
		streams = h.kill(l)
	}
	h.mu.Unlock()
	reset(streams)
	if again {
		h.greetSoon(l.conn)
	}
}

// openOn opens a stream on l.
func (h *Host) openOn(ctx context.Context, l *link, protos []string) (*Stream, error) {
	raw, err := p2p.Open(ctx, l.conn.raw, ProtoMesh)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffline, err)
	}
	ok := false
	defer func() {
		if !ok {
			raw.Reset()
		}
	}()
	inTime := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	defer inTime()
	head := wire.AppendFrame(nil, wire.Header{Tag: l.tag, Protos: protos}.Marshal())
	if _, err := raw.Write(head); err != nil {
		return nil, refusal(ctx, err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(raw, answer[:]); err != nil {
		return nil, refusal(ctx, err)
	}
	switch {
	case answer[0] == wire.Busy:
		return nil, fmt.Errorf("%w: %v", ErrBusy, protos)
	case int(answer[0]) >= len(protos):
		return nil, fmt.Errorf("%w: %v", ErrUnsupported, protos)
	}
	if !inTime() {
		return nil, refusal(ctx, ctx.Err())
	}
	s := NewStream(l.peerNow(h), protos[answer[0]], raw.Stream)
	if !h.join(l, s) {
		return nil, ErrNotProved
	}
	ok = true
	return s, nil
}

// refusal tells an early end of the stream from the end of our patience.
func refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("host: open: %w", ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// join makes s one of l's streams, to be reset with it; false when l is dead.
func (h *Host) join(l *link, s *Stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.state == dead {
		return false
	}
	l.refusals = 0
	l.streams[s] = struct{}{}
	s.end = func() {
		h.mu.Lock()
		delete(l.streams, s)
		h.mu.Unlock()
	}
	return true
}

// Sync runs Mesh.Sync with p once more, over a new log stream, as the opener.
func (h *Host) Sync(ctx context.Context, mesh ident.MeshID, p peer.ID) error {
	if !h.enter() {
		return ErrStopped
	}
	defer h.wg.Done()
	h.mu.Lock()
	l := h.bestLink(pair{mesh, p})
	h.mu.Unlock()
	if l == nil {
		return ErrNotProved
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	return h.syncOn(ctx, l)
}
