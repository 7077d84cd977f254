package replica

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/records"
	"github.com/claudemesh/claudemesh/store/storetest"
)

// onStore is a Disk on the store.
type onStore struct{ db *store.DB }

func (d onStore) Update(ctx context.Context, fn func(Tx) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error { return fn(records.Open(tx, "mesh")) })
}

func (d onStore) View(fn func(Tx) error) error {
	return d.db.View(func(tx *store.Tx) error { return fn(records.Open(tx, "mesh")) })
}

func openStore(t testing.TB) onStore {
	t.Helper()
	return onStore{storetest.New(t)}
}

// authors are some keys, all of them members.
func authors(n int) ([]ident.PrivateKey, standings) {
	s := standings{}
	var keys []ident.PrivateKey
	for i := range n {
		k := ident.PrivateKeyFromSeed([32]byte{byte(i), 1})
		keys, s[k.Public()] = append(keys, k), Standing{Member: true}
	}
	return keys, s
}

func at(t testing.TB, d Disk, s standings, self ident.PublicKey) *Replica {
	t.Helper()
	r, err := New(Config{Disk: d, Authors: s, Self: self, Inc: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fill writes n records of 200 bytes, each to a slot of its own.
func fill(t testing.TB, r *Replica, key ident.PrivateKey, n int, mark byte) {
	t.Helper()
	for done := 0; done < n; {
		count := min(1000, n-done)
		err := r.cfg.Disk.Update(bg, func(tx Tx) error {
			for i := range count {
				var slot Slot
				binary.BigEndian.PutUint64(slot[:], uint64(done+i)*0x9e3779b97f4a7c15)
				slot[8], slot[9] = mark, key.Public()[0]
				_, err := r.Append(tx, key, Write{Slot: slot, Clock: ClockAt(time.Now()), Seal: func(Header) ([]byte, error) { return make([]byte, 200), nil }})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		done += count
	}
}

// between lets two replicas exchange.
func between(t testing.TB, a, b *Replica) (Result, Result) {
	t.Helper()
	x, y := streams(-1, -1)
	type answer struct {
		res Result
		err error
	}
	done := make(chan answer)
	go func() {
		res, err := b.Exchange(bg, wire.NewConn(y), false)
		y.shut()
		done <- answer{res, err}
	}()
	res, err := a.Exchange(bg, wire.NewConn(x), true)
	x.shut()
	other := <-done
	if err := firstError(err, other.err); err != nil {
		t.Fatal(err)
	}
	return res, other.res
}

// BenchmarkSync prints what it takes a newcomer to get 100,000 records, and two nodes
// with 100,000 records in common to exchange 1,000 different ones, all on real disks.
func BenchmarkSync(b *testing.B) {
	const common, different = 100_000, 1000
	keys, s := authors(10)
	for b.Loop() {
		one, two := openStore(b), openStore(b)
		for _, k := range keys {
			fill(b, at(b, one, s, k.Public()), k, common/len(keys), 0)
		}
		r1, r2 := at(b, one, s, keys[0].Public()), at(b, two, s, keys[1].Public())
		begin := time.Now()
		res, _ := between(b, r2, r1)
		b.ReportMetric(time.Since(begin).Seconds(), "newcomer-s")
		b.ReportMetric(float64(res.BytesCame)/1e6, "newcomer-MB")
		if res.Taken != common {
			b.Fatalf("%d records taken", res.Taken)
		}
		fill(b, r1, keys[0], different/2, 1)
		fill(b, at(b, two, s, keys[2].Public()), keys[2], different/2, 2)
		size := 0
		must(b, one.View(func(tx Tx) error {
			return eachRecord(tx, Log{keys[0].Public(), 1}, uint64(common/len(keys)+1), func(r Record) bool { size += 2 * len(r.Raw()); return true })
		}))
		begin = time.Now()
		x, y := between(b, r2, r1)
		b.ReportMetric(time.Since(begin).Seconds()*1e3, "sync-ms")
		b.ReportMetric(float64(x.BytesSent+x.BytesCame)/float64(size), "bytes/difference")
		if x.Taken+y.Taken != different {
			b.Fatalf("%d and %d records taken", x.Taken, y.Taken)
		}
		begin = time.Now()
		x, _ = between(b, r2, r1)
		b.ReportMetric(time.Since(begin).Seconds()*1e3, "equal-ms")
		b.ReportMetric(float64(x.BytesSent+x.BytesCame), "equal-bytes")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
