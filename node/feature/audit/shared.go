package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// kind is the collection of the members' chains.
const kind = "audit"

// dataEntry names, in an entry's data, the entry of the admin log that it is about.
const dataEntry = "entry"

// dataMember names, in an entry's data, the member that it is about.
const dataMember = "member"

// Kinds are the records of the feature.
func (f *Feature) Kinds() []record.Kind {
	return []record.Kind{{
		Name: kind, Writes: writes, Fold: fold, Changed: f.changed,
		Check: func(value []byte) error {
			_, _, err := chain.Parse(value)
			return err
		},
	}}
}

// keyOf is where a member's entry is. Keys sort as numbers do.
func keyOf(member ident.PublicKey, i uint64) string { return fmt.Sprintf("%s/%012d", member, i) }

// cutKey reads what keyOf wrote.
func cutKey(key string) (member ident.PublicKey, i uint64, ok bool) {
	who, n, found := strings.Cut(key, "/")
	member, err := ident.ParsePublicKeyHex(who)
	i, numErr := strconv.ParseUint(n, 10, 64)
	return member, i, found && err == nil && numErr == nil && i > 0 && keyOf(member, i) == key
}

// writes: a member's chain is that member's.
func writes(_ ident.MeshID, author ident.PublicKey, key string) bool {
	member, _, ok := cutKey(key)
	return ok && member == author
}

// fold keeps what was written first. That two different entries stand under one number
// is shown as a list of both: no entry begins so. Where nothing is chosen among an
// author's records, none is ever trimmed.
func fold(all []record.Entry) (record.Entry, bool) {
	var first *record.Entry
	for i, e := range all {
		before := first == nil || e.Clock < first.Clock || e.Clock == first.Clock && bytes.Compare(e.Value, first.Value) < 0
		if !e.Deleted && before {
			first = &all[i]
		}
	}
	if first == nil {
		return record.Entry{}, false
	}
	out := *first
	for _, e := range all {
		if !e.Deleted && !bytes.Equal(e.Value, first.Value) {
			out.Value = append(append([]byte{'['}, first.Value...), ']')
		}
	}
	return out, true
}

// unfold is an entry as fold left it, and whether there is another one.
func unfold(value []byte) (entry []byte, forked bool) {
	if len(value) > 1 && value[0] == '[' {
		return value[1 : len(value)-1], true
	}
	return value, false
}

// changed remembers what was first seen under each number, so that nobody can write
// something else there.
func (f *Feature) changed(tx *store.Tx, c record.Change) error {
	member, i, ok := cutKey(c.Key)
	if !ok || c.New == nil {
		return nil
	}
	value, forked := unfold(c.New.Value)
	sum := sha256.Sum256(value)
	at := seenKey(member, i)
	seen := tx.Bucket(bucketAudit, bucketSeen, c.Mesh.String())
	was := seen.Get(at)
	if was == nil {
		if err := seen.Put(at, sum[:]); err != nil {
			return err
		}
	}
	if !forked && (was == nil || bytes.Equal(was, sum[:])) {
		return nil
	}
	marks := tx.Bucket(bucketAudit, bucketForked, c.Mesh.String())
	if marks.Get(at) != nil {
		return nil
	}
	if err := marks.Put(at, []byte{}); err != nil {
		return err
	}
	return f.Write(tx, Event{Mesh: c.Mesh, Actor: member, Name: "audit_forked", Data: map[string]string{"i": strconv.FormatUint(i, 10)}})
}

func seenKey(member ident.PublicKey, i uint64) []byte { return append(member[:], number(i)...) }

// Took puts what others have changed into this node's own chain, in the commit that
// takes it over. What this node's own member changes is in that member's chain. What
// somebody signed without a right to is a refusal.
func (f *Feature) Took(tx *store.Tx, mesh ident.MeshID, self ident.PublicKey, acts []Act) error {
	if f == nil {
		return nil
	}
	for _, a := range acts {
		if a.Signer == self {
			continue
		}
		e := Event{Mesh: mesh, Actor: a.Signer, Name: a.Event, Data: dataOf(a)}
		if a.Void {
			e.Name, e.Data[dataReason], e.Data[dataAct] = eventRefused, reasonNoRight, a.Event
			if err := f.count(tx, map[refusal]uint64{{mesh, a.Signer, reasonNoRight}: 1}); err != nil {
				return err
			}
		}
		if err := f.Write(tx, e); err != nil {
			return err
		}
	}
	return nil
}

