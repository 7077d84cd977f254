package store

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	benchValue = 512
	floorTime  = 400 * time.Millisecond
)

// BenchmarkUpdate measures acknowledged operations per second, beside their
// floors, measured in the same run: an append with a sync each, and bbolt with
// a commit each, both by one writer.
func BenchmarkUpdate(b *testing.B) {
	plain, single := appendFloor(b), boltFloor(b)
	b.Logf("floors: append and sync %.0f/s, one bbolt commit each %.0f/s", plain, single)
	for name, key := range map[string]func(uint64) []byte{"rising": rising, "spread": spread} {
		b.Run("keys="+name, func(b *testing.B) { benchUpdate(b, key, plain, single) })
	}
}

// rising and spread are keys that follow one another, and such as hashes are:
// the same in every run.
func rising(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
func spread(i uint64) []byte { return rising(i * 0x9E3779B97F4A7C15) }

func benchUpdate(b *testing.B, key func(uint64) []byte, plain, single float64) {
	for _, writers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db, _ := start(b, "")
			before := commits(b, db)
			began := time.Now()
			b.ResetTimer()
			concurrently(b, writers, func(i uint64) error {
				return db.Update(background, func(tx *Tx) error {
					return tx.Bucket("b").Put(key(i), make([]byte, benchValue))
				})
			})
			b.StopTimer()
			rate := float64(b.N) / time.Since(began).Seconds()
			b.ReportMetric(rate, "acks/s")
			b.ReportMetric(rate/plain, "x-append+sync")
			b.ReportMetric(rate/single, "x-bbolt-commit")
			b.ReportMetric(float64(b.N)/float64(commits(b, db)-before), "ops/commit")
		})
	}
}

// concurrently shares b.N calls among the writers.
func concurrently(b *testing.B, writers int, do func(i uint64) error) {
	var wg sync.WaitGroup
	var next atomic.Uint64
	for range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= uint64(b.N); i = next.Add(1) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// perSecond calls do for a while.
func perSecond(b *testing.B, do func(i uint64) error) float64 {
	b.Helper()
	n, began := 0, time.Now()
	for time.Since(began) < floorTime {
		n++
		must(b, do(uint64(n)))
	}
	return float64(n) / time.Since(began).Seconds()
}

func appendFloor(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	must(b, err)
	defer func() { _ = f.Close() }()
	return perSecond(b, func(uint64) error {
		if _, err := f.Write(make([]byte, benchValue)); err != nil {
			return err
		}
		return f.Sync()
	})
}

func boltFloor(b *testing.B) float64 {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bolt.db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType})
	must(b, err)
	defer func() { _ = db.Close() }()
	return perSecond(b, func(i uint64) error {
		return db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return bucket.Put(rising(i), make([]byte, benchValue))
		})
	})
}

// BenchmarkView measures one read.
func BenchmarkView(b *testing.B) {
	db, _ := start(b, "")
	must(b, db.Update(background, set("k", "v")))
	for b.Loop() {
		_ = db.View(func(tx *Tx) error {
			tx.Bucket("b").Get([]byte("k"))
			return nil
		})
	}
}

// BenchmarkAppend measures feed entries in commits of a hundred, with the
// feed at its limit.
func BenchmarkAppend(b *testing.B) {
	db, _ := start(b, "")
	many := func(n int) {
		must(b, db.Update(background, func(tx *Tx) error {
			for range n {
				tx.Append(Change{Topic: "t", Data: make([]byte, 200)})
			}
			return nil
		}))
	}
	for range feedSize / 1000 {
		many(1000)
	}
	for b.Loop() {
		many(100)
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "entries/s")
}
