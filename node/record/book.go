package record

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/allowance"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Meshes is what a Book must know of the meshes of this node. It is called inside
// transactions and must answer from memory.
type Meshes interface {
	// All lists the meshes this node is in.
	All() []ident.MeshID
	// Get finds one; false: this node is not in it.
	Get(id ident.MeshID) (Mesh, bool)
}

// Mesh is one mesh of this node.
type Mesh struct {
	// Self is the own member's key, Blind the key that signs its records.
	Self  ident.PublicKey
	Blind ident.PrivateKey
	Admin *trust.Log
	Ring  *trust.Keyring
	// Gen is the generation of the own binding: the incarnation of the own log when it
	// is begun.
	Gen uint64
	// Rebind raises the generation to at least the one given, on disk.
	Rebind func(ctx context.Context, least uint64) error
	// Suspended tells that another node acts for the member: what that one writes is
	// not taken over. Nil: never.
	Suspended func() bool
}

// Config says what a Book works with.
type Config struct {
	DB     *store.DB
	Meshes Meshes
	// MeshTime is what time it is in a mesh. It is called inside transactions. Nil: Now.
	MeshTime func(mesh ident.MeshID) time.Time
	// Shout tells the members connected now of a record, in replica's form. It is
	// called from one goroutine and may wait. Nil: nobody is told.
	Shout func(ctx context.Context, mesh ident.MeshID, raw []byte)
	// Adopted says that what another copy of this node wrote was taken over, and that
	// others are to exchange with this node soon. It must not block. Nil: they do when
	// they do.
	Adopted func(mesh ident.MeshID)
	// Refused hears of a record that a member signed and that its kind lets it not write,
	// or not so. It is called outside transactions and must not block. Nil: nobody needs
	// to know.
	Refused func(mesh ident.MeshID, author ident.PublicKey)
	// Now and Mono are the wall and the monotonic clock; nil means the machine's.
	Now  func() time.Time
	Mono func() time.Duration
	// Log gets one line per event worth one. Nil discards.
	Log *slog.Logger
}

// Book is the shared records of all meshes of this node. It is safe for concurrent
// use. Nothing is shouted before Run, and nothing written before the store's Run.
type Book struct {
	cfg   Config
	kinds map[string]Kind // fixed by Start
	pace  *allowance.Of[ident.MeshID]
	news  chan told
	poke  chan struct{}

	mu      sync.Mutex // guards what follows
	shelves map[ident.MeshID]*shelf
}

// told is a record of this node's that others are to hear of.
type told struct {
	mesh ident.MeshID
	raw  []byte
}

// maxNews is how many records wait to be shouted; what does not fit comes to the others
// by exchange.
const maxNews = 4096

// New makes a Book. It starts nothing.
func New(cfg Config) (*Book, error) {
	if cfg.DB == nil || cfg.Meshes == nil {
		return nil, fmt.Errorf("record: a store and meshes are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MeshTime == nil {
		cfg.MeshTime = func(ident.MeshID) time.Time { return cfg.Now() }
	}
	if cfg.Mono == nil {
		start := time.Now()
		cfg.Mono = func() time.Duration { return time.Since(start) }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Book{
		cfg: cfg, kinds: make(map[string]Kind), shelves: make(map[ident.MeshID]*shelf),
		pace: allowance.New[ident.MeshID](cfg.Mono, time.Second/writesPerSecond, writesPerSecond),
		news: make(chan told, maxNews), poke: make(chan struct{}, 1),
	}, nil
}

// Use declares kinds, before Start. It fails with ErrKind.
func (b *Book) Use(kinds ...Kind) error {
	for _, k := range kinds {
		if err := k.check(); err != nil {
			return err
		}
		if _, twice := b.kinds[k.Name]; twice {
			return fmt.Errorf("%w: %s is declared twice", ErrKind, k.Name)
		}
		b.kinds[k.Name] = k
	}
	return nil
}

// Get is what a key shows now; false: nothing.
func (b *Book) Get(mesh ident.MeshID, kind, key string) (e Entry, found bool, err error) {
	k, s, err := b.at(mesh, kind)
	if err != nil {
		return Entry{}, false, err
	}
	if err := checkKey(key); err != nil {
		return Entry{}, false, err
	}
	err = b.cfg.DB.View(func(tx *store.Tx) error {
		v, err := s.view(s.table(tx), k, key, s.slot(kind, key))
		e, found = v.shown, v.shows
		return err
	})
	return e, found, err
}

// List is what the keys that begin with prefix show now, by ascending key.
func (b *Book) List(mesh ident.MeshID, kind, prefix string) ([]Entry, error) {
	var out []Entry
	err := b.Each(mesh, kind, prefix, func(e Entry) { out = append(out, e) })
	return out, err
}

// Each calls fn for what the keys that begin with prefix show now, by ascending key,
// inside a transaction of the store: it must not write. What it does not keep takes no
// memory.
func (b *Book) Each(mesh ident.MeshID, kind, prefix string, fn func(Entry)) error {
	k, s, err := b.at(mesh, kind)
	if err != nil {
		return err
	}
	return b.cfg.DB.View(func(tx *store.Tx) error {
		t := s.table(tx)
		var failed error
		x := t.index()
		x.each(kind, prefix, func(key string, slot replica.Slot) bool {
			if p, ok := x.at(slot); k.Most > 0 && ok && p.beyond {
				return true
			}
			var v view
			if v, failed = s.view(t, k, key, slot); v.shows {
				fn(v.shown)
			}
			return failed == nil
		})
		return failed
	})
}

// at finds a kind and a mesh's records.
func (b *Book) at(mesh ident.MeshID, kind string) (Kind, *shelf, error) {
	k, ok := b.kinds[kind]
	if !ok {
		return Kind{}, nil, fmt.Errorf("%w: %q", ErrKind, kind)
	}
	s, err := b.shelf(mesh)
	return k, s, err
}

func checkKey(key string) error {
	if key == "" || len(key) > MaxKey || !utf8.ValidString(key) {
		return fmt.Errorf("%w: %d bytes, 1 to %d bytes of text are possible", ErrKey, len(key), MaxKey)
	}
	return nil
}
