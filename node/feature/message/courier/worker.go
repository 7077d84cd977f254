package courier

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// sendTime is how long the post may take over one batch.
const sendTime = 60 * time.Second

// restTime is how long a worker without work stays: what it knows of its queue
// lets the next letter leave while its own commit runs.
const restTime = 10 * time.Minute

// postedMax is how many receipts under way are remembered.
const postedMax = 64

// saidMax is how many receipts for messages from the air wait to be sent.
const saidMax = 1024

// worker serves one home.
type worker struct {
	c     *Courier
	home  outbox.Home
	told  chan struct{}     // a token when something below has changed
	lanes map[uint64][]lane // the goroutine's own: the lines each letter belongs to
	still time.Duration     // the goroutine's own: since when there is nothing to do

	mu     sync.Mutex // guards what follows
	window delivery.Window
	posted map[ident.ID][]uint64 // receipts under way, by statement id
	fresh  bool                  // the queue may hold more than the window knows
	early  map[uint64]Letter     // sent while their own commit runs
	behind int                   // letters whose commit runs and that are not in the window
	// hold is when letters that are not in the window yet, and go through the air, are
	// first sent.
	hold map[uint64]time.Duration
	said []letter.Item // receipts for what came through the air
}

// lane is an address and a priority: what is kept in order.
type lane struct {
	address  ident.PublicKey
	priority delivery.Priority
}

func newWorker(c *Courier, h outbox.Home) *worker {
	return &worker{
		c: c, home: h, still: c.cfg.Mono(), told: make(chan struct{}, 1), lanes: make(map[uint64][]lane),
		posted: make(map[ident.ID][]uint64), fresh: true, early: make(map[uint64]Letter),
		hold: make(map[uint64]time.Duration),
	}
}

// tell changes what the worker knows and has it look.
func (w *worker) tell(change func()) {
	w.mu.Lock()
	change()
	w.mu.Unlock()
	poke(w.told)
}

// enter puts a letter into the window. The caller holds w.mu.
func (w *worker) enter(ord uint64) {
	w.window.Add(ord, w.hold[ord])
	delete(w.hold, ord)
}

// idle tells that there is nothing to do.
func (w *worker) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.fresh && w.behind == 0 && w.window.Len() == 0 && len(w.said) == 0
}

// run works until there is nothing left or ctx ends.
func (w *worker) run(ctx context.Context) {
	log := w.c.cfg.Log.With("mesh", w.home.Mesh, "to", w.home.Member)
	for ctx.Err() == nil {
		if err := w.round(ctx); err != nil && ctx.Err() == nil {
			log.Warn("sending failed", "error", err)
			w.pause()
		}
		if w.rested() && w.c.retire(w) {
			return
		}
		w.wait(ctx)
	}
}

// rested tells that there was nothing to do for long.
func (w *worker) rested() bool {
	now := w.c.cfg.Mono()
	if !w.idle() {
		w.still = now
		return false
	}
	return now-w.still >= restTime
}

// round fills the window and sends what is due.
func (w *worker) round(ctx context.Context) error {
	if !w.c.cfg.Member(w.home.Mesh, w.home.Member) {
		return w.refuse(ctx)
	}
	if err := w.fill(); err != nil {
		return err
	}
	now := w.c.cfg.Mono()
	w.mu.Lock()
	due := w.window.Due(now)
	all := w.window.Ords()
	if w.window.Paused(now) {
		w.said = nil
	}
	w.mu.Unlock()
	for (len(due) > 0 || w.hasSaid()) && ctx.Err() == nil {
		b, err := w.pack(all, due)
		if err != nil {
			return err
		}
		due = due[b.taken:]
		w.forget(b.gone)
		if !w.post(ctx, b) {
			return nil
		}
	}
	return nil
}

// hasSaid tells that receipts are to be sent.
func (w *worker) hasSaid() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.said) > 0
}

// post sends a batch and takes note of it.
func (w *worker) post(ctx context.Context, b batch) bool {
	if len(b.letters) == 0 && b.alone == nil {
		return true
	}
	if len(b.seen) > 0 {
		w.mu.Lock()
		if len(w.posted) >= postedMax {
			clear(w.posted) // never answered: they are posted anew
		}
		w.posted[b.receipt] = b.seen
		w.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	err := w.hand(ctx, b)
	now, jitter := w.c.cfg.Mono(), w.c.cfg.Jitter()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.window.Sent(now, b.ords, jitter)
		return true
	}
	delete(w.posted, b.receipt)
	w.window.Unreachable(now, jitter)
	if !errors.Is(err, ErrUnreachable) && !errors.Is(err, context.Canceled) {
		w.c.cfg.Log.Warn("letters could not be sent", "mesh", w.home.Mesh, "to", w.home.Member, "error", err)
	}
	return false
}

// hand gives a batch to the post.
func (w *worker) hand(ctx context.Context, b batch) error {
	if len(b.letters) > 0 {
		if err := w.c.cfg.Send(ctx, w.home.Mesh, w.home.Member, b.letters); err != nil {
			return err
		}
	}
	if b.alone == nil {
		return nil
	}
	return w.c.cfg.Tell(ctx, w.home.Mesh, w.home.Member, b.alone)
}

// pause waits as if the home were unreachable: the store or a key failed.
func (w *worker) pause() {
	now, jitter := w.c.cfg.Mono(), w.c.cfg.Jitter()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.window.Unreachable(now, jitter)
}

// wait sleeps until the next try, or until the worker is told something.
func (w *worker) wait(ctx context.Context) {
	w.mu.Lock()
	next := w.window.Next()
	w.mu.Unlock()
	if w.idle() {
		next = w.still + restTime
	}
	timer := time.NewTimer(next - w.c.cfg.Mono())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.told:
	case <-timer.C:
	}
}
