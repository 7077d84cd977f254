package message

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// benched is a world in real time, without limits on rates and sizes.
func benched(b *testing.B) (w *world, alice, bob *node) {
	w = newWorld(b, b.TempDir(), "alice", "bob")
	fast := delivery.Rate{PerSecond: 1e9, Burst: 1e9}
	w.limits = Limits{SendRate: fast, ReceiveRate: fast, OutboxRows: 1e9, OutboxBytes: 1 << 40}
	w.limits.Inbox.Rows, w.limits.Inbox.Bytes = 1e9, 1<<40
	return w, w.nodes[0], w.nodes[1]
}

// perform calls fn n times from several goroutines and returns how long it took.
func perform(b *testing.B, writers, n int, fn func(i int) error) time.Duration {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range writers {
		all.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := fn(i); err != nil {
					b.Errorf("call %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

// floor is the rate of the bare store: a value of 512 bytes per operation.
func floor(b *testing.B, writers, n int) float64 {
	b.Helper()
	db, err := store.Open(store.Config{Path: filepath.Join(b.TempDir(), "floor.db"), Schema: 1})
	if err != nil {
		b.Fatal(err)
	}
	var over sync.WaitGroup
	over.Go(func() { _ = db.Run(context.Background()) })
	value := make([]byte, 512)
	took := perform(b, writers, n, func(i int) error {
		return db.Update(context.Background(), func(tx *store.Tx) error {
			return tx.Bucket("floor").Put(binary.BigEndian.AppendUint64(nil, uint64(i)), value)
		})
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	over.Wait()
	return float64(n) / took.Seconds()
}

func report(b *testing.B, what string, took time.Duration, bare float64) {
	rate := float64(b.N) / took.Seconds()
	b.ReportMetric(rate, what+"/s")
	b.ReportMetric(bare, "bare/s")
	b.ReportMetric(rate/bare, "ratio")
}

// BenchmarkAccept measures Send for a recipient who is away, beside the bare store.
func BenchmarkAccept(b *testing.B) {
	for _, writers := range []int{1, 100} {
		b.Run(fmt.Sprintf("senders=%d", writers), func(b *testing.B) {
			_, alice, _ := benched(b)
			alice.start()
			defer alice.stop()
			request := SendRequest{To: Targets{"bob"}, Message: strings.Repeat("x", 512)}
			b.ResetTimer()
			took := perform(b, writers, b.N, func(int) error {
				_, err := alice.f.send(context.Background(), op.Caller{User: true}, request)
				return err
			})
			b.StopTimer()
			report(b, "accepted", took, floor(b, writers, b.N))
		})
	}
}

// BenchmarkThrough measures from Send until the receipt is committed, with many
// under way between two nodes, beside the bare store.
func BenchmarkThrough(b *testing.B) {
	for _, window := range []int{1, 100} {
		b.Run(fmt.Sprintf("in-flight=%d", window), func(b *testing.B) {
			w, alice, bob := benched(b)
			bob.sessions[0].Attached = false
			tokens := make(chan struct{}, window)
			w.receipted = func(receipt []byte) {
				for range delivered(receipt) {
					<-tokens
				}
			}
			w.start()
			defer w.stop()
			request := SendRequest{To: Targets{"bob"}, Message: strings.Repeat("x", 512)}
			b.ResetTimer()
			begin := time.Now()
			perform(b, window, b.N, func(int) error {
				tokens <- struct{}{}
				_, err := alice.f.send(context.Background(), op.Caller{User: true}, request)
				return err
			})
			for range window {
				tokens <- struct{}{} // all are back
			}
			took := time.Since(begin)
			b.StopTimer()
			report(b, "delivered", took, floor(b, window, b.N))
			b.ReportMetric(float64(b.N)/float64(alice.sent.Load()), "letters/batch")
		})
	}
}

// delivered counts the messages that a receipt calls delivered.
func delivered(receipt []byte) int {
	n := 0
	if s, err := ident.ParseStatement(receipt, letter.MaxReceipt); err == nil {
		r, _ := letter.DecodeReceipt(s.Body)
		for _, i := range r.Items {
			if i.Outcome == delivery.ODelivered {
				n++
			}
		}
	}
	return n
}
