package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Book is the shared records.
type Book interface {
	Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (record.Entry, error)
	List(mesh ident.MeshID, kind, prefix string) ([]record.Entry, error)
}

// Meshes is what an account must know of the meshes of this node.
type Meshes interface {
	// List names them.
	List() []Mesh
	// Find finds one by its name here; empty: the only one. It fails with op.NotFound
	// or op.Ambiguous.
	Find(slug string) (Mesh, error)
	// Names are those of all who are or were members.
	Names(mesh ident.MeshID) map[ident.PublicKey]string
	// Member tells whether somebody is a member now.
	Member(mesh ident.MeshID, key ident.PublicKey) bool
	// Acts are what the admin log has, parents first.
	Acts(mesh ident.MeshID) []Act
}

// Mesh is one mesh of this node.
type Mesh struct {
	ID   ident.MeshID
	Slug string
	Self ident.PublicKey
}

// Act is one change that somebody signed.
type Act struct {
	ID     ident.ID
	Signer ident.PublicKey
	At     time.Time
	Event  string
	Data   map[string]string
	// Void says that its signer had no right to it, as far as was known when it came
	// here, so that it changed nothing.
	Void bool
}

// Event is something for this node's own chain.
type Event struct {
	// Mesh is zero where it concerns none.
	Mesh ident.MeshID
	// Name is lower-case letters and _: message_sent.
	Name string
	// Actor is the member who did it, zero: this node.
	Actor ident.PublicKey
	// Data has more, under names like Name. Long texts are cut.
	Data map[string]string
}

// Config is what the feature is built from. All fields but Log are needed.
type Config struct {
	DB     *store.DB
	Book   Book
	Meshes Meshes
	Now    func() time.Time
	// Log gets one line per event worth one. Nil discards.
	Log *slog.Logger
	// Rows is how many entries of the own chain are kept; 0: 100,000.
	Rows uint64
}

// Feature is the account that one node keeps. Its methods are safe for concurrent
// use; a nil Feature lists its operations and takes no note of anything.
type Feature struct {
	cfg  Config
	poke chan struct{} // an admin log has grown

	mu      sync.Mutex // guards what follows
	notes   []Event
	dropped uint64 // notes for which there was no room
	refused map[refusal]uint64
	pending map[refusal]*pending
	// received has no reasons in its keys.
	received map[refusal]letters
	watching int           // how many wait for what happens
	grown    chan struct{} // closed and renewed when something was written

	full chan struct{} // there is much to write, or somebody waits for it
}

// New builds the feature. It starts nothing.
func New(cfg Config) *Feature {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Rows == 0 {
		cfg.Rows = maxEntries
	}
	return &Feature{
		cfg: cfg, poke: make(chan struct{}, 1), full: make(chan struct{}, 1),
		refused: make(map[refusal]uint64), received: make(map[refusal]letters), grown: make(chan struct{}),
		pending: make(map[refusal]*pending),
	}
}

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{Query.Bind(f.answerQuery), Log.Bind(f.answerLog), Verify.Bind(f.answerVerify)}
}

// How often what was gathered is written, and what was not written is tried again.
const (
	gather = 2 * time.Second
	retry  = time.Minute
)

// Run writes what is gathered and what the admin logs have, until ctx ends.
func (f *Feature) Run(ctx context.Context) error {
	write, again := time.NewTicker(gather), time.NewTicker(retry)
	defer write.Stop()
	defer again.Stop()
	f.follow(ctx)
	for {
		select {
		case <-ctx.Done():
			// The last notes, if the store still takes them.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), gather)
			defer cancel()
			f.write(last, true)
			return ctx.Err()
		case <-f.poke:
			f.follow(ctx)
		case <-again.C:
			f.follow(ctx)
		case <-write.C:
			f.write(ctx, false)
		case <-f.full:
			f.write(ctx, false)
		}
	}
}
