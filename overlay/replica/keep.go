package replica

import (
	"bytes"
	"context"
	"sort"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// keepSize is the size of an entry of a keep list: log ‖ n ‖ hash.
const keepSize = logSize + 8 + 32

// maxKeep is how many entries a list has at most, so that the admin log takes it.
const maxKeep = MaxLive

// KeepList is the list, for a removal or a leave, of an author's live records: log ‖ n
// ‖ hash of each, ascending; nil if there are none. Its SHA-256 is the keep of the
// admin log, which carries the list along. It has at most 16 MB.
func (r *Replica) KeepList(tx Tx, author ident.PublicKey) (list []byte, err error) {
	eachPrefix(tx, tableRec, author[:], nil, func(k, raw []byte) bool {
		var rec Record
		if rec, err = stored(raw); err == nil {
			list = append(append(list, k...), rec.hash[:]...)
		}
		return err == nil && len(list) < maxKeep*keepSize
	})
	return list, err
}

// Keep is what counts of an author that is gone: the union of some keep lists. The
// zero value is empty. It is immutable.
type Keep struct{ lists [][]byte }

// NewKeep makes a Keep of lists that KeepList made; with none it is empty. A list
// that KeepList would not write counts for nothing, alike everywhere. The lists are
// used as they are, not copied.
func NewKeep(lists ...[]byte) *Keep {
	k := &Keep{}
	for _, l := range lists {
		if len(l)%keepSize == 0 && len(l) <= maxKeep*keepSize && ascending(l) {
			k.lists = append(k.lists, l)
		}
	}
	return k
}

func ascending(list []byte) bool {
	for i := keepSize; i < len(list); i += keepSize {
		if bytes.Compare(list[i-keepSize:i], list[i:i+keepSize]) >= 0 {
			return false
		}
	}
	return true
}

// Has tells whether a record counts.
func (k *Keep) Has(log Log, n uint64, hash Sum) bool {
	want := oldKey(log, n, hash)
	for _, l := range k.lists {
		count := len(l) / keepSize
		i := sort.Search(count, func(i int) bool { return bytes.Compare(l[i*keepSize:(i+1)*keepSize], want) >= 0 })
		if i < count && bytes.Equal(l[i*keepSize:(i+1)*keepSize], want) {
			return true
		}
	}
	return false
}

// Restand judges all logs anew after the admin log changed: of authors that are gone
// it drops what their keep does not name. Logs of authors that are unknown again stay
// on disk and are neither claimed nor given to anybody.
func (r *Replica) Restand(ctx context.Context) error {
	return r.cfg.Disk.Update(ctx, func(tx Tx) error {
		e := r.edit(tx)
		var logs []Log
		err := eachLog(tx, nil, func(l Log, _ state) bool {
			if s := r.cfg.Authors.Standing(l.Author); !s.Member && s.Keep != nil {
				logs = append(logs, l)
			}
			return true
		})
		if err != nil {
			return err
		}
		for _, l := range logs {
			if err := e.dropUnkept(l); err != nil {
				return err
			}
		}
		return e.finish()
	})
}

func (e *edit) dropUnkept(l Log) error {
	keep := e.r.cfg.Authors.Standing(l.Author)
	var failed error
	dropped := false
	err := eachRecord(e.tx, l, 0, func(r Record) bool {
		if !keep.takes(r) {
			failed, dropped = e.remove(r), true
		}
		return failed == nil
	})
	if err != nil || failed != nil {
		return firstError(err, failed)
	}
	if !dropped {
		return nil
	}
	return e.recount(l)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
