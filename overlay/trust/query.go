package trust

import (
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Has tells whether an entry is part of the log. One that waits is not.
func (l *Log) Has(id ident.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.graph.Index(id)
	return ok
}

// Get finds an entry that is part of the log.
func (l *Log) Get(id ident.ID) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.graph.Index(id)
	if !ok {
		return Entry{}, false
	}
	return l.entries[i], true
}

// Len is the number of entries.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// Entries are all entries, each after its parents.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Heads are the ids of the entries that are nobody's parent, ascending. Two
// logs with the same heads hold the same entries.
func (l *Log) Heads() []ident.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.graph.Heads()
}

// Missing are those of ids that are not part of the log.
func (l *Log) Missing(ids []ident.ID) []ident.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []ident.ID
	for _, id := range ids {
		if _, ok := l.graph.Index(id); !ok {
			out = append(out, id)
		}
	}
	return out
}

// Wanted are the entries that others wait for, ascending.
func (l *Log) Wanted() []ident.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []ident.ID
	for id := range l.waiting {
		if _, ok := l.pending[id]; !ok {
			out = append(out, id)
		}
	}
	return sorted(out)
}

// Beyond are the entries that somebody lacks who has those with these ids and
// their past, each after its parents. Ids that are not in the log are ignored:
// they say nothing.
func (l *Log) Beyond(ids []ident.ID) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var known []int
	for _, id := range ids {
		if i, ok := l.graph.Index(id); ok {
			known = append(known, i)
		}
	}
	has := l.graph.Join(known)
	var out []Entry
	for i, e := range l.entries {
		if !has.Has(i) {
			out = append(out, e)
		}
	}
	return out
}

// Past are the entries of id's past and then id itself, each after its
// parents; nothing if id is not part of the log.
func (l *Log) Past(id ident.ID) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.graph.Index(id)
	if !ok {
		return nil
	}
	var out []Entry
	for i, e := range l.entries[:at+1] {
		if i == at || l.graph.Before(i, at) {
			out = append(out, e)
		}
	}
	return out
}

// State is what the log says. It is worked out once and kept until the log
// grows; the caller must not change it.
func (l *Log) State() *State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == nil {
		l.state = l.rules.state()
	}
	return l.state
}

// parentsNow are the heads that a new entry names: all, or the deepest
// MaxParents of them if there are more.
func (l *Log) parentsNow() []ident.ID {
	heads := l.Heads()
	if len(heads) <= MaxParents {
		return heads
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(heads, func(a, b ident.ID) int {
		i, _ := l.graph.Index(a)
		j, _ := l.graph.Index(b)
		return l.graph.Compare(j, i)
	})
	return sorted(heads[:MaxParents])
}

// Trial is what the log would say with an entry added that a Sign method made on
// top of it. The log itself stays as it is.
func (l *Log) Trial(e Entry) (*State, error) {
	all := l.Entries()
	other, err := newLog(all[0], l.bare)
	if err != nil {
		return nil, err
	}
	other.mu.Lock()
	for _, old := range append(all[1:], e) { // verified before
		if _, err = other.add(old); err != nil {
			break
		}
	}
	other.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return other.State(), nil
}

// Precedes tells whether a lies in the past of b. Both must be part of the log.
func (l *Log) Precedes(a, b ident.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, okA := l.graph.Index(a)
	j, okB := l.graph.Index(b)
	return okA && okB && l.graph.Before(i, j)
}

// Epochs are the entries that begin an epoch, counted or not, each after its parents.
func (l *Log) Epochs() []ident.ID {
	epochs := l.epochs()
	ids := make([]ident.ID, 0, len(epochs))
	for _, e := range epochs {
		ids = append(ids, e.id)
	}
	return ids
}
