package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/allowance"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// kind is the collection of shared state.
const kind = "state"

// Config is what the feature is built from. All fields but Grants are needed.
type Config struct {
	DB       *store.DB
	Book     Book
	Sessions Sessions
	Meshes   Meshes
	// Grants is what the own member lets others do. Nil: everything.
	Grants Grants
	// Mono is the monotonic clock.
	Mono func() time.Duration
}

// Feature is the shared state as one node sees it. Its methods are safe for
// concurrent use. A nil Feature can list its operations.
type Feature struct {
	cfg  Config
	poke chan struct{} // something old has come in
	// telling is how many changes are told one by one.
	telling *allowance.Of[teller]

	mu     sync.Mutex // guards what follows
	bursts map[ident.MeshID]*burst
	writes map[ident.MeshID]writers
}

// New builds the feature. It starts nothing.
func New(cfg Config) *Feature {
	return &Feature{
		cfg: cfg, poke: make(chan struct{}, 1),
		bursts: make(map[ident.MeshID]*burst), writes: make(map[ident.MeshID]writers),
		telling: allowance.New[teller](cfg.Mono, tellEvery, tellBurst),
	}
}

// Kinds are the records of the feature.
func (f *Feature) Kinds() []record.Kind {
	return []record.Kind{{Name: kind, Writes: f.mayWrite, Counts: f.counts, Check: check, Changed: f.changed, Most: MaxKeys}}
}

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{
		Set.Bind(f.answerSet), Get.Bind(f.answerGet), List.Bind(f.answerList), Writers.Bind(f.answerWriters),
	}
}

// Keys lists the keys of a mesh, ascending, at most most of them, and says how many
// there are.
func (f *Feature) Keys(mesh ident.MeshID, most int) (keys []string, total int, err error) {
	err = f.cfg.Book.Each(mesh, kind, "", func(e record.Entry) {
		if !f.shows(mesh, e.Author) {
			return
		}
		if total++; total <= most {
			keys = append(keys, e.Key)
		}
	})
	return keys, total, err
}

// counts is the kind's rule about whose writes count here.
func (f *Feature) counts(mesh ident.MeshID, author ident.PublicKey) bool {
	return f.cfg.Grants == nil || f.cfg.Grants.Counts(mesh, author)
}

// shows tells whether what somebody wrote is shown here.
func (f *Feature) shows(mesh ident.MeshID, author ident.PublicKey) bool {
	return f.cfg.Grants == nil || f.cfg.Grants.Shows(mesh, author)
}

func (f *Feature) answerSet(ctx context.Context, c op.Caller, in SetRequest) (SetResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return SetResponse{}, err
	}
	if err := checkKey(in.Key); err != nil {
		return SetResponse{}, err
	}
	value, err := compact(in.Value)
	if err != nil {
		return SetResponse{}, op.Errorf(op.Invalid, "the value is no JSON: %w", err)
	}
	if len(value) > MaxValue {
		return SetResponse{}, op.Errorf(op.TooLarge, "the value of %q has %d bytes of JSON, the limit is %d", in.Key, len(value), MaxValue).
			WithHint("keep state small: put the rest into a file and the file's name into the state")
	}
	if err := f.allow(self); err != nil {
		return SetResponse{}, err
	}
	text := content{value: value, name: self.Name, session: self.Session}
	if op.CheckName(text.name) != nil {
		text.name = "" // of before the rule; its member's name is shown
	}
	e, err := f.cfg.Book.Put(ctx, self.Mesh, kind, in.Key, text.encode())
	if err != nil {
		return SetResponse{}, fmt.Errorf("set %q: %w", in.Key, err)
	}
	return SetResponse{Slug: self.Slug, Value: f.value(self.Mesh, e, text)}, nil
}

