package post

import (
	"context"
	"crypto/hpke"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Proto is the inner protocol's name in a mesh stream's header.
const Proto = "post/1"

// Limits of one stream.
const (
	maxBatch      = 256     // letters handed to Deliver at once, and letters under way
	maxBatchBytes = 4 << 20 // the same in bytes
	maxKeeping    = 32      // receipts handed to Receipt at once
	maxInbound    = 4       // streams one peer may have open towards us: one in use, the others ending

	streamLife    = time.Hour        // a stream takes no new letters after it
	drainTime     = 30 * time.Second // an ending stream waits this long for acknowledgements
	openTimeout   = 10 * time.Second // the first frame, or the answer to it
	writeTimeout  = 30 * time.Second // one write
	answererGrace = 2 * drainTime    // the answerer keeps a stream this much longer
)

// Stream is a byte stream to one proven peer, such as package host's.
type Stream interface {
	io.ReadWriteCloser
	// Reset ends both directions at once; what is under way may be lost.
	Reset() error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Peer says what a stream's connection proved.
type Peer struct {
	Mesh   ident.MeshID
	Member ident.PublicKey // who is at the other end
	// ProofI and ProofR are the ids of the proofs of the initiator and of the
	// responder of the handshake that this stream stands on.
	ProofI, ProofR ident.ID
}

// Streams opens outgoing streams.
type Streams interface {
	// Open opens a "post/1" stream to the home of a member over a connection
	// that is there and proven; it never dials for long.
	Open(ctx context.Context, mesh ident.MeshID, to ident.PublicKey) (Stream, Peer, error)
}

// Keys is what post must know of this node's and others' keys. Its methods are
// called concurrently, a few times per stream and never per letter. It has six
// methods because a stream needs keys of both sides, and all come from one place.
type Keys interface {
	// Sign signs a body of the given kind with this node's member key of mesh.
	Sign(mesh ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error)
	// Self is this node's member of mesh.
	Self(mesh ident.MeshID) (ident.PublicKey, error)
	// Private finds an own delivery or seal key by its id (seal.KeyID).
	Private(mesh ident.MeshID, keyID [32]byte) (hpke.PrivateKey, bool)
	// Delivery is this node's own newest delivery statement as it travels,
	// empty if it has none.
	Delivery(mesh ident.MeshID) []byte
	// Public returns a member's newest known delivery key, empty if none is
	// known, and its long-term seal key.
	Public(mesh ident.MeshID, member ident.PublicKey) (delivery, seal []byte, err error)
	// Learn verifies a member's delivery statement and keeps it if it is newer
	// than the one known. An older one is no error.
	Learn(mesh ident.MeshID, member ident.PublicKey, statement []byte) error
}

// Config is what a Post needs. All fields without "may be nil" are required.
type Config struct {
	Streams Streams
	Keys    Keys

	// Deliver takes letters that came together on one stream, in the order they
	// were sent (at most 256, 4 MiB), and returns one receipt for all, at most
	// MaxReceipt bytes, empty if there is nothing to say. It returns once they
	// are committed. An error ends the stream, so that the sender posts again.
	// from is the member the connection proved. The letters are Deliver's to keep.
	Deliver func(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, letters [][]byte) (receipt []byte, err error)

	// Receipt takes the answer to letters sent. It returns once it is committed. It
	// may be called for several at once, in no order.
	Receipt func(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, receipt []byte)

	// Told takes a receipt that was posted by itself. It may return before it is
	// committed: whoever posted it is told only that it came.
	Told func(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, receipt []byte)

	// Lost says that a stream ended with letters unacknowledged, so that whoever
	// keeps them need not wait for a timer. It must return soon. May be nil.
	Lost func(mesh ident.MeshID, to ident.PublicKey)

	// Refused is told of a stream that a member opened and that was ended for what it
	// said, not for what became of the connection. May be nil.
	Refused func(mesh ident.MeshID, from ident.PublicKey)

	// Log may be nil.
	Log *slog.Logger
}

// Post sends letters and serves those of others. All methods may be called
// concurrently.
type Post struct {
	cfg Config
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	life  context.Context
	lanes map[address]*lane

	readers sync.WaitGroup // one reader per outgoing stream; Run waits for them
}

// address is where a lane leads.
type address struct {
	mesh ident.MeshID
	to   ident.PublicKey
}

// New returns a Post that sends once it runs. It starts nothing.
func New(cfg Config) *Post {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Post{cfg: cfg, log: log, lanes: make(map[address]*lane)}
}

// Run lets Send work until ctx ends, then ends all outgoing streams and waits
// for what they run. It returns ctx's error. A Post runs once at a time.
func (p *Post) Run(ctx context.Context) error {
	p.mu.Lock()
	if p.life != nil {
		p.mu.Unlock()
		return fmt.Errorf("post: runs already")
	}
	p.life = ctx
	p.mu.Unlock()

	<-ctx.Done() // the readers end their streams by it
	p.mu.Lock()
	p.life = nil
	p.mu.Unlock()
	p.readers.Wait()
	return ctx.Err()
}

// Send posts letters to a member's home, in order, each at most MaxLetter
// bytes. It returns when all are handed to the stream; the receipts come to
// Config.Receipt. While 256 letters or 4 MiB are under way it waits, for ctx at
// most. It fails with ErrUnreachable, ErrTooLarge, ErrStopped or ctx's error;
// then some may have been sent. Letters of one call are not torn apart by
// others' calls. The letters must not be changed afterwards.
func (p *Post) Send(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, letters ...[]byte) error {
	return p.send(ctx, address{mesh, to}, kindLetter, letters)
}

// SendReceipt posts a receipt by itself, at most MaxLetter bytes, in order with
// the letters to the same member. It returns and fails like Send.
func (p *Post) SendReceipt(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, receipt []byte) error {
	return p.send(ctx, address{mesh, to}, kindReceipt, [][]byte{receipt})
}

func (p *Post) send(ctx context.Context, a address, k kind, bodies [][]byte) error {
	if len(bodies) == 0 {
		return nil
	}
	for _, b := range bodies {
		if len(b) > MaxLetter {
			return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxLetter)
		}
	}
	l, err := p.enter(a)
	if err != nil {
		return err
	}
	defer p.leave(l)
	return l.send(ctx, k, bodies)
}

// Renew ends all outgoing streams of a mesh because its admin log changed.
// Letters under way are acknowledged first; the next Send opens a new stream.
func (p *Post) Renew(mesh ident.MeshID) {
	p.mu.Lock()
	var lanes []*lane
	for a, l := range p.lanes {
		if a.mesh == mesh {
			lanes = append(lanes, l)
		}
	}
	p.mu.Unlock()
	for _, l := range lanes {
		if o := l.current(); o != nil {
			o.renew()
		}
	}
}

// enter returns the lane to a and counts the caller in.
func (p *Post) enter(a address) (*lane, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil {
		return nil, ErrStopped
	}
	l := p.lanes[a]
	if l == nil {
		l = &lane{post: p, to: a, turn: make(chan struct{}, 1)}
		p.lanes[a] = l
	}
	l.users++
	return l, nil
}

// leave counts a caller or a stream out, and forgets a lane nobody uses.
func (p *Post) leave(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.users--
	if l.users == 0 && p.lanes[l.to] == l {
		delete(p.lanes, l.to)
	}
}

// adopt starts the reader of a new outgoing stream, unless the Post has stopped.
func (p *Post) adopt(o *outgoing) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil {
		return ErrStopped
	}
	o.lane.users++
	life := p.life
	p.readers.Go(func() { o.run(life) })
	return nil
}
