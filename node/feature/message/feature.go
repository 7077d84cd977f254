package message

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/courier"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Config is what messages are built from. All fields but Warn, Air, Jitter,
// Limits, Arrived and Log are needed.
type Config struct {
	DB       *store.DB
	Sessions Sessions
	Crowd    Crowd
	Trust    Trust
	Mail     Mail
	// Warn says why a member may not be who it seems to be, empty for nothing. Nil:
	// nobody knows.
	Warn func(mesh ident.MeshID, member ident.PublicKey) string
	// Air is the fast path of messages to many. Nil: all of them go by Mail.
	Air Air
	// Now is the wall clock, Mono the monotonic one.
	Now  func() time.Time
	Mono func() time.Duration
	// Jitter gives a factor about 1 for the pauses between tries. Nil: random.
	Jitter func() float64
	Limits Limits
	// Accepted is told of each message in the commit that accepts it. An error fails
	// that commit. Nil: nobody needs to know.
	Accepted func(tx *store.Tx, m Accepted) error
	// Taken is told of each message that came, was new and is not held, once it is
	// stored. It must not block. Nil: nobody needs to know.
	Taken func(m Taken)
	// Refused hears, in one word, what a member sent that never can be good. It must
	// not block. Nil: nobody needs to know.
	Refused func(mesh ident.MeshID, from ident.PublicKey, what string)
	// Arrived hears that pushed messages were seen to reach a session of this node, by
	// its local id. It must not block. Nil: nobody needs to know.
	Arrived func(session string)
	// Log gets one line per event, never a body. Nil discards.
	Log *slog.Logger
}

// Limits are the numbers of docs/delivery.md section 10. Zero means the default.
type Limits struct {
	OutboxRows  uint64        // rows not finished: 100,000
	OutboxBytes uint64        // text kept for them: 1 GiB
	Inbox       inbox.Limits  // per member: the same
	SendRate    delivery.Rate // per session: 50/s, burst 1,000
	ReceiveRate delivery.Rate // per member: 500/s, burst 5,000
	TTL         time.Duration // if not said: 7 days
	// CauseMessages and CauseDepth bound a conversation of agents with no person
	// in between: 64 messages, 40 answers deep.
	CauseMessages uint64
	CauseDepth    uint64
	// Keep is how long received things are kept: read texts 30 days, unread 90,
	// keys 40. KeepSent is how long a sent message is remembered: 40 days.
	Keep     inbox.Retention
	KeepSent time.Duration
}

const day = 24 * time.Hour

