package record

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Limits of names.
const (
	// MaxKind is how long a collection's name may be, in bytes.
	MaxKind = 32
	// MaxKey is how long a key may be, in bytes.
	MaxKey = 1024
)

// Kind is a collection of records. Its functions must be safe for concurrent use.
type Kind struct {
	// Name is the collection, at most MaxKind bytes of lower-case letters.
	Name string
	// Writes tells whether a member may write a key. It may depend on its arguments and
	// on the member's role alone, so that all nodes agree. Nil: every member, every key.
	Writes func(mesh ident.MeshID, author ident.PublicKey, key string) bool
	// Counts tells whether what a member writes counts in what is shown here: the own
	// member's rule, of which others know nothing. What does not count is stored and
	// passed on, and own writes go beyond its clock. It is called inside transactions
	// and must answer from memory; when it changes, [Book.Rejudge] is to be called.
	// Nil: everybody's does.
	Counts func(mesh ident.MeshID, author ident.PublicKey) bool
	// Check looks at a value. One it refuses is not written here, and from elsewhere it
	// is kept and passed on but never shown. Nil: any value.
	Check func(value []byte) error
	// Fold makes one entry of those that members wrote under one key, deletions among
	// them, one per author and incarnation, in no particular order. It must not depend
	// on the order. Nil: the highest (clock, author) wins, and a deletion that wins
	// shows nothing.
	Fold func([]Entry) (Entry, bool)
	// Most is how many keys may hold a value of one and the same member; 0: any number.
	// This node writes no more. Of a member whose client does, the earliest count, by
	// (clock, slot), at all nodes alike; others' keys are never refused for it.
	Most int
	// Newest has the latest count instead, by (clock, slot), and no own write refused:
	// each one more puts the oldest out of sight.
	Newest bool
	// Changed runs inside the commit that changed what a key shows. It may read and
	// write the store and append feed entries; other effects go through tx.OnCommit. It
	// may run again for the same change when a commit is repeated. An error fails the
	// commit. Nil: nobody needs to know.
	Changed func(tx *store.Tx, c Change) error
	// Followed runs outside any transaction when a mesh was looked at anew because its
	// admin log or the known keys changed, or because it is new here. What other records
	// show since then Changed has told. Nil: nobody needs to know.
	Followed func(mesh ident.MeshID)
}

// Entry is one record, opened, or what several fold into.
type Entry struct {
	Key string
	// Value is nil in a deletion.
	Value []byte
	// Author is the member key of who wrote it.
	Author  ident.PublicKey
	Clock   Clock
	Deleted bool
}

// At is when the entry was written, by mesh time.
func (e Entry) At() time.Time { return e.Clock.Time() }

// Change is a change of what a key shows.
type Change struct {
	Mesh      ident.MeshID
	Kind, Key string
	// Old and New are what the key showed and what it shows; nil: nothing.
	Old, New *Entry
	// Own tells that the record which made the change was written by this node.
	Own bool
	// Fresh tells that it was written at most two minutes ago: news, not history.
	Fresh bool
}

// freshFor is how old a record may be to be news.
const freshFor = 2 * time.Minute

// check reports a kind that cannot be.
func (k Kind) check() error {
	if k.Name == "" || len(k.Name) > MaxKind {
		return fmt.Errorf("%w: a name of %d bytes", ErrKind, len(k.Name))
	}
	for _, c := range []byte(k.Name) {
		if c < 'a' || c > 'z' {
			return fmt.Errorf("%w: the name %q", ErrKind, k.Name)
		}
	}
	return nil
}

// fold is Fold or, without one, the register.
func (k Kind) fold(all []Entry) (Entry, bool) {
	if len(all) == 0 {
		return Entry{}, false
	}
	if k.Fold != nil {
		return k.Fold(all)
	}
	best := highest(all)
	return best, !best.Deleted
}

// highest is the entry with the highest (clock, author).
func highest(all []Entry) Entry {
	best := all[0]
	for _, e := range all[1:] {
		if e.Clock > best.Clock || e.Clock == best.Clock && e.Author.Compare(best.Author) > 0 {
			best = e
		}
	}
	return best
}
