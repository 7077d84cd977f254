package chain

import "fmt"

// Walk checks entries one after the other. The zero value stands before the first
// entry of a chain.
type Walk struct {
	// I and Hash are those of the last good entry.
	I    uint64
	Hash Hash
}

// Next checks that an encoded entry is the next of a chain, and moves on to it. The
// error says what is wrong; the walk then stays.
func (w *Walk) Next(of string, raw []byte) (Entry, error) {
	e, h, err := Parse(raw)
	switch {
	case err != nil:
		return e, err
	case e.Chain != of:
		return e, fmt.Errorf("%w: of another chain", ErrEntry)
	case e.I != w.I+1:
		return e, fmt.Errorf("%w: number %d follows %d", ErrEntry, e.I, w.I)
	case e.Prev != w.Hash.String():
		return e, fmt.Errorf("%w: what stands before it is not what stood there when it was written", ErrEntry)
	}
	w.I, w.Hash = e.I, h
	return e, nil
}