// Forget removes what is remembered of a mesh's chains, in the commit that forgets the
// mesh. The own chain stays.
func (f *Feature) Forget(tx *store.Tx, mesh ident.MeshID) error {
	if err := tx.Bucket(bucketAudit, bucketSeen).DeleteBucket(mesh.String()); err != nil {
		return err
	}
	if err := tx.Bucket(bucketAudit, bucketForked).DeleteBucket(mesh.String()); err != nil {
		return err
	}
	return forgetRefusals(tx, mesh)
}

// Follow says that an admin log has grown.
func (f *Feature) Follow() {
	if f != nil {
		wake(f.poke)
	}
}

// follow writes what is missing from the chains of the own members.
func (f *Feature) follow(ctx context.Context) {
	for _, m := range f.cfg.Meshes.List() {
		if err := f.catchUp(ctx, m); err != nil && ctx.Err() == nil {
			// Without the mesh's key, or on a full disk: it is tried again.
			f.cfg.Log.Debug("audit not written", "mesh", m.ID, "error", err)
		}
	}
}

// catchUp writes what one admin log has by the own member and its chain lacks.
func (f *Feature) catchUp(ctx context.Context, m Mesh) error {
	have, err := f.chainOf(m.ID, m.Self)
	if err != nil {
		return err
	}
	var i uint64
	var h chain.Hash
	done := make(map[string]bool)
	for _, l := range have {
		done[about(l.entry.Data)] = true
		i, h = l.i, l.hash // ascending: the last one is the head
	}
	for _, a := range f.cfg.Meshes.Acts(m.ID) {
		if a.Signer != m.Self || done[about(dataOf(a))] {
			continue
		}
		e := chain.Entry{
			Chain: m.Self.String(), Actor: m.Self.String(), Mesh: m.ID.String(), Event: a.Event,
			At: chain.Moment(a.At), Data: cut(dataOf(a)),
		}
		raw, err := e.After(i, h).Encode()
		if err != nil {
			return err
		}
		if _, err := f.cfg.Book.Put(ctx, m.ID, kind, keyOf(m.Self, i+1), raw); err != nil {
			return err
		}
		i, h = i+1, sha256.Sum256(raw)
		f.grew()
	}
	return nil
}

// about tells acts apart: a removal of several members is as many acts of one entry of
// the admin log.
func about(data map[string]string) string { return data[dataEntry] + " " + data[dataMember] }

// dataOf is what an entry says of an act.
func dataOf(a Act) map[string]string {
	out := map[string]string{dataEntry: a.ID.String()}
	for name, value := range a.Data {
		out[name] = value
	}
	return out
}

// link is an entry of a member's chain as it is here.
type link struct {
	i      uint64
	raw    []byte
	hash   chain.Hash
	entry  chain.Entry
	forked bool
}

// chainOf is what is here of a member's chain, ascending.
func (f *Feature) chainOf(mesh ident.MeshID, member ident.PublicKey) ([]link, error) {
	all, err := f.cfg.Book.List(mesh, kind, member.String()+"/")
	if err != nil {
		return nil, err
	}
	return links(all)[member], nil
}

// links sorts entries by their members.
func links(all []record.Entry) map[ident.PublicKey][]link {
	out := make(map[ident.PublicKey][]link)
	for _, e := range all {
		member, i, ok := cutKey(e.Key)
		if !ok {
			continue
		}
		l := link{i: i}
		l.raw, l.forked = unfold(e.Value)
		l.entry, l.hash, _ = chain.Parse(l.raw) // the kind shows nothing else
		out[member] = append(out[member], l)
	}
	return out
}
