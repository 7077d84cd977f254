package replica

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// vector is what a replica claims: an entry for each log of an author that counts,
// ascending.
type vector []claim

func (r *Replica) vector(tx Tx) (v vector, err error) {
	var last ident.PublicKey
	counts, some := false, false
	err = eachLog(tx, nil, func(l Log, s state) bool {
		if !some || l.Author != last {
			last, some = l.Author, true
			counts = r.cfg.Authors.Standing(l.Author).counts()
		}
		if counts && len(v) < maxLogs {
			v = append(v, claim{log: l, m: s.m, sum: [8]byte(s.sum[:8])})
		}
		return true
	})
	return v, err
}

// hash is SHA-256 of the entries as they go over the wire.
func (v vector) hash() [32]byte {
	h := sha256.New()
	var b []byte
	for _, c := range v {
		b = c.append(b[:0])
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// find gives the claim of a log, or the zero one.
func (v vector) find(l Log) claim {
	for lo, hi := 0, len(v); lo < hi; {
		mid := (lo + hi) / 2
		switch c := v[mid].log.Compare(l); {
		case c == 0:
			return v[mid]
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return claim{log: l}
}

// stance is how the logs of an author are to be treated in an exchange.
type stance int

const (
	stranger stance = iota // not taken: unknown, replaced, or one of too many
	theirs                 // a member's: want, then repair
	gone                   // of one that left: what its keep names, by lists
	own                    // the own log: only to be compared
)

func (r *Replica) stance(tx Tx, l Log) stance {
	s := r.cfg.Authors.Standing(l.Author)
	inc, ok := ownInc(tx)
	switch {
	case !s.counts() || floorOf(tx, l.Author) > l.Inc:
		return stranger
	case !s.Member:
		return gone
	case ok && l.Author == r.cfg.Self && l.Inc == inc:
		return own
	case crowded(tx, l):
		return stranger
	}
	return theirs
}

// plan says what to ask for, given the own and the other side's vector: the logs whose
// higher numbers to want, and once those are there the logs to compare by lists.
type plan struct {
	wants []want // what lies above the own m, as much as their authors may have taken now
	lists []Log
}

func (r *Replica) plan(tx Tx, mine, yours vector) plan {
	var p plan
	for _, y := range yours {
		m := mine.find(y.log)
		if m == y {
			continue
		}
		switch r.stance(tx, y.log) {
		case theirs:
			switch {
			case y.m > m.m:
				if most := r.paces.room(y.log.Author); most > 0 {
					p.wants = append(p.wants, want{y.log, m.m, uint64(most)})
				}
			case y.m == m.m:
				p.lists = append(p.lists, y.log)
			}
		case gone:
			p.lists = append(p.lists, y.log)
		case own:
			if y.m >= m.m {
				p.lists = append(p.lists, y.log)
			}
		}
	}
	return p
}

// set is what one side holds of a log at one moment.
type set struct {
	entries []entry
	top     Record // the one of the highest number, verified
}

// readSet reads what is held of a log: of all but the highest record no more than the
// hash is kept.
func readSet(tx Tx, l Log) (s set, err error) {
	k := l.key()
	var last []byte
	eachPrefix(tx, tableRec, k[:], nil, func(_, raw []byte) bool {
		var r Record
		if r, err = parse(raw); err == nil {
			s.entries, last = append(s.entries, entry{r.N, r.hash}), raw
		}
		return err == nil
	})
	if err == nil && last != nil {
		s.top, err = stored(last)
	}
	if err != nil {
		return set{}, fmt.Errorf("%w: a list: %w", ErrTables, err)
	}
	return s, nil
}

// m is the highest number.
func (s set) m() uint64 {
	if len(s.entries) == 0 {
		return 0
	}
	return s.entries[len(s.entries)-1].n
}

// exact tells whether the set is the one its author had after its highest record.
func (s set) exact() bool {
	if len(s.entries) == 0 {
		return false
	}
	last := s.entries[len(s.entries)-1]
	var sum Sum
	for _, e := range s.entries {
		sum = sum.plus(e.hash)
	}
	return s.top.hash == last.hash && s.top.N == last.n && sum == s.top.Digest
}

// remedy is what to do about two sets of one log that differ.
type remedy int

const (
	leave remedy = iota // the other side has to act, or nothing can be done
	take                // theirs is the set
	union               // add what mine lacks
	audit               // the own log: keep what this replica did not write as evidence
)

// repair decides, on the side that asked for the list. Both sides come to decisions
// that end in equal sets.
func repair(how stance, mine, yours set) remedy {
	switch {
	case how == own:
		return audit
	case how == gone:
		return union
	case how != theirs || mine.m() != yours.m():
		return leave
	}
	me, you := mine.exact(), yours.exact()
	switch {
	case me && you:
		if bytes.Compare(yours.top.Digest[:], mine.top.Digest[:]) > 0 {
			return take
		}
		return leave
	case me:
		return leave
	case you:
		return take
	}
	return union
}

// lacks are those of yours that mine does not hold as they are there.
func (s set) lacks(yours set) []entry {
	var out []entry
	i := 0
	for _, y := range yours.entries {
		for i < len(s.entries) && s.entries[i].n < y.n {
			i++
		}
		if i == len(s.entries) || s.entries[i] != y {
			out = append(out, y)
		}
	}
	return out
}