func (l Limits) filled() Limits {
	set(&l.OutboxRows, 100_000)
	set(&l.OutboxBytes, 1<<30)
	set(&l.Inbox.Rows, 100_000)
	set(&l.Inbox.Bytes, 1<<30)
	set(&l.SendRate, delivery.Rate{PerSecond: 50, Burst: 1000})
	set(&l.ReceiveRate, delivery.Rate{PerSecond: 500, Burst: 5000})
	set(&l.TTL, 7*day)
	set(&l.CauseMessages, 64)
	set(&l.CauseDepth, 40)
	set(&l.Keep.Read, 30*day)
	set(&l.Keep.Unread, 90*day)
	set(&l.Keep.Keys, 40*day)
	set(&l.KeepSent, 40*day)
	return l
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Feature is the messages of one node. Its methods are safe for concurrent use;
// Ops also works on nil, for a catalogue without a node.
type Feature struct {
	cfg     Config
	limits  Limits
	log     *slog.Logger
	age     *age
	courier *courier.Courier
	doors   *doors
	air     *air
	told    chan *news // receipts that came by themselves, to be kept
	recent  *recent
	gates   atomic.Uint64 // counts Changed

	mu        sync.Mutex // guards what follows
	sending   map[ident.PublicKey]*delivery.Bucket
	named     map[line]time.Duration // when a message to many last named somebody as well
	receiving map[outbox.Home]*delivery.Bucket
}

// New reads the store and starts nothing.
func New(cfg Config) (*Feature, error) {
	if cfg.DB == nil || cfg.Sessions == nil || cfg.Crowd == nil || cfg.Trust == nil || cfg.Mail == nil || cfg.Now == nil || cfg.Mono == nil {
		return nil, errConfig
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a, err := loadAge(cfg.DB, cfg.Now(), cfg.Mono)
	if err != nil {
		return nil, err
	}
	f := &Feature{
		cfg: cfg, limits: cfg.Limits.filled(), log: cfg.Log, age: a, doors: newDoors(), air: newAir(), told: make(chan *news, toldQueue), recent: newRecent(a.now()),
		sending: make(map[ident.PublicKey]*delivery.Bucket), receiving: make(map[outbox.Home]*delivery.Bucket), named: make(map[line]time.Duration),
	}
	f.courier = courier.New(courier.Config{
		DB: cfg.DB, Send: cfg.Mail.Send, Tell: cfg.Mail.SendReceipt,
		Receipt: func(mesh ident.MeshID, body []byte) (ident.Statement, error) {
			return cfg.Trust.Sign(mesh, ident.KindReceipt, body)
		},
		Self: cfg.Trust.Self,
		Member: func(mesh ident.MeshID, key ident.PublicKey) bool {
			_, ok := cfg.Trust.Member(mesh, key)
			return ok
		},
		Age: a.now, Mono: cfg.Mono, Now: cfg.Now, Jitter: cfg.Jitter, Log: cfg.Log,
	})
	return f, nil
}

// Ops binds the operations.
func (f *Feature) Ops() []op.Op {
	return []op.Op{Send.Bind(f.send), Status.Bind(f.status), Check.Bind(f.check), Read.Bind(f.read), Hand.Bind(f.hand)}
}

// Run sends, offers, expires and forgets until ctx ends. The store's writer must
// run meanwhile, and the meshes must be loaded: a recipient who is no member is
// given up.
func (f *Feature) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{
		"courier": f.courier.Run, "doors": f.watchDoors, "housekeeping": f.keepHouse,
		"crier": f.cryOut, "listener": f.listen, "receipts": f.keepTold,
	} {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("messages: %s: %w", name, err))
			}
		})
	}
	parts.Wait()
	return context.Cause(ctx)
}

// refuse tells of something that never can be good.
func (f *Feature) refuse(mesh ident.MeshID, from ident.PublicKey, what string) {
	if f.cfg.Refused != nil {
		f.cfg.Refused(mesh, from, what)
	}
}

// Contact says that a member's home became reachable, or that a stream to it
// broke with letters unanswered: what waits for it is sent at once.
func (f *Feature) Contact(mesh ident.MeshID, member ident.PublicKey) {
	f.courier.Contact(outbox.Home{Mesh: mesh, Member: member})
}

// Changed says that an input of the gate changed for a session: it was opened,
// attached or detached, or its status or mode is another. What may be offered now
// is offered.
func (f *Feature) Changed(mesh ident.MeshID, _ ident.PublicKey) {
	f.gates.Add(1)
	f.doors.knock(mesh)
}

// Counts tells how many messages wait for a session, and how many were pushed to
// it of which nothing shows that they were seen.
func (f *Feature) Counts(s Self) (unread, unconfirmed int, err error) {
	r := readerOf(s)
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		in := inbox.In(tx)
		waiting, err := in.Waiting(r, f.age.now())
		if err != nil {
			return err
		}
		pushed, err := in.Unconfirmed(r)
		unread, unconfirmed = len(waiting), len(pushed)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count messages: %w", err)
	}
	return unread, unconfirmed, nil
}

// Greeting is Counts for a session whose feed begins: what is pushed into it at once, as
// its gate is open, does not wait for its asking.
func (f *Feature) Greeting(s Self) (unread, unconfirmed int, err error) {
	if unread, unconfirmed, err = f.Counts(s); err != nil || unread == 0 {
		return unread, unconfirmed, err
	}
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		waiting, err := inbox.In(tx).Waiting(readerOf(s), f.age.now())
		unread = 0
		for _, e := range waiting {
			if e.Quiet || delivery.Gate(e.Priority, s.Status, s.Mode, true) != delivery.Push {
				unread++
			}
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count messages: %w", err)
	}
	return unread, unconfirmed, nil
}

func readerOf(s Self) inbox.Reader {
	return inbox.Reader{Mesh: s.Mesh, Session: s.Session, Member: s.Member}
}
