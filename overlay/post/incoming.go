package post

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Serve takes the letters of one stream that a proven peer opened, until it
// ends or ctx does. It works without Run. One goroutine reads and opens, the
// caller's hands over: what comes in while a batch is being committed is the next
// batch. The sender's window is the only queue; who goes beyond it is cut off.
func (p *Post) Serve(ctx context.Context, peer Peer, s Stream) {
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	in := &incoming{post: p, peer: peer, s: s, parcels: make(chan parcel, maxBatch)}
	in.conn = wire.NewConn(in)
	err := in.serve(ctx)
	if errors.Is(err, io.EOF) {
		_ = s.Close()
		return
	}
	_ = s.Reset()
	if p.cfg.Refused != nil && isFault(err) {
		p.cfg.Refused(peer.Mesh, peer.Member)
	}
	p.log.Debug("post stream of a peer ended", "mesh", peer.Mesh, "peer", peer.Member, "cause", err)
}

// isFault tells whether a stream ended for something that its opener said.
func isFault(err error) bool {
	for _, fault := range []error{errFrame, errOrder, errStatement, errSigner, errBeyond} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// incoming is one stream that a peer opened.
type incoming struct {
	post *Post
	peer Peer
	s    Stream
	conn *wire.Conn

	letters *seal.Recipient // the opener's context; the reader's once it runs
	acks    *seal.Sender    // ours
	parcels chan parcel     // what the reader has opened; closed at the end
	cause   error           // why the reader ended; set before parcels is closed

	mu    sync.Mutex // guards what follows
	count int        // parcels that are not acknowledged
	bytes int        // in them
}

// batch is what is handed over together.
type batch struct {
	letters  [][]byte
	receipts [][]byte
	count    int
	bytes    int
}

// Read reads the stream; its deadlines are set when their occasion changes.
func (in *incoming) Read(b []byte) (int, error) { return in.s.Read(b) }

// Write writes to the stream, each time with a new deadline.
func (in *incoming) Write(b []byte) (int, error) {
	if err := in.s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return in.s.Write(b)
}

func (in *incoming) serve(ctx context.Context) error {
	if err := in.open(); err != nil {
		return err
	}
	if err := in.s.SetReadDeadline(time.Now().Add(streamLife + answererGrace)); err != nil {
		return err
	}
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(in.read)
	for {
		b, ok := in.gather()
		if !ok {
			return in.cause
		}
		if err := in.deliver(ctx, b); err != nil {
			_ = in.s.Reset() // the reader ends by it
			return err
		}
	}
}

// open takes the opener's open frame, up to maxTries of them, and answers.
func (in *incoming) open() error {
	if err := in.s.SetReadDeadline(time.Now().Add(openTimeout)); err != nil {
		return err
	}
	for try := range maxTries {
		first, err := in.openFrame(try > 0)
		if err != nil {
			return err
		}
		in.letters, err = openContext(in.post.cfg.Keys, in.peer, dirOpener, first)
		if err == nil {
			return in.answer(first)
		}
		if !errors.Is(err, errKey) {
			return err
		}
		newest := in.post.cfg.Keys.Delivery(in.peer.Mesh)
		if err := in.conn.Send(frame(kindUnknown, encodeUnknown(newest))); err != nil {
			return err
		}
	}
	return errKey
}

// openFrame returns the next open frame. After an unknown key it skips the
// letters that were sent behind the frame before, no more than may be under way.
func (in *incoming) openFrame(again bool) (open, error) {
	skip := 0
	if again {
		skip = maxBatch
	}
	for {
		b, err := in.conn.ReadFrame(MaxFrame)
		if err != nil {
			return open{}, err
		}
		k, content, err := splitFrame(b)
		switch {
		case err != nil:
			return open{}, err
		case k == kindOpen:
			return decodeOpen(content)
		case skip == 0 || k != kindLetter && k != kindReceipt:
			return open{}, fmt.Errorf("%w: kind %d before a stream statement", errOrder, k)
		}
		skip--
	}
}

// answer takes over the opener's delivery key and begins the context of the
// acknowledgements.
func (in *incoming) answer(first open) error {
	keys := in.post.cfg.Keys
	if len(first.delivery) > 0 {
		if err := keys.Learn(in.peer.Mesh, in.peer.Member, first.delivery); err != nil {
			return fmt.Errorf("delivery statement: %w", err)
		}
	}
	pub, long, err := keys.Public(in.peer.Mesh, in.peer.Member)
	if err != nil {
		return err
	}
	if len(pub) == 0 {
		pub = long
	}
	own, acks, err := newContext(keys, in.peer, dirAnswerer, pub)
	if err != nil {
		return err
	}
	in.acks = acks
	return in.conn.Send(frame(kindOpen, own.encode()))
}

// read opens what comes in until the stream ends.
func (in *incoming) read() {
	defer close(in.parcels)
	for {
		p, err := in.next()
		if err == nil {
			err = in.admit(p)
		}
		if err != nil {
			in.cause = err
			return
		}
		in.parcels <- p // there is room for a whole window
	}
}

// next reads and opens one letter or receipt.
func (in *incoming) next() (parcel, error) {
	raw, err := in.conn.ReadFrame(MaxFrame)
	if err != nil {
		return parcel{}, err
	}
	k, sealed, err := splitFrame(raw)
	if err != nil {
		return parcel{}, err
	}
	if k != kindLetter && k != kindReceipt {
		return parcel{}, fmt.Errorf("%w: kind %d", errOrder, k)
	}
	plain, err := in.letters.Open([]byte{byte(k)}, sealed)
	if err != nil {
		return parcel{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	return parcel{k, plain}, nil
}

// admit counts a parcel among those not acknowledged. It fails with errBeyond if
// they are more than an opener may have under way.
func (in *incoming) admit(p parcel) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.count++
	in.bytes += len(p.body)
	if in.count > maxBatch || in.count > 1 && in.bytes > maxBatchBytes {
		return errBeyond
	}
	return nil
}

// gather waits for a parcel and takes all that are here already; not ok when there
// are no more.
func (in *incoming) gather() (b batch, ok bool) {
	p, ok := <-in.parcels
	for ok {
		b.add(p)
		if len(in.parcels) == 0 {
			return b, true
		}
		p, ok = <-in.parcels
	}
	return b, b.count > 0
}

func (b *batch) add(p parcel) {
	if p.kind == kindLetter {
		b.letters = append(b.letters, p.body)
	} else {
		b.receipts = append(b.receipts, p.body)
	}
	b.count++
	b.bytes += len(p.body)
}

// deliver hands a batch over and acknowledges it.
func (in *incoming) deliver(ctx context.Context, b batch) error {
	cfg := in.post.cfg
	var receipt []byte
	if len(b.letters) > 0 {
		var err error
		if receipt, err = cfg.Deliver(ctx, in.peer.Mesh, in.peer.Member, b.letters); err != nil {
			return fmt.Errorf("deliver: %w", err)
		}
		if len(receipt) > MaxReceipt {
			return errReceipt
		}
	}
	for _, r := range b.receipts {
		cfg.Told(ctx, in.peer.Mesh, in.peer.Member, r)
	}
	sealed, err := in.acks.Seal([]byte{byte(kindAck)}, encodeAck(b.count, receipt))
	if err != nil {
		return err
	}
	in.mu.Lock()
	in.count -= b.count
	in.bytes -= b.bytes
	in.mu.Unlock()
	return in.conn.Send(frame(kindAck, sealed))
}
