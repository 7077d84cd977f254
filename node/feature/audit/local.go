package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

const (
	bucketAudit   = "audit"
	bucketLocal   = "local"
	bucketRow     = "row"
	bucketSeen    = "seen"
	bucketForked  = "forked"
	bucketRefusal = "refusal"
)

var (
	keyHead   = []byte("head")
	keyAnchor = []byte("anchor")
)

// maxEntries is how many entries of the own chain are kept if nothing else is said.
const maxEntries = 100_000

// maxText is how much of a text in an event is kept, in bytes. One that was cut ends
// with cutMark, which counts.
const (
	maxText = 256
	cutMark = "…"
)

// Write puts an event into this node's own chain, in a commit of the caller's.
func (f *Feature) Write(tx *store.Tx, e Event) error {
	if f == nil {
		return nil
	}
	b := tx.Bucket(bucketAudit, bucketLocal)
	rows := b.Bucket(bucketRow)
	tx.OnCommit(f.grew)
	i, h := place(b.Get(keyHead))
	raw, err := f.entry(e).After(i, h).Encode()
	if err != nil {
		// A fault of ours, which must not keep anybody from what they are doing.
		f.cfg.Log.Error("event not kept", "event", e.Name, "error", err)
		return nil
	}
	if err := rows.Put(number(i+1), raw); err != nil {
		return err
	}
	if err := b.Put(keyHead, mark(i+1, sha256.Sum256(raw))); err != nil || i < f.cfg.Rows {
		return err
	}
	oldest := number(i + 1 - f.cfg.Rows)
	if old := rows.Get(oldest); old != nil {
		if err := b.Put(keyAnchor, mark(i+1-f.cfg.Rows, sha256.Sum256(old))); err != nil {
			return err
		}
	}
	return rows.Delete(oldest)
}

// entry is an event as an entry of the own chain.
func (f *Feature) entry(e Event) chain.Entry {
	out := chain.Entry{Chain: chain.Local, Event: e.Name, At: chain.Moment(f.cfg.Now()), Data: cut(e.Data)}
	if e.Mesh != (ident.MeshID{}) {
		out.Mesh = e.Mesh.String()
	}
	if !e.Actor.IsZero() {
		out.Actor = e.Actor.String()
	}
	return out
}

// cut keeps what there is room for.
func cut(data map[string]string) map[string]string {
	out := maps.Clone(data)
	for name, text := range out {
		if len(text) > maxText {
			text = strings.ToValidUTF8(text[:maxText-len(cutMark)], "") + cutMark
		}
		out[name] = strings.ToValidUTF8(text, "")
	}
	return out
}

// mark is a place in a chain as it is kept.
func mark(i uint64, h chain.Hash) []byte { return append(number(i), h[:]...) }

// place reads what mark wrote; anything else is before the first entry.
func place(b []byte) (i uint64, h chain.Hash) {
	if len(b) != 8+len(h) {
		return 0, h
	}
	copy(h[:], b[8:])
	return binary.BigEndian.Uint64(b), h
}

func number(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
