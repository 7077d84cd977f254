package post

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// lane orders what is posted to one member: one Send at a time has the turn,
// opens a stream if there is none, and writes. A lane outlives its streams and
// is forgotten when nobody uses it.
type lane struct {
	post  *Post
	to    address
	users int // callers of Send and running streams; guarded by Post.mu

	turn    chan struct{} // holds one token while somebody has the turn
	waiting atomic.Int32  // callers that want the turn: the last one flushes

	mu  sync.Mutex // guards cur
	cur *outgoing  // the stream in use, nil if there is none
}

// send writes bodies in order to the lane's stream.
func (l *lane) send(ctx context.Context, k kind, bodies [][]byte) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	o, err := l.stream(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	defer o.release()
	for _, b := range bodies {
		if err = o.put(ctx, k, b); err != nil {
			break
		}
	}
	if l.waiting.Load() == 0 { // else the next one flushes, for both
		err = errors.Join(err, o.flush())
	}
	return explain(ctx, err)
}

// take waits for the turn.
func (l *lane) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default:
	}
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		if o := l.current(); o != nil {
			_ = o.flush() // the one before may have left that to us; a failure ends the stream
		}
		return ctx.Err()
	}
}

// stream returns the stream to use, claimed; it needs the turn. A stream that
// is to end is drained first, so that nothing overtakes what is on it.
func (l *lane) stream(ctx context.Context) (*outgoing, error) {
	if o := l.current(); o != nil {
		if o.claim() {
			return o, nil
		}
		if err := o.drain(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, peer, err := l.post.cfg.Streams.Open(ctx, l.to.mesh, l.to.to)
	if err != nil {
		return nil, err
	}
	if peer.Member != l.to.to || peer.Mesh != l.to.mesh {
		_ = s.Reset()
		return nil, errWrongEnd
	}
	o := newOutgoing(l, s, peer)
	if err := l.start(o); err != nil {
		_ = s.Reset()
		return nil, err
	}
	return o, nil
}

// start puts a new stream, already claimed, to use.
func (l *lane) start(o *outgoing) error {
	if err := o.begin(); err != nil {
		return err
	}
	l.mu.Lock()
	l.cur = o
	l.mu.Unlock()
	if err := l.post.adopt(o); err != nil {
		l.drop(o)
		return err
	}
	return nil
}

func (l *lane) current() *outgoing {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur
}

// drop forgets an ended stream.
func (l *lane) drop(o *outgoing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cur == o {
		l.cur = nil
	}
}

// explain makes an error one that Send documents.
func explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrStopped):
		return ErrStopped
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
