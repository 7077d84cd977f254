package grant

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Buckets of this package, below "grant" / mesh id.
const (
	bucket         = "grant"
	bucketRules    = "rule"
	bucketVerified = "verified"
	bucketTold     = "told"
)

// Config is what the feature is built from. All fields but Changed, Account and Log are needed.
type Config struct {
	DB     *store.DB
	Meshes Meshes
	Mail   Mail
	// Changed is called, without locks held, when whose writes count has changed.
	Changed func(ctx context.Context, mesh ident.MeshID)
	// Account notes a change in the commit that makes it.
	Account func(tx *store.Tx, c Change) error
	Now     func() time.Time
	Log     *slog.Logger
}

// Feature is the grants and marks of one node. Its methods are safe for concurrent use.
// A nil Feature can list its operations.
type Feature struct {
	cfg Config

	// editing orders what is written: a rule is read, changed and written back. It is
	// held across commits, before mu.
	editing sync.Mutex

	mu       sync.Mutex // guards what follows
	rules    map[ident.MeshID]map[ident.PublicKey]rule
	verified map[ident.MeshID]map[ident.PublicKey]mark
}

// everybody is the key under which the default is kept.
var everybody ident.PublicKey

// New reads what is on the store. It starts nothing.
func New(cfg Config) (*Feature, error) {
	if cfg.DB == nil || cfg.Meshes == nil || cfg.Mail == nil || cfg.Now == nil {
		return nil, errConfig
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Feature{
		cfg:   cfg,
		rules: make(map[ident.MeshID]map[ident.PublicKey]rule), verified: make(map[ident.MeshID]map[ident.PublicKey]mark),
	}
	if err := cfg.DB.View(f.load); err != nil {
		return nil, fmt.Errorf("load grants: %w", err)
	}
	return f, nil
}

func (f *Feature) load(tx *store.Tx) error {
	root := tx.Bucket(bucket)
	for _, name := range root.Buckets() {
		mesh, err := ident.ParseMeshID(name)
		if err != nil {
			return fmt.Errorf("mesh %q: %w", name, err)
		}
		if f.rules[mesh], err = read[rule](root.Bucket(name).Bucket(bucketRules)); err != nil {
			return err
		}
		if f.verified[mesh], err = read[mark](root.Bucket(name).Bucket(bucketVerified)); err != nil {
			return err
		}
	}
	return nil
}

// read decodes all values of a bucket whose keys are keys.
func read[V any](b *store.Bucket) (out map[ident.PublicKey]V, err error) {
	out = make(map[ident.PublicKey]V)
	b.Ascend(nil, func(k, raw []byte) bool {
		var v V
		if len(k) != len(ident.PublicKey{}) {
			err = fmt.Errorf("a key of %d bytes", len(k))
		} else if err = json.Unmarshal(raw, &v); err == nil {
			out[ident.PublicKey(k)] = v
		}
		return err == nil
	})
	return out, err
}

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{
		Add.Bind(f.answerAdd), Remove.Bind(f.answerRemove), Block.Bind(f.answerBlock), Unblock.Bind(f.answerUnblock),
		List.Bind(f.answerList), Default.Bind(f.answerDefault), Verify.Bind(f.answerVerify), Mark.Bind(f.answerMark),
	}
}

// May tells whether a principal is let do all of c. It answers from memory and may be
// called inside transactions. The own member may do everything.
func (f *Feature) May(mesh ident.MeshID, self, principal ident.PublicKey, c Cap) bool {
	return principal == self || f.rule(mesh, principal).allows(c)
}

// rule is the one that counts for a principal.
func (f *Feature) rule(mesh ident.MeshID, principal ident.PublicKey) rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.rules[mesh][principal]; ok {
		return r
	}
	if r, ok := f.rules[mesh][everybody]; ok {
		return r
	}
	return untold
}

// Drop forgets, in a commit, all that was said in a mesh.
func (f *Feature) Drop(tx *store.Tx, mesh ident.MeshID) error {
	tx.OnCommit(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.rules, mesh)
		delete(f.verified, mesh)
	})
	return tx.Bucket(bucket).DeleteBucket(mesh.String())
}

// put writes the rule for one principal, nil to forget it, and has mail held that it
// refuses and the one before did not. The caller holds f.editing.
func (f *Feature) put(ctx context.Context, mesh ident.MeshID, peer Member, r *rule) error {
	is, who := untold, peer.Key
	changes := ruled(mesh, peer, f.own(mesh, who), r)
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b := tx.Bucket(bucket, mesh.String(), bucketRules)
		tx.OnCommit(func() { f.set(mesh, who, r) })
		if err := f.account(tx, changes...); err != nil {
			return err
		}
		if r == nil {
			return b.Delete(who[:])
		}
		is = *r
		if err := store.PutJSON(b, who[:], *r); err != nil || who == everybody {
			return err
		}
		direct, many := !is.allows(DM), !is.allows(Broadcast)
		if !direct && !many {
			return nil
		}
		return f.cfg.Mail.Hold(tx, mesh, who, direct, many)
	})
	if err != nil {
		return fmt.Errorf("keep the rule: %w", err)
	}
	f.cfg.Log.Info("grants changed", "mesh", mesh, "principal", who, "capabilities", is.caps.names(), "forgotten", r == nil)
	if f.cfg.Changed != nil {
		f.cfg.Changed(ctx, mesh)
	}
	return nil
}

// own is the rule that was made for a principal, nil if there is none.
func (f *Feature) own(mesh ident.MeshID, who ident.PublicKey) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.rules[mesh][who]; ok {
		return &r
	}
	return nil
}

func (f *Feature) set(mesh ident.MeshID, who ident.PublicKey, r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rules[mesh] == nil {
		f.rules[mesh] = make(map[ident.PublicKey]rule)
	}
	if r == nil {
		delete(f.rules[mesh], who)
		return
	}
	f.rules[mesh][who] = *r
}
