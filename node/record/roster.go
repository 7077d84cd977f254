package record

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// roster answers for one mesh what the admin log says of authors and epochs. What it
// works out it keeps until the log grows.
type roster struct {
	admin *trust.Log
	ring  *trust.Keyring

	mu      sync.Mutex // guards what follows
	state   *trust.State
	authors map[ident.PublicKey]author
	epochs  map[ident.ID][]ident.ID
	keys    map[ident.ID][32]byte // those that were asked for
}

// author is what the admin log says of a blind key.
type author struct {
	member  ident.PublicKey
	current bool
	role    trust.Role
	keep    *replica.Keep // what still counts of one who is gone; nil: nothing
	keeps   [][32]byte    // the hashes of its lists
}

// print is a hash of all this.
func (a author) print() [32]byte {
	b := append(a.member[:], byte(a.role), 0)
	if a.current {
		b[len(b)-1] = 1
	}
	for _, k := range a.keeps {
		b = append(b, k[:]...)
	}
	return sha256.Sum256(b)
}

// refresh follows the admin log. The caller holds r.mu.
func (r *roster) refresh() {
	state := r.admin.State()
	if state == r.state {
		return
	}
	r.state, r.epochs = state, r.admin.EpochSets()
	r.authors = make(map[ident.PublicKey]author)
	for _, e := range r.admin.Entries() {
		keys, ok := admitted(e.Body())
		if !ok {
			continue
		}
		found, known := r.judge(keys)
		before, had := r.authors[keys.Blind]
		// Two people with one blind key can only be two who share it: the lower key has it.
		if known && (!had || found.current && !before.current || found.current == before.current && found.member.Compare(before.member) < 0) {
			r.authors[keys.Blind] = found
		}
	}
}

// admitted are the keys of whom an entry lets in.
func admitted(body trust.Body) (trust.Keys, bool) {
	switch b := body.(type) {
	case *trust.Genesis:
		return b.Keys, true
	case *trust.Admit:
		return b.Claimed.Keys, true
	}
	return trust.Keys{}, false
}

func (r *roster) judge(keys trust.Keys) (author, bool) {
	if m, ok := r.state.Member(keys.Member); ok {
		return author{member: keys.Member, current: true, role: m.Role}, m.Keys.Blind == keys.Blind
	}
	gone, ok := r.state.Gone[trust.Principal(keys.Member)]
	a := author{member: keys.Member}
	if lists := r.lists(gone); len(lists) > 0 {
		a.keep = replica.NewKeep(lists...)
		for _, list := range lists {
			a.keeps = append(a.keeps, sha256.Sum256(list))
		}
		slices.SortFunc(a.keeps, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	}
	return a, ok
}

// lists are the keep lists that the entries which took somebody out carry.
func (r *roster) lists(gone trust.Gone) [][]byte {
	var out [][]byte
	for _, id := range gone.Entries {
		e, ok := r.admin.Get(id)
		if !ok {
			continue
		}
		for _, list := range e.Lists() {
			if slices.Contains(gone.Keeps, sha256.Sum256(list)) {
				out = append(out, list)
			}
		}
	}
	return out
}

// author finds whose blind key it is.
func (r *roster) author(blind ident.PublicKey) (author, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	a, ok := r.authors[blind]
	return a, ok
}

// prints are hashes of what the admin log says of each author.
func (r *roster) prints() map[ident.PublicKey][32]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	out := make(map[ident.PublicKey][32]byte, len(r.authors))
	for blind, a := range r.authors {
		out[blind] = a.print()
	}
	return out
}

// Standing implements replica.Authors.
func (r *roster) Standing(blind ident.PublicKey) replica.Standing {
	a, _ := r.author(blind)
	return replica.Standing{Member: a.current, Keep: a.keep}
}

// key is what seals the records of an epoch, present or past, if it is known.
func (r *roster) key(epoch ident.ID) ([32]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.keys[epoch]; ok {
		return key, true
	}
	r.refresh()
	heads := r.epochs[epoch]
	if len(heads) == 0 {
		return [32]byte{}, false
	}
	_, effective, err := r.ring.Effective(heads)
	if err != nil {
		return [32]byte{}, false
	}
	key := seal.EpochKey(effective, seal.UseRecord, r.admin.Mesh())
	r.keys[epoch] = key
	return key, true
}

// now is the epoch to write under. It fails with trust.ErrNoKey.
func (r *roster) now() (ident.ID, error) {
	epoch, _, err := r.ring.Effective(r.admin.State().EpochHeads)
	return epoch, err
}
