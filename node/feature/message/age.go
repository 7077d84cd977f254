package message

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/shelf"
	"github.com/claudemesh/claudemesh/store"
)

const (
	// ageStart is the age of a new store: never zero, which means "none".
	ageStart = time.Hour
	// ageStop is how much a stop of the node counts at most.
	ageStop = 24 * time.Hour
	// ageSave is how often the age is written down. What is lost when the node is
	// killed comes back from the wall clock, as part of the stop.
	ageSave = 10 * time.Minute
)

// age is the clock that durations count on: how long the node has run on this
// store, a stop counting as a day at most. No wall clock can turn it back or far
// ahead.
type age struct {
	base  time.Duration
	start time.Duration
	mono  func() time.Duration
}

// loadAge reads the age that was written down last.
func loadAge(db *store.DB, now time.Time, mono func() time.Duration) (*age, error) {
	a := &age{base: ageStart, start: mono(), mono: mono}
	err := db.View(func(tx *store.Tx) error {
		v := shelf.In(tx, shelf.Age).Get(nil)
		if len(v) != 16 {
			return nil
		}
		a.base = time.Duration(binary.BigEndian.Uint64(v))
		stopped := now.UnixMilli() - int64(binary.BigEndian.Uint64(v[8:]))
		a.base += min(max(time.Duration(stopped)*time.Millisecond, 0), ageStop)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the age of the store: %w", err)
	}
	return a, nil
}

// now is the age.
func (a *age) now() time.Duration { return a.base + a.mono() - a.start }

// save writes the age down.
func (a *age) save(tx *store.Tx, now time.Time) error {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(a.now()))
	v = binary.BigEndian.AppendUint64(v, uint64(max(0, now.UnixMilli())))
	return shelf.In(tx, shelf.Age).Put(nil, v)
}
