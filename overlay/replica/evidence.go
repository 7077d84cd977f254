package replica

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// keepOld is how long evidence is kept, keepTrim how long an author remembers what
// it trimmed: twice as long, so that old evidence does not bring it back.
const (
	keepOld  = 30 * 24 * time.Hour
	keepTrim = 2 * keepOld
)

// evidence keeps a record that does not stand, unless a later record of the same
// author and slot does: then nothing is lost with it.
func (e *edit) evidence(r Record) error {
	if Reserved(r.Slot) || !e.r.cfg.Authors.Standing(r.Log.Author).takes(r) {
		return nil
	}
	over, err := superseded(e.tx, r)
	if err != nil || over || e.trimmed(r) {
		return err
	}
	return e.stage(r)
}

// stage puts a record to the evidence, if there is room.
func (e *edit) stage(r Record) error {
	key := oldKey(r.Log, r.N, r.hash)
	if e.tx.Get(tableOld, key) != nil {
		return nil
	}
	count := metaKey(metaOld, r.Log.Author[:])
	n := readNumber(e.tx, tableMeta, count)
	if n >= maxOld {
		return nil
	}
	if err := e.tx.Put(tableOld, key, append(millis(e.now), r.raw...)); err != nil {
		return err
	}
	e.foreign = e.foreign || r.Log.Author == e.r.cfg.Self
	return e.tx.Put(tableMeta, count, number(n+1))
}

// unstage removes evidence.
func (e *edit) unstage(key []byte) error {
	if e.tx.Get(tableOld, key) == nil {
		return nil
	}
	count := metaKey(metaOld, key[:32])
	n := readNumber(e.tx, tableMeta, count)
	if err := e.tx.Delete(tableOld, key); err != nil {
		return err
	}
	if n <= 1 {
		return e.tx.Delete(tableMeta, count)
	}
	return e.tx.Put(tableMeta, count, number(n-1))
}

// superseded tells whether a record of the same author and slot that is not earlier
// is live.
func superseded(tx Tx, r Record) (over bool, err error) {
	prefix := append(bytes.Clone(r.Slot[:]), r.Log.Author[:]...)
	eachPrefix(tx, tableSlot, prefix, nil, func(k, v []byte) bool {
		var live Record
		var ok bool
		live, ok, err = recordAt(tx, cutLog(k[32:]), cutNumber(v))
		over = ok && !r.later(live)
		return err == nil && !over
	})
	return over, err
}

// trimmed tells whether r is a record that this node wrote and trimmed.
func (e *edit) trimmed(r Record) bool {
	v := e.tx.Get(tableMeta, metaKey(metaTrim, recKey(r.Log, r.N)))
	return bytes.HasPrefix(v, r.hash[:])
}

// eachOld reads the evidence of one author.
func eachOld(tx Tx, author ident.PublicKey, after []byte, fn func(key []byte, r Record) bool) (err error) {
	eachPrefix(tx, tableOld, author[:], after, func(k, v []byte) bool {
		var r Record
		r, err = stored(v[min(8, len(v)):])
		return err == nil && fn(k, r)
	})
	return err
}

// oldSum is the sum of the hashes of an author's evidence.
func oldSum(tx Tx, author ident.PublicKey) (sum Sum) {
	eachPrefix(tx, tableOld, author[:], nil, func(k, _ []byte) bool {
		sum = sum.plus(Sum(k[logSize+8:]))
		return true
	})
	return sum
}

// Sweep forgets evidence older than 30 days, and what this node remembers of its own
// trims after 60. To be called daily.
func (r *Replica) Sweep(ctx context.Context) error {
	return r.cfg.Disk.Update(ctx, func(tx Tx) error {
		e := r.edit(tx)
		var err error
		tx.Ascend(tableOld, nil, func(k, v []byte) bool {
			if e.age(v) > keepOld {
				err = e.unstage(bytes.Clone(k))
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		for _, kind := range []string{metaTrim, metaSeen} {
			eachPrefix(tx, tableMeta, []byte(kind), nil, func(k, v []byte) bool {
				if e.age(v[max(0, len(v)-8):]) > keepTrim {
					err = tx.Delete(tableMeta, bytes.Clone(k))
				}
				return err == nil
			})
		}
		return err
	})
}

// age is how long ago the time was that v begins with.
func (e *edit) age(v []byte) time.Duration {
	return e.now.Sub(time.UnixMilli(int64(cutNumber(v))))
}

func cutNumber(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
