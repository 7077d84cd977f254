package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Line is one entry in a few words.
type Line struct {
	ID   string `json:"id" jsonschema:"hex"`
	Kind string `json:"kind"`
	By   string `json:"by"`
	At   string `json:"at" jsonschema:"RFC 3339, by the signer's clock"`
	What string `json:"what"`
	// Counts tells whether it is in force now.
	Counts bool `json:"counts"`
}

// Since is from where on entries are meant. The zero value means from the beginning.
type Since struct {
	// Time is by the signer's clock, which a thief sets as it likes.
	Time time.Time
	// Entry: all that is not in its past, and not it itself.
	Entry ident.ID
}

// EntriesBy are the entries of one signer from since on, in the log's order.
func EntriesBy(l *trust.Log, signer ident.PublicKey, since Since) []ident.ID {
	var out []ident.ID
	for _, e := range l.Entries() {
		before := e.Body().Header().Time.Before(since.Time)
		if !since.Entry.IsZero() {
			before = e.ID() == since.Entry || l.Precedes(e.ID(), since.Entry)
		}
		if e.Signer() == signer && !before {
			out = append(out, e.ID())
		}
	}
	return out
}

// FindEntries finds entries of others than the owner by the first 8 or more hex
// digits of an id each.
func FindEntries(l *trust.Log, ids []string) ([]ident.ID, error) {
	var out []ident.ID
	for _, text := range ids {
		id, err := FindEntry(l, text)
		if err != nil {
			return nil, err
		}
		if e, _ := l.Get(id); e.Signer() == l.Owner() {
			return nil, op.Errorf(op.Invalid, "the entry %s is the owner's own", text).WithHint("only entries of others can be struck")
		}
		out = append(out, id)
	}
	return out, nil
}

// FindEntry finds one entry by the first 8 or more hex digits of its id.
func FindEntry(l *trust.Log, text string) (ident.ID, error) {
	return FindID(text, func(yield func(ident.ID) bool) {
		for _, e := range l.Entries() {
			if !yield(e.ID()) {
				return
			}
		}
	})
}

// Describe puts entries into words.
func Describe(l *trust.Log, ids []ident.ID) []Line {
	names, state := Names(l), l.State()
	out := make([]Line, 0, len(ids))
	for _, id := range ids {
		e, ok := l.Get(id)
		if !ok {
			continue
		}
		out = append(out, Line{
			ID: hexOf(id), Kind: string(e.Kind()), By: nameOf(names, e.Signer()), At: stamp(e.Body().Header().Time),
			What: words(e, names), Counts: state.Counted(id),
		})
	}
	return out
}

// words says what an entry does.
func words(e trust.Entry, names map[ident.PublicKey]string) string {
	switch b := e.Body().(type) {
	case *trust.Genesis:
		return "founded " + b.Name
	case *trust.Invite:
		return fmt.Sprintf("invited %d as %s", b.Uses, b.Role)
	case *trust.Uninvite:
		return fmt.Sprintf("ended %d invite(s)", len(b.Invites))
	case *trust.Admit:
		return fmt.Sprintf("admitted %s as %s", b.Name, b.Role)
	case *trust.RoleChange:
		return fmt.Sprintf("made %s %s", nameOf(names, b.Member), b.Role)
	case *trust.Remove:
		var who []string
		for _, t := range b.Targets {
			who = append(who, nameOf(names, ident.PublicKey(t)))
		}
		return "removed " + strings.Join(who, ", ")
	case *trust.Leave:
		return "left"
	case *trust.Epoch:
		return "began a new epoch"
	case *trust.Set:
		return "set " + b.Key
	case *trust.Void:
		return fmt.Sprintf("struck %d entries", len(b.Entries))
	}
	return ""
}

// Changes says in a line each what is different between two states of one mesh.
func Changes(l *trust.Log, before, after *trust.State) []string {
	names := Names(l)
	out := []string{}
	for key := range union(before.Members, after.Members) {
		was, is := before.Role(key), after.Role(key)
		switch name := nameOf(names, key); {
		case was == is:
		case is == trust.RoleNone:
			out = append(out, name+" is no member any more")
		case was == trust.RoleNone:
			out = append(out, fmt.Sprintf("%s is in again, as %s", name, is))
		default:
			out = append(out, fmt.Sprintf("%s is %s instead of %s", name, is, was))
		}
	}
	slices.Sort(out)
	if shut := countOpen(before, after); shut > 0 {
		out = append(out, fmt.Sprintf("%d open invite(s) end", shut))
	}
	if opened := countOpen(after, before); opened > 0 {
		out = append(out, fmt.Sprintf("%d invite(s) are open again", opened))
	}
	for key := range union(before.Settings, after.Settings) {
		if before.Settings[key] != after.Settings[key] {
			out = append(out, fmt.Sprintf("the setting %s changes", key))
		}
	}
	if !after.Clean() {
		out = append(out, "a new epoch key follows")
	}
	return out
}

func union[K comparable, V any](a, b map[K]V) map[K]bool {
	out := make(map[K]bool, len(a))
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// countOpen is how many invites are open in one state and not in the other.
func countOpen(in, not *trust.State) (n int) {
	for id, v := range in.Invites {
		if v.Open() && !open(not, id) {
			n++
		}
	}
	return n
}

// open tells whether a state knows an invite and can admit with it.
func open(s *trust.State, id ident.ID) bool {
	v, ok := s.Invites[id]
	return ok && v.Open()
}
