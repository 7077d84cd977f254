package code

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

// Rules of a code.
const (
	// Lasts is how long a code is good for.
	Lasts = 10 * time.Minute
	// MaxStarts is how many attempts may begin.
	MaxStarts = 10
	// MaxOpen is how many codes a node has given out at a time.
	MaxOpen = 16

	easyPlates = 99 // most codes get a number up to this
)

// Outcome is what became of a code.
type Outcome string

// The outcomes. Given is followed by Joined when who got the secret has used it.
const (
	Waiting   Outcome = "waiting"
	Given     Outcome = "given"
	Joined    Outcome = "joined"
	Burnt     Outcome = "burnt"
	Expired   Outcome = "expired"
	Withdrawn Outcome = "withdrawn"
)

// Status is what became of a code so far.
type Status struct {
	Outcome Outcome
	// Starts is how many attempts have begun.
	Starts int
	// Name is who joined.
	Name string
	// Left is how long it is good for still.
	Left time.Duration
}

// Config is what a Book is built from. All fields are needed.
type Config struct {
	// Mono is the monotonic clock.
	Mono func() time.Duration
	// Over is told, from the goroutine that ended it and without locks, that a code is
	// burnt: its invite is to be ended.
	Over func(ctx context.Context, inv ident.PublicKey)
	Log  *slog.Logger
}

// Book holds the codes that a node has given out. They live as long as the node: a
// restart ends them. It is safe for concurrent use.
type Book struct {
	cfg Config

	mu     sync.Mutex // guards offers
	offers map[int]*offer
}

// offer is one code. Book.mu guards it.
type offer struct {
	code    Code
	secret  invite.Secret
	until   time.Duration
	busy    bool
	status  Status
	changed chan struct{} // closed at the next change
}

// NewBook makes a book without codes.
func NewBook(cfg Config) *Book { return &Book{cfg: cfg, offers: make(map[int]*offer)} }

// Offer gives out a code for an invite's secret. It fails with ErrTooMany.
func (b *Book) Offer(secret invite.Secret) (Code, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	open := 0
	for plate, o := range b.offers {
		b.age(o)
		if o.status.Outcome == Waiting {
			open++
		} else if b.cfg.Mono() > o.until+Lasts {
			delete(b.offers, plate)
		}
	}
	if open >= MaxOpen {
		return Code{}, ErrTooMany
	}
	plate, err := b.free()
	if err != nil {
		return Code{}, err
	}
	c, err := Make(plate)
	if err != nil {
		return Code{}, err
	}
	b.offers[plate] = &offer{
		code: c, secret: secret, until: b.cfg.Mono() + Lasts, status: Status{Outcome: Waiting}, changed: make(chan struct{}),
	}
	return c, nil
}

// free picks a nameplate, a short one if it can. The caller holds b.mu.
func (b *Book) free() (int, error) {
	for most := easyPlates; ; most = MaxPlate {
		for range 64 {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(most)))
			if err != nil {
				return 0, fmt.Errorf("make a code: %w", err)
			}
			if plate := int(n.Int64()) + 1; b.offers[plate] == nil {
				return plate, nil
			}
		}
		if most == MaxPlate {
			return 0, ErrTooMany
		}
	}
}

// Status tells what became of a code. It fails with ErrUnknown.
func (b *Book) Status(plate int) (Status, error) {
	s, _, err := b.look(plate)
	return s, err
}

// Wait returns what became of a code once that is not what is known already, or ctx is
// over.
func (b *Book) Wait(ctx context.Context, plate int, known Outcome) (Status, error) {
	for {
		s, changed, err := b.look(plate)
		if err != nil || s.Outcome != known {
			return s, err
		}
		over := time.NewTimer(max(s.Left, time.Second))
		select {
		case <-ctx.Done():
			over.Stop()
			return b.Status(plate)
		case <-changed:
		case <-over.C:
		}
		over.Stop()
	}
}

func (b *Book) look(plate int) (Status, <-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offers[plate]
	if o == nil {
		return Status{}, nil, ErrUnknown
	}
	b.age(o)
	s := o.status
	s.Left = max(o.until-b.cfg.Mono(), 0)
	return s, o.changed, nil
}

// age ends a code whose time is over. The caller holds b.mu.
func (b *Book) age(o *offer) {
	if o.status.Outcome == Waiting && b.cfg.Mono() >= o.until {
		o.set(Expired)
	}
}

// set notes a change. The caller holds b.mu.
func (o *offer) set(out Outcome) {
	o.status.Outcome = out
	if out != Waiting && out != Given {
		o.secret = invite.Secret{}
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

// Withdraw ends a code that waits. It tells whether it did, and which invite it was
// for.
func (b *Book) Withdraw(plate int) (inv ident.PublicKey, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offers[plate]
	if o == nil || o.status.Outcome != Waiting {
		return inv, false
	}
	inv = o.secret.Key().Public()
	o.set(Withdrawn)
	return inv, true
}

// Joined notes that somebody was admitted by an invite, which may be one of a code.
func (b *Book) Joined(inv ident.PublicKey, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.offers {
		if o.status.Outcome == Given && o.secret.Key().Public() == inv {
			o.status.Name = name
			o.set(Joined)
		}
	}
}

// has tells whether a code can be tried.
func (b *Book) has(plate int) error {
	s, _, err := b.look(plate)
	if err == nil && s.Outcome != Waiting {
		err = ErrUnknown
	}
	return err
}

// start begins an attempt, of which there is one at a time. The caller calls end.
func (b *Book) start(plate int) (Code, invite.Secret, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offers[plate]
	if o != nil {
		b.age(o)
	}
	switch {
	case o == nil || o.status.Outcome != Waiting:
		return Code{}, invite.Secret{}, ErrUnknown
	case o.busy:
		return Code{}, invite.Secret{}, ErrBusy
	}
	o.busy = true
	o.status.Starts++
	return o.code, o.secret, nil
}

// give notes, before the secret leaves, that it does. It fails with ErrUnknown if the
// code has ended meanwhile.
func (b *Book) give(plate int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offers[plate]
	if o == nil || o.status.Outcome != Waiting {
		return ErrUnknown
	}
	b.age(o)
	if o.status.Outcome != Waiting {
		return ErrUnknown
	}
	o.set(Given)
	return nil
}

// end is over with an attempt. A wrong guess, a secret that perhaps did not arrive and
// the last start that there may be burn the code.
func (b *Book) end(ctx context.Context, plate int, wrong, lost bool) {
	b.mu.Lock()
	o := b.offers[plate]
	o.busy = false
	used := o.status.Outcome
	burns := used == Waiting && (wrong || o.status.Starts >= MaxStarts) || used == Given && lost
	inv := o.secret.Key().Public()
	if burns {
		o.set(Burnt)
	}
	b.mu.Unlock()
	if !burns {
		return
	}
	b.cfg.Log.Warn("a spoken code is burnt", "plate", plate, "wrong", wrong)
	b.cfg.Over(ctx, inv)
}
