package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// appendAll appends a change per datum, each in a commit of its own.
func appendAll(t testing.TB, db *DB, data ...string) {
	t.Helper()
	for _, d := range data {
		must(t, db.Update(background, func(tx *Tx) error {
			tx.Append(Change{Topic: "t", To: "s-" + d, Data: []byte(d)})
			return nil
		}))
	}
}

// since gives the data after seq; it fails on a reset.
func since(t testing.TB, f *Feed, seq uint64, match func(Change) bool, limit int) (data []string, next uint64) {
	t.Helper()
	changes, next, reset, err := f.Since(seq, match, limit)
	if err != nil || reset {
		t.Fatalf("since %d: reset %v, %v", seq, reset, err)
	}
	for _, c := range changes {
		data = append(data, string(c.Data))
	}
	return data, next
}

func TestFeed(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	clock := func(c *Config) { c.Now = func() time.Time { return at } }
	db, stop := start(t, "", clock)
	f := db.Feed()
	if data, next := since(t, f, 0, nil, 10); data != nil || next != 0 {
		t.Errorf("empty feed: %v, %d", data, next)
	}
	appendAll(t, db, "a", "b", "c")
	changes, next, _, err := f.Since(0, nil, 10)
	must(t, err)
	if c := changes[1]; c.Seq != 2 || !c.At.Equal(at) || c.Topic != "t" || c.To != "s-b" || string(c.Data) != "b" || next != 3 {
		t.Errorf("got %+v, %d", c, next)
	}
	data, next := since(t, f, 0, func(c Change) bool { return c.To != "s-b" }, 1)
	if !slices.Equal(data, []string{"a"}) || next != 1 {
		t.Errorf("filtered: %v, %d", data, next)
	}
	data, next = since(t, f, 0, func(c Change) bool { return c.To == "s-b" }, 2)
	if !slices.Equal(data, []string{"b"}) || next != 3 {
		t.Errorf("filtered: %v, %d", data, next) // c was looked at and is not looked at again
	}
	must(t, stop())
	db, _ = start(t, db.Path(), clock)
	appendAll(t, db, "d")
	if data, next := since(t, db.Feed(), 2, nil, 10); !slices.Equal(data, []string{"c", "d"}) || next != 4 {
		t.Errorf("after reopening: %v, %d", data, next)
	}
}

func TestFeedResets(t *testing.T) {
	db, _ := start(t, "")
	appendAll(t, db, "a", "b")
	f := db.Feed()
	for _, c := range []struct {
		store string
		seq   uint64
		reset bool
	}{{db.ID(), 0, false}, {db.ID(), 2, false}, {db.ID(), 3, true}, {db.ID(), 1 << 63, true}, {db.ID(), 1<<64 - 1, true}, {"other", 1, true}, {"", 0, true}} {
		changes, next, reset, err := f.Resume(c.store, c.seq, nil, 10)
		if err != nil || reset != c.reset || next != 2 || reset && changes != nil {
			t.Errorf("%s:%d: %d changes, next %d, reset %v, %v", c.store, c.seq, len(changes), next, reset, err)
		}
	}
}

func TestFeedOfAFailedOperation(t *testing.T) {
	db, _ := start(t, "")
	wantErr(t, db.Update(background, func(tx *Tx) error { tx.Append(Change{}); return errTest }), errTest)
	appendAll(t, db, "a")
	if last, err := db.Feed().Last(); last != 1 || err != nil {
		t.Errorf("last is %d, %v", last, err)
	}
}

func TestFeedForgetsByAge(t *testing.T) {
	now := time.Now()
	db, _ := start(t, "", func(c *Config) { c.Now = func() time.Time { return now } })
	appendAll(t, db, "a", "b")
	now = now.Add(feedAge / 2)
	appendAll(t, db, "c")
	now = now.Add(feedAge/2 + time.Minute)
	appendAll(t, db, "d")
	if _, next, reset, _ := db.Feed().Since(1, nil, 10); !reset || next != 4 {
		t.Errorf("since 1: next %d, reset %v", next, reset)
	}
	if data, _ := since(t, db.Feed(), 2, nil, 10); !slices.Equal(data, []string{"c", "d"}) {
		t.Errorf("since 2: %v", data)
	}
}

