package post

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Serve takes the letters of one stream that a proven peer opened, until it
// ends or ctx does. It works without Run. Everything runs in the caller's
// goroutine, one batch after the other: what comes in meanwhile is the next
// batch, and the sender's window is the only queue.
func (p *Post) Serve(ctx context.Context, peer Peer, s Stream) {
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	in := &incoming{post: p, peer: peer, s: s}
	in.conn = wire.NewConn(in)
	err := in.serve(ctx)
	if errors.Is(err, io.EOF) {
		_ = s.Close()
		return
	}
	_ = s.Reset()
	p.log.Debug("post stream of a peer ended", "mesh", peer.Mesh, "peer", peer.Member, "cause", err)
}

// incoming is one stream that a peer opened. It belongs to one goroutine.
type incoming struct {
	post *Post
	peer Peer
	s    Stream
	conn *wire.Conn

	letters *seal.Recipient // the opener's context
	acks    *seal.Sender    // ours
}

// batch is what came in together.
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
	for {
		b, err := in.gather()
		if err != nil {
			return err
		}
		if err := in.deliver(ctx, b); err != nil {
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

// gather waits for a letter and takes all that are here already.
func (in *incoming) gather() (batch, error) {
	var b batch
	for {
		if err := in.next(&b); err != nil {
			return batch{}, err
		}
		if b.count == maxBatch || b.bytes+MaxLetter > maxBatchBytes || !in.conn.Ready() {
			return b, nil
		}
	}
}

// next adds one letter or receipt to b.
func (in *incoming) next(b *batch) error {
	raw, err := in.conn.ReadFrame(MaxFrame)
	if err != nil {
		return err
	}
	k, sealed, err := splitFrame(raw)
	if err != nil {
		return err
	}
	if k != kindLetter && k != kindReceipt {
		return fmt.Errorf("%w: kind %d", errOrder, k)
	}
	plain, err := in.letters.Open([]byte{byte(k)}, sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	if k == kindLetter {
		b.letters = append(b.letters, plain)
	} else {
		b.receipts = append(b.receipts, plain)
	}
	b.count++
	b.bytes += len(plain)
	return nil
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
		cfg.Receipt(ctx, in.peer.Mesh, in.peer.Member, r)
	}
	sealed, err := in.acks.Seal([]byte{byte(kindAck)}, encodeAck(b.count, receipt))
	if err != nil {
		return err
	}
	return in.conn.Send(frame(kindAck, sealed))
}
