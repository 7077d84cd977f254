package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

const (
	ackTimeout = time.Minute // without any acknowledgement while something is under way
	maxTries   = 3           // keys tried on one stream
)

// outgoing is one stream that this node opened. Whoever has the lane's turn
// writes; its reader, run, takes acknowledgements.
type outgoing struct {
	lane *lane
	s    Stream
	peer Peer
	conn *wire.Conn
	born time.Time
	done chan struct{} // closed when the stream has ended
	room chan struct{} // holds a token after something was acknowledged

	receipts sync.WaitGroup // those being kept; the reader's
	keeping  chan struct{}  // a token each

	order  sync.Mutex // guards sender and tried: frames are written in the order they are sealed
	sender *seal.Sender
	tried  [][32]byte // ids of the keys used so far

	mu       sync.Mutex // guards what follows
	pending  []parcel   // sent and not acknowledged, oldest first
	bytes    int        // in pending
	progress time.Time  // of the last acknowledgement, or when pending began
	accepted bool       // the other side opened its context
	busy     bool       // a Send uses the stream
	retired  time.Time  // set: takes no new Send
	closed   bool       // ended by ourselves with nothing under way
	cause    error      // why it ended, if we ended it
	over     bool       // its end has been reported
}

// parcel is a letter or receipt under way.
type parcel struct {
	kind kind
	body []byte
}

func newOutgoing(l *lane, s Stream, peer Peer) *outgoing {
	o := &outgoing{
		lane: l, s: s, peer: peer, born: time.Now(), busy: true,
		done: make(chan struct{}), room: make(chan struct{}, 1), keeping: make(chan struct{}, maxKeeping),
	}
	o.conn = wire.NewConn(patient{o})
	return o
}

// begin writes an open frame with a new context; letters follow without
// waiting. It uses the other side's newest delivery key, then its seal key.
func (o *outgoing) begin() error {
	o.order.Lock()
	defer o.order.Unlock()
	return o.open()
}

// open needs order.
func (o *outgoing) open() error {
	pub, err := o.pick()
	if err != nil {
		return err
	}
	first, sender, err := newContext(o.lane.post.cfg.Keys, o.peer, dirOpener, pub)
	if err != nil {
		return err
	}
	o.sender, o.tried = sender, append(o.tried, first.keyID)
	return o.conn.WriteFrame(frame(kindOpen, first.encode()))
}

// pick returns the best key of the other side that was not tried yet.
func (o *outgoing) pick() ([]byte, error) {
	delivery, long, err := o.lane.post.cfg.Keys.Public(o.peer.Mesh, o.peer.Member)
	if err != nil {
		return nil, err
	}
	for _, pub := range [][]byte{delivery, long} {
		if len(pub) > 0 && len(o.tried) < maxTries && !slices.Contains(o.tried, seal.KeyID(pub)) {
			return pub, nil
		}
	}
	return nil, fmt.Errorf("%w (by the other side)", errKey)
}

// put seals and writes one parcel, once there is room for it.
func (o *outgoing) put(ctx context.Context, k kind, body []byte) error {
	if err := o.await(ctx, len(body)); err != nil {
		return err
	}
	o.order.Lock()
	defer o.order.Unlock()
	if err := o.add(parcel{k, body}); err != nil {
		return err
	}
	return o.fail(o.write(parcel{k, body}))
}

// write needs order.
func (o *outgoing) write(p parcel) error {
	sealed, err := o.sender.Seal([]byte{byte(p.kind)}, p.body)
	if err != nil {
		return err
	}
	return o.conn.WriteFrame(frame(p.kind, sealed))
}

// await waits until n more bytes may be under way.
func (o *outgoing) await(ctx context.Context, n int) error {
	for !o.hasRoom(n) {
		if err := o.flush(); err != nil {
			return err
		}
		select {
		case <-o.room:
		case <-o.done:
			return o.why()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-o.done:
		return o.why()
	default:
		return nil
	}
}

func (o *outgoing) hasRoom(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) == 0 || len(o.pending) < maxBatch && o.bytes+n <= maxBatchBytes
}

// add counts p among what is under way: from here on it is acknowledged or
// reported as lost.
func (o *outgoing) add(p parcel) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return errors.Join(errEnded, o.cause)
	}
	if len(o.pending) == 0 {
		o.progress = time.Now()
	}
	o.pending = append(o.pending, p)
	o.bytes += len(p.body)
	return nil
}

// flush writes out what has gathered; a failure ends the stream.
func (o *outgoing) flush() error { return o.fail(o.conn.Flush()) }

// fail ends the stream if err is one.
func (o *outgoing) fail(err error) error {
	if err != nil {
		o.end(err)
	}
	return err
}

// claim reserves the stream for one Send, if it may take more.
func (o *outgoing) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.cause != nil || !o.retired.IsZero() {
		return false
	}
	if time.Since(o.born) >= streamLife {
		o.retired = time.Now()
		return false
	}
	o.busy = true
	return true
}

// release undoes claim.
func (o *outgoing) release() {
	o.mu.Lock()
	o.busy = false
	o.mu.Unlock()
	o.settle()
}

// renew lets the stream end as soon as nothing is under way.
func (o *outgoing) renew() {
	o.mu.Lock()
	if o.retired.IsZero() {
		o.retired = time.Now()
	}
	o.mu.Unlock()
	o.settle()
}

// settle closes the stream if it is to end and nothing holds it.
func (o *outgoing) settle() {
	o.mu.Lock()
	ready := !o.closed && o.cause == nil && !o.retired.IsZero() && !o.busy && len(o.pending) == 0
	if ready {
		o.closed = true
	}
	o.mu.Unlock()
	if ready {
		_ = o.s.Close() // the reader ends by it
	}
}

// drain waits until a stream that takes no more has ended.
func (o *outgoing) drain(ctx context.Context) error {
	if err := o.flush(); err != nil {
		return nil // it has ended
	}
	o.settle()
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end resets the stream; the first cause is kept.
func (o *outgoing) end(cause error) {
	o.mu.Lock()
	if o.cause == nil {
		o.cause = cause
	}
	o.mu.Unlock()
	_ = o.s.Reset()
}

// why says why the stream ended.
func (o *outgoing) why() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(errEnded, o.cause)
}

// patient reads and writes an outgoing stream within its time limits. Only the
// timeouts that mean something reach the wire.Conn above it.
type patient struct{ o *outgoing }

func (p patient) Read(b []byte) (int, error) {
	for {
		wait := drainTime
		if !p.o.isAccepted() {
			wait = openTimeout
		}
		if err := p.o.s.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		n, err := p.o.s.Read(b)
		if n > 0 || !isTimeout(err) {
			return n, err
		}
		if err := p.o.overdue(); err != nil {
			return 0, err
		}
	}
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.o.s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return p.o.s.Write(b)
}

func (o *outgoing) isAccepted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.accepted
}

// overdue looks at the stream after a silence and says whether it is too long.
func (o *outgoing) overdue() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case !o.accepted:
		return fmt.Errorf("no answer to the stream statement within %v", openTimeout)
	case len(o.pending) > 0 && now.Sub(o.progress) >= ackTimeout:
		return fmt.Errorf("no acknowledgement within %v", ackTimeout)
	case !o.retired.IsZero() && now.Sub(o.retired) >= drainTime:
		return fmt.Errorf("not drained within %v", drainTime)
	case now.Sub(o.born) >= streamLife && !o.busy && len(o.pending) == 0:
		return errEnded
	}
	return nil
}

// isTimeout tells a deadline from an end; each transport has its own error.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