func TestFeedForgetsByNumber(t *testing.T) {
	db, _ := start(t, "")
	appendMany := func(n int) {
		must(t, db.Update(background, func(tx *Tx) error {
			for range n {
				tx.Append(Change{Topic: "t"})
			}
			return nil
		}))
	}
	for range feedSize/1000 + 3 {
		appendMany(1000)
	}
	last, err := db.Feed().Last()
	must(t, err)
	if _, _, reset, _ := db.Feed().Since(last-feedSize, nil, 1); reset {
		t.Error("forgot too much")
	}
	if _, _, reset, _ := db.Feed().Since(last-feedSize-1, nil, 1); !reset {
		t.Error("forgot too little")
	}
	must(t, db.Check())
}

func TestFeedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := start(t, "")
		more := db.Feed().Wait()
		must(t, db.Update(background, set("k", "v")))
		synctest.Wait()
		select {
		case <-more:
			t.Error("woken without a change")
		default:
		}
		appendAll(t, db, "a")
		<-more
	})
}

// Readers that follow the feed with any limit and filter, stopping anywhere
// and going on over restarts, get each change once, in order.
func TestFeedIsCompleteForEveryReader(t *testing.T) {
	dir, count := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		count++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", count))
		db, stop := start(t, path)
		defer func() { _ = stop() }()
		var all []string
		type reader struct {
			seq  uint64
			id   string
			got  []string
			odd  bool
			step int
		}
		readers := make([]reader, 3)
		for i := range readers {
			readers[i] = reader{id: db.ID(), odd: i == 1, step: rapid.IntRange(1, 4).Draw(rt, "limit")}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "n") {
					all = append(all, fmt.Sprint(len(all)))
					appendAll(t, db, all[len(all)-1])
				}
			},
			"read": func(rt *rapid.T) {
				r := &readers[rapid.IntRange(0, 2).Draw(rt, "reader")]
				changes, next, reset, err := db.Feed().Resume(r.id, r.seq, func(c Change) bool { return !r.odd || c.Seq%2 == 1 }, r.step)
				if err != nil || reset {
					rt.Fatalf("reset %v, %v", reset, err)
				}
				for _, c := range changes {
					r.got = append(r.got, string(c.Data))
				}
				r.seq = next
			},
			"restart": func(rt *rapid.T) {
				_ = stop()
				db, stop = start(t, path)
			},
			"": func(rt *rapid.T) {
				for _, r := range readers {
					var want []string
					for i, d := range all[:r.seq] {
						if !r.odd || i%2 == 0 {
							want = append(want, d)
						}
					}
					if !slices.Equal(r.got, want) {
						rt.Fatalf("reader at %d got %v, want %v", r.seq, r.got, want)
					}
				}
			},
		})
	})
}

// A reader in the way the doc comment says misses nothing while others write.
func TestFeedFollowed(t *testing.T) {
	db, _ := start(t, "")
	const total = 200
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range total / 4 {
				appendAll(t, db, "x")
			}
		})
	}
	f, seq, got := db.Feed(), uint64(0), 0
	for got < total {
		more := f.Wait()
		changes, next, reset, err := f.Since(seq, nil, 7)
		if err != nil || reset {
			t.Fatal(reset, err)
		}
		for i, c := range changes {
			if c.Seq != seq+uint64(i)+1 {
				t.Fatalf("got %d after %d", c.Seq, seq)
			}
		}
		seq = next
		if got += len(changes); len(changes) == 0 {
			<-more
		}
	}
	wg.Wait()
}

func FuzzDecodeChange(f *testing.F) {
	f.Add(Change{At: time.UnixMilli(1), Topic: "message", To: "me", Data: []byte("data")}.encode())
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeChange(1, b)
		if err != nil {
			return
		}
		again, err := decodeChange(1, c.encode())
		if err != nil || again.Topic != c.Topic || again.To != c.To || !bytes.Equal(again.Data, c.Data) || !again.At.Equal(c.At) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
