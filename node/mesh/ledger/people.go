package ledger

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// minPrefix is how many hex digits of a key name its member.
const minPrefix = 8

// Names are the names of all who were ever admitted, by member key: the present one
// of members, the last one of others.
func Names(l *trust.Log) map[ident.PublicKey]string {
	names := map[ident.PublicKey]string{}
	for _, e := range l.Entries() {
		if a, ok := e.Body().(*trust.Admit); ok {
			names[a.Claimed.Keys.Member] = a.Name
		}
	}
	for key, m := range l.State().Members {
		names[key] = m.Name
	}
	return names
}

// person is somebody who can be meant.
type person struct {
	key  ident.PublicKey
	name string
}

// FindMember finds a member by name, key, or the first 8 or more hex digits of its
// key. It fails with op.NotFound or op.Ambiguous and says who is there.
func FindMember(l *trust.Log, who string) (ident.PublicKey, error) {
	var people []person
	for key, m := range l.State().Members {
		people = append(people, person{key, m.Name})
	}
	return find(people, who, "member")
}

// FindGone finds somebody who was removed or has left, as FindMember does.
func FindGone(l *trust.Log, who string) (ident.PublicKey, error) {
	names := Names(l)
	var people []person
	for p := range l.State().Gone {
		if name, known := names[ident.PublicKey(p)]; known {
			people = append(people, person{ident.PublicKey(p), name})
		}
	}
	return find(people, who, "person who was removed")
}

func find(people []person, who, kind string) (ident.PublicKey, error) {
	slices.SortFunc(people, func(a, b person) int { return strings.Compare(a.name, b.name) })
	var named, keyed, all []string
	var found ident.PublicKey
	for _, p := range people {
		text := hex.EncodeToString(p.key[:])
		shown := p.name + " (" + text[:16] + ")"
		all = append(all, shown)
		switch {
		case strings.EqualFold(p.name, who):
			named, found = append(named, shown), p.key
		case len(named) == 0 && len(who) >= minPrefix && strings.HasPrefix(text, strings.ToLower(who)):
			keyed, found = append(keyed, shown), p.key
		}
	}
	hits := named
	if len(hits) == 0 {
		hits = keyed
	}
	switch {
	case len(hits) == 1:
		return found, nil
	case len(hits) > 1:
		return found, op.Errorf(op.Ambiguous, "%q is the name of %d people", who, len(hits)).
			WithHint("give the first characters of a key: %s", strings.Join(hits, ", "))
	case len(all) == 0:
		return found, op.Errorf(op.NotFound, "there is no %s %q", op.Word(kind), who).WithHint("there is none at all")
	}
	const most = 20
	if len(all) > most {
		all = append(all[:most], "…")
	}
	return found, op.Errorf(op.NotFound, "there is no %s %q", op.Word(kind), who).WithHint("there are: %s", strings.Join(all, ", "))
}