// allow refuses a session that may not write, and says which right it lacks.
func (f *Feature) allow(self Self) error {
	if !self.MayWrite {
		return op.Errorf(op.Denied, "the session %s may not write shared state: its member vouches for it without that right", self.Name).
			WithHint("write from another session, or have it opened with the right to write state")
	}
	if w := f.writers(self.Mesh); !w.allows(self.Member) {
		return op.Errorf(op.Denied, "you may not write shared state in %s", self.Slug).
			WithHint("only these may: %s; the owner or an admin changes that with `claudemesh state writers`", f.named(self.Mesh, w))
	}
	return nil
}

func (f *Feature) answerGet(_ context.Context, c op.Caller, in GetRequest) (GetResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return GetResponse{}, err
	}
	if err := checkKey(in.Key); err != nil {
		return GetResponse{}, err
	}
	e, ok, err := f.cfg.Book.Get(self.Mesh, kind, in.Key)
	if err != nil {
		return GetResponse{}, fmt.Errorf("get %q: %w", in.Key, err)
	}
	if !ok {
		return GetResponse{}, op.Errorf(op.NotFound, "the key %q is not set in %s", in.Key, self.Slug).
			WithHint("list_state (`claudemesh state list`) shows the keys there are")
	}
	if !f.shows(self.Mesh, e.Author) {
		return GetResponse{}, op.Errorf(op.NotFound, "the key %q is not shown: you do not let %s be read in shared state", in.Key, f.cfg.Meshes.Author(self.Mesh, e.Author, "")).
			WithHint("the person at this machine can show it: `claudemesh grant %s state-read`", e.Author.String()[:16])
	}
	text, err := decode(e.Value)
	if err != nil {
		return GetResponse{}, fmt.Errorf("get %q: %w", in.Key, err)
	}
	return GetResponse{Slug: self.Slug, Value: f.value(self.Mesh, e, text)}, nil
}

// Bounds of a list.
const (
	maxListed = 500
	// maxInline is the longest value that a list shows.
	maxInline = 4 << 10
	// maxList is how many bytes of values a list shows.
	maxList = 256 << 10
)

func (f *Feature) answerList(_ context.Context, c op.Caller, in ListRequest) (ListResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return ListResponse{}, err
	}
	out := ListResponse{Slug: self.Slug, Entries: []Value{}}
	var failed error
	size := 0
	err = f.cfg.Book.Each(self.Mesh, kind, in.Prefix, func(e record.Entry) {
		if !f.shows(self.Mesh, e.Author) {
			out.Hidden++
			return
		}
		out.Total++
		if failed != nil || out.More || in.After != "" && e.Key <= in.After {
			return
		}
		text, err := decode(e.Value)
		if err != nil {
			failed = fmt.Errorf("%q: %w", e.Key, err)
			return
		}
		v := f.value(self.Mesh, e, text)
		if v.Bytes > maxInline {
			v.JSON = nil
		}
		if size += len(v.JSON) + len(v.Key); len(out.Entries) == maxListed || size > maxList {
			out.More = true
			return
		}
		out.Entries = append(out.Entries, v)
	})
	if err = errors.Join(err, failed); err != nil {
		return ListResponse{}, fmt.Errorf("list state: %w", err)
	}
	return out, nil
}

// value is an entry as clients see it.
func (f *Feature) value(mesh ident.MeshID, e record.Entry, text content) Value {
	return Value{
		Key: e.Key, JSON: text.value, Bytes: len(text.value),
		By: f.cfg.Meshes.Author(mesh, e.Author, text.name), Member: e.Author.String(), At: stamped(e.At()),
	}
}

// stamped writes a time as RFC 3339 to the millisecond.
func stamped(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// event encodes a feed event of a mesh.
func event(to Self, topic string, data any) ([]byte, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", topic, err)
	}
	e, err := json.Marshal(op.Event{Topic: topic, Mesh: to.Mesh.String(), Slug: to.Slug, Data: raw})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", topic, err)
	}
	return e, nil
}
