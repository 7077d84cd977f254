package courier

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// ErrUnreachable means that a home cannot be reached now. Letters are kept.
var ErrUnreachable = errors.New("the recipient's node cannot be reached now")

// Config is what a courier works with. All fields but Jitter are needed.
type Config struct {
	DB *store.DB
	// Send hands letters to the post, in order; ErrUnreachable and any other
	// error mean that they are to be sent again.
	Send func(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, letters [][]byte) error
	// Tell hands a receipt to the post that needs no answer, and fails like Send.
	Tell func(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, receipt []byte) error
	// Receipt signs the body of a receipt with the own member key of a mesh and
	// Self is that key.
	Receipt func(mesh ident.MeshID, body []byte) (ident.Statement, error)
	Self    func(mesh ident.MeshID) ident.PublicKey
	// Member tells whether a key is a member now.
	Member func(mesh ident.MeshID, key ident.PublicKey) bool
	// Age is the node's age, Mono the monotonic clock, Now the wall clock.
	Age  func() time.Duration
	Mono func() time.Duration
	Now  func() time.Time
	// Jitter gives a factor about 1 for a pause. Nil: random, 0.8 to 1.2.
	Jitter func() float64
	Log    *slog.Logger
}

// Courier sends what is due. Its methods are safe for concurrent use.
type Courier struct {
	cfg    Config
	sooner chan struct{} // a deadline before all others was added

	mu      sync.Mutex // guards what follows
	life    context.Context
	workers map[outbox.Home]*worker
	next    time.Duration // the age of the first deadline; 0: none known
	running sync.WaitGroup
}

// New makes a courier that sends once it runs.
func New(cfg Config) *Courier {
	if cfg.Jitter == nil {
		cfg.Jitter = func() float64 { return 0.8 + 0.4*rand.Float64() }
	}
	return &Courier{cfg: cfg, sooner: make(chan struct{}, 1), workers: make(map[outbox.Home]*worker)}
}

// Run sends until ctx ends and returns when all workers have ended. It fails if
// the store does.
func (c *Courier) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer c.stop(cancel)
	c.mu.Lock()
	c.life = ctx
	c.mu.Unlock()
	var homes []outbox.Home
	err := c.cfg.DB.View(func(tx *store.Tx) error {
		homes = outbox.In(tx).Homes()
		return nil
	})
	if err != nil {
		return err
	}
	for _, h := range homes {
		c.Wake(h)
	}
	return c.expire(ctx)
}

// stop lets no new worker begin and waits for the others.
func (c *Courier) stop(cancel func()) {
	cancel()
	c.mu.Lock()
	c.life = nil
	c.mu.Unlock()
	c.running.Wait()
}

// Wake says that something new is on disk for a home.
func (c *Courier) Wake(h outbox.Home) {
	c.tell(h, func(w *worker) { w.fresh = true })
}

// deadline says that something ends at an age.
func (c *Courier) deadline(deadline time.Duration) {
	c.mu.Lock()
	earlier := c.next == 0 || deadline < c.next
	if earlier {
		c.next = deadline
	}
	c.mu.Unlock()
	if earlier {
		poke(c.sooner)
	}
}

// Contact says that a home became reachable, or that a stream to it broke with
// letters unanswered: all of it is due at once.
func (c *Courier) Contact(h outbox.Home) {
	c.tell(h, func(w *worker) { w.window.Contact() })
}

// Say has a receipt for something that came through the air sent to its sender's
// home, with others. It may be lost: the sender then asks by sending a letter.
func (c *Courier) Say(h outbox.Home, i letter.Item) {
	c.tell(h, func(w *worker) {
		if len(w.said) < saidMax {
			w.said = append(w.said, i)
		}
	})
}

// Done says that letters are finished: their rows need no sending any more.
func (c *Courier) Done(h outbox.Home, ords ...uint64) {
	c.mu.Lock()
	w := c.workers[h]
	c.mu.Unlock()
	if w == nil {
		return
	}
	w.tell(func() {
		for _, ord := range ords {
			w.window.Done(ord)
		}
	})
}

// Noted gives the ords that a posted receipt, named by its statement's id, was
// about, once. The caller takes them out of the outbox and says Done.
func (c *Courier) Noted(h outbox.Home, receipt ident.ID) []uint64 {
	c.mu.Lock()
	w := c.workers[h]
	c.mu.Unlock()
	if w == nil {
		return nil
	}
	var ords []uint64
	w.tell(func() {
		ords = w.posted[receipt]
		delete(w.posted, receipt)
	})
	return ords
}

// tell changes the worker of a home, which is made if there is none.
func (c *Courier) tell(h outbox.Home, change func(*worker)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil {
		return
	}
	w := c.workers[h]
	if w == nil {
		w = newWorker(c, h)
		c.workers[h] = w
		life := c.life
		c.running.Go(func() { w.run(life) })
	}
	w.tell(func() { change(w) })
}

// retire forgets a worker that has nothing to do, unless it was told something.
func (c *Courier) retire(w *worker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.idle() {
		return false
	}
	delete(c.workers, w.home)
	return true
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
