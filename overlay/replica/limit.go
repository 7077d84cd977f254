package replica

import "slices"

// maxIncs is how many incarnations of one member are held: the highest. An honest
// author has one, and for a while after a restore two, as each replaces those before.
// Without a bound one member could fill everybody's vectors and disks with logs of
// a record each.
const maxIncs = 8

// admit makes room for the first record of a log. It tells false for an incarnation
// below all that are held; else the lowest of too many is dropped, as if replaced. So
// all who have heard of the same incarnations hold the same.
func (e *edit) admit(l Log) (bool, error) {
	s, err := e.log(l)
	if err != nil || s.count > 0 || !e.r.cfg.Authors.Standing(l.Author).Member {
		return err == nil, err
	}
	held, err := e.incs(l)
	if err != nil || len(held) < maxIncs {
		return err == nil, err
	}
	if l.Inc < held[0] {
		return false, nil
	}
	return true, e.drop(Log{Author: l.Author, Inc: held[0]})
}

// incs are the incarnations of a log's author that are held, ascending, also those
// that came in this transaction.
func (e *edit) incs(l Log) (held []uint64, err error) {
	err = eachLog(e.tx, l.Author[:], func(o Log, s state) bool {
		if mine, ok := e.logs[o]; ok {
			s = *mine
		}
		if s.count > 0 {
			held = append(held, o.Inc)
		}
		return true
	})
	for o, s := range e.logs {
		if o.Author == l.Author && s.count > 0 && !slices.Contains(held, o.Inc) {
			held = append(held, o.Inc)
		}
	}
	slices.Sort(held)
	return held, err
}

// crowded tells whether a log is none that is held, and below as many as may be.
func crowded(tx Tx, l Log) bool {
	k := l.key()
	if tx.Get(tableLog, k[:]) != nil {
		return false
	}
	above := 0
	_ = eachLog(tx, l.Author[:], func(o Log, _ state) bool { // what cannot be read is found elsewhere
		if o.Inc > l.Inc {
			above++
		}
		return true
	})
	return above >= maxIncs
}
