package audit

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// thisNode is who did what no member did.
const thisNode = "this node"

// wanted is what entries are chosen by.
type wanted struct {
	mesh   string // id; empty: every one
	since  time.Time
	event  string
	begins bool // event is how it begins
	member string
	names  map[string]map[string]string // names by key, by mesh id
}

func (f *Feature) answerQuery(ctx context.Context, _ op.Caller, in QueryRequest) (QueryResponse, error) {
	f.write(ctx, false) // who asks wants to see what has just happened
	limit := in.Limit
	switch {
	case limit == 0:
		limit = defaultPage
	case limit < 0 || limit > maxPage:
		return QueryResponse{}, op.Errorf(op.Invalid, "a page of %d entries cannot be", in.Limit).WithHint("ask for 1 to %d", maxPage)
	}
	if in.Offset < 0 {
		return QueryResponse{}, op.Errorf(op.Invalid, "the offset cannot be negative").WithHint("begin with 0")
	}
	w, meshes, err := f.wants(in)
	if err != nil {
		return QueryResponse{}, err
	}
	found, err := f.found(w, meshes, in.Offset+limit+1)
	if err != nil {
		return QueryResponse{}, err
	}
	out := QueryResponse{Entries: []Entry{}}
	found = found[min(in.Offset, len(found)):]
	out.More = len(found) > limit
	slugs := make(map[string]string)
	for _, m := range f.cfg.Meshes.List() {
		slugs[m.ID.String()] = m.Slug
	}
	for _, k := range found[:min(limit, len(found))] {
		e := k.shown(w)
		if slug := slugs[e.Mesh]; slug != "" {
			e.Mesh = slug
		}
		out.Entries = append(out.Entries, e)
	}
	out.Refused, out.Refusals, err = f.refusals(w, slugs)
	return out, err
}

// wants reads a request. The meshes are those to be searched.
func (f *Feature) wants(in QueryRequest) (w wanted, meshes []Mesh, err error) {
	meshes = f.cfg.Meshes.List()
	if in.Mesh != "" {
		m, err := f.cfg.Meshes.Find(in.Mesh)
		if err != nil {
			return w, nil, err
		}
		w.mesh, meshes = m.ID.String(), []Mesh{m}
	}
	if in.Since != "" {
		if w.since, err = moment(in.Since, f.cfg.Now()); err != nil {
			return w, nil, err
		}
	}
	w.event, w.begins = strings.CutSuffix(in.Kind, "*")
	w.member = in.Member
	w.names = make(map[string]map[string]string)
	for _, m := range meshes {
		names := make(map[string]string)
		for key, name := range f.cfg.Meshes.Names(m.ID) {
			names[key.String()] = name
		}
		w.names[m.ID.String()] = names
	}
	return w, meshes, nil
}

// moment reads how long ago something was, or when.
func moment(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	days, isDays := strings.CutSuffix(text, "d")
	if isDays {
		text = days + "h"
	}
	ago, err := time.ParseDuration(text)
	if isDays {
		ago *= 24
	}
	if err != nil || ago < 0 {
		return time.Time{}, op.Errorf(op.Invalid, "%q is no time", text).WithHint("use how long ago, as in 2h or 3d, or a time as in 2026-01-02T15:04:05Z")
	}
	return now.Add(-ago), nil
}

// has tells whether an entry is wanted.
func (w wanted) has(e chain.Entry) bool {
	return (w.mesh == "" || e.Mesh == w.mesh) && !e.Time().Before(w.since) &&
		(e.Event == w.event || (w.begins || w.event == "") && strings.HasPrefix(e.Event, w.event)) &&
		(w.member == "" || w.about(e))
}

// refused tells whether refusals are wanted. Those are the newest that there were.
func (w wanted) refused(r refusal, t tally) bool {
	e := chain.Entry{Mesh: r.mesh.String(), At: chain.Moment(t.last), Event: eventRefused}
	if r.mesh == (ident.MeshID{}) {
		e.Mesh = ""
	}
	if !r.who.IsZero() {
		e.Actor = r.who.String()
	}
	return (w.mesh == "" || e.Mesh == w.mesh) && !t.last.Before(w.since) && (w.member == "" || w.about(e))
}

// name is what a member is called in a mesh.
func (w wanted) name(mesh, key string) string {
	if name := w.names[mesh][key]; name != "" {
		return name
	}
	return "member " + key[:16]
}

// about tells whether a member did it, or it was done to one.
func (w wanted) about(e chain.Entry) bool {
	const minPrefix = 8
	names := w.names[e.Mesh]
	is := func(key string) bool {
		return key != "" && (names[key] == w.member || len(w.member) >= minPrefix && strings.HasPrefix(key, w.member))
	}
	if is(e.Actor) || e.Data["name"] == w.member {
		return true
	}
	return is(e.Data[dataMember])
}

// kept is an entry with its hash.
type kept struct {
	chain.Entry
	hash chain.Hash
}

func (k kept) shown(w wanted) Entry {
	name := thisNode
	if k.Actor != "" {
		name = w.name(k.Mesh, k.Actor)
	}
	return Entry{
		Chain: k.Chain, I: k.I, Mesh: k.Mesh, Event: k.Event, Actor: name, Key: k.Actor, Data: k.Data,
		At: k.At, Hash: k.hash.String(), Prev: k.Prev,
	}
}

// found are the newest entries that are wanted, of all chains.
func (f *Feature) found(w wanted, meshes []Mesh, most int) ([]kept, error) {
	var out []kept
	for _, m := range meshes {
		all, err := f.cfg.Book.List(m.ID, kind, "")
		if err != nil {
			return nil, err
		}
		for _, links := range links(all) {
			for _, l := range links {
				if w.has(l.entry) {
					out = append(out, kept{l.entry, l.hash})
				}
			}
		}
	}
	err := f.cfg.DB.View(func(tx *store.Tx) error {
		n := 0
		tx.Bucket(bucketAudit, bucketLocal, bucketRow).Descend(nil, func(_, raw []byte) bool {
			e, h, err := chain.Parse(raw)
			if err == nil && w.has(e) { // audit.verify tells of damaged ones
				out = append(out, kept{e, h})
				n++
			}
			return n < most
		})
		return nil
	})
	slices.SortStableFunc(out, func(a, b kept) int {
		if c := strings.Compare(b.At, a.At); c != 0 || a.Chain != b.Chain {
			return c
		}
		return int(int64(b.I) - int64(a.I))
	})
	return out, err
}

// nameOf is what a member is called.
func nameOf(names map[ident.PublicKey]string, key ident.PublicKey) string {
	if name := names[key]; name != "" {
		return name
	}
	return "member " + key.String()[:16]
}
