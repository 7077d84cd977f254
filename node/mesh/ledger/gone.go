package ledger

import (
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Gone is somebody who was removed, or has left.
type Gone struct {
	Name string `json:"name"`
	Key  string `json:"member_key" jsonschema:"hex"`
	// At is when the signer's clock said it was.
	At string `json:"at,omitempty" jsonschema:"RFC 3339"`
	// By names who removed it; empty if it left by itself.
	By    string `json:"by,omitempty"`
	Entry string `json:"entry,omitempty" jsonschema:"id of the removing entry, hex"`
}

// Bans lists who was removed and is still out, by name. Who left is not among them.
func Bans(l *trust.Log) []Gone {
	names := Names(l)
	out := []Gone{}
	for p, g := range l.State().Gone {
		if one, ok := goneOf(l, names, p, g); ok && !g.Left {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Gone) int { return strings.Compare(a.Name+a.Key, b.Name+b.Key) })
	return out
}

// GoneOf says how somebody went who was admitted once and is no member: removed, by
// itself, or with its admission struck. Where no entry says so (whoever admitted it
// had no right to any more) By and Entry are empty.
func GoneOf(l *trust.Log, key ident.PublicKey) Gone {
	names := Names(l)
	if g, ok := l.State().Gone[trust.Principal(key)]; ok {
		if one, ok := goneOf(l, names, trust.Principal(key), g); ok {
			return one
		}
	}
	for _, id := range Strikes(l, key) {
		if e, ok := l.Get(id); ok {
			return From(e, names, key)
		}
	}
	return Gone{Name: nameOf(names, key), Key: key.String()}
}

// Strikes are the entries by which the owner struck the admissions of somebody.
func Strikes(l *trust.Log, key ident.PublicKey) []ident.ID {
	var out []ident.ID
	for _, e := range l.Entries() {
		if Struck(l, e, key) {
			out = append(out, e.ID())
		}
	}
	return out
}

// Struck tells whether an entry strikes an admission of somebody that the log holds.
func Struck(l *trust.Log, e trust.Entry, key ident.PublicKey) bool {
	v, ok := e.Body().(*trust.Void)
	return ok && slices.ContainsFunc(v.Entries, func(id ident.ID) bool {
		struck, known := l.Get(id)
		if !known {
			return false
		}
		a, ok := struck.Body().(*trust.Admit)
		return ok && a.Claimed.Keys.Member == key
	})
}

// goneOf takes the first removal of those that last: several can have removed one
// person at the same time.
func goneOf(l *trust.Log, names map[ident.PublicKey]string, p trust.Principal, g trust.Gone) (Gone, bool) {
	for _, id := range g.Entries {
		e, ok := l.Get(id)
		if _, removed := e.Body().(*trust.Remove); !ok || removed == g.Left {
			continue
		}
		return From(e, names, ident.PublicKey(p)), true
	}
	return Gone{}, false
}

// From describes the removal or leave in an entry, which may be one that the log has
// not taken up.
func From(e trust.Entry, names map[ident.PublicKey]string, who ident.PublicKey) Gone {
	out := Gone{
		Name: nameOf(names, who), Key: who.String(),
		At: stamp(e.Body().Header().Time), Entry: hexOf(e.ID()),
	}
	if e.Signer() != who {
		out.By = nameOf(names, e.Signer())
	}
	return out
}

// nameOf is a name, or the beginning of the key of somebody who has none.
func nameOf(names map[ident.PublicKey]string, key ident.PublicKey) string {
	if name, ok := names[key]; ok {
		return name
	}
	return key.String()[:16]
}

// stamp writes a time as clients read it, or nothing for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
