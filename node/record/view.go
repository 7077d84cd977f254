package record

import (
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// errSealed says that an epoch's key is not known (yet).
var errSealed = errors.New("record: sealed under a key that is not known")

// open decrypts a record. It fails with errSealed, or for good with ErrText.
func (s *shelf) open(r replica.Record) (text, error) {
	key, ok := s.roster.key(r.Epoch)
	if !ok {
		return text{}, errSealed
	}
	plain, err := seal.BoxOpen(key, replica.AAD(r.Header), r.Sealed())
	if err != nil {
		return text{}, fmt.Errorf("%w: %w", ErrText, err)
	}
	t, err := decodeText(plain, r.Deleted)
	if err != nil {
		return text{}, err
	}
	if s.slot(t.kind, t.key) != r.Slot {
		return text{}, fmt.Errorf("%w: of another slot", ErrText)
	}
	return t, nil
}

// seal encrypts a text under the key of the epoch that a header names.
func (s *shelf) seal(t text, h replica.Header) ([]byte, error) {
	key, ok := s.roster.key(h.Epoch)
	if !ok {
		return nil, errSealed
	}
	return seal.BoxSeal(key, replica.AAD(h), t.encode(h.Deleted))
}

// opened is a record that can be read.
type opened struct {
	replica.Record
	text  text
	entry Entry
}

// read opens the records of a slot. Of those that cannot be read, sealed are waiting
// for a key.
func (s *shelf) read(t *table, slot replica.Slot) (out []opened, sealed []replica.Record, err error) {
	all, err := s.rep.Slot(t, slot)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range all {
		said, err := s.open(r)
		switch {
		case errors.Is(err, errSealed):
			sealed = append(sealed, r)
			continue
		case err != nil:
			continue // of a newer version, or nonsense: kept, and shown by nobody here
		}
		who, known := s.roster.author(r.Log.Author)
		if !known {
			continue
		}
		out = append(out, opened{Record: r, text: said, entry: Entry{
			Key: said.key, Value: said.value, Author: who.member, Clock: r.Clock, Deleted: r.Deleted,
		}})
	}
	return out, sealed, nil
}

// view is what a key shows.
type view struct {
	shown Entry
	shows bool
	// counted are all entries that may be shown by the mesh's rules, deletions among
	// them.
	counted []Entry
}

// judge keeps what may be shown up to a clock, and folds it.
func (s *shelf) judge(k Kind, all []opened, until Clock) view {
	var v view
	var folded []Entry
	for _, o := range all {
		e := o.entry
		if e.Clock > until || !s.allows(k, e) {
			continue
		}
		v.counted = append(v.counted, e)
		if k.Counts == nil || k.Counts(s.id, e.Author) {
			folded = append(folded, e)
		}
	}
	v.shown, v.shows = k.fold(folded)
	return v
}

// allows tells whether a kind lets an entry's author write it, and so.
func (s *shelf) allows(k Kind, e Entry) bool {
	return (k.Writes == nil || k.Writes(s.id, e.Author, e.Key)) && (k.Check == nil || e.Deleted || k.Check(e.Value) == nil)
}

// view reads and judges the records of one key.
func (s *shelf) view(t *table, k Kind, key string, slot replica.Slot) (view, error) {
	all, _, err := s.read(t, slot)
	if err != nil {
		return view{}, fmt.Errorf("read %s %q: %w", k.Name, key, err)
	}
	return s.judge(k, t.index().within(k, slot, all), horizon(s.now())), nil
}
