package record

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/replica"
)

// Figures of big replicas: small in make test, whole with CLAUDEMESH_LONG=1. They run
// the Books of two nodes over sockets of the machine, with stores on disk. Times are
// printed beside their goals; as other tests may have the machine, only one that is
// out of all proportion fails.

// scale is the size of a figure.
func scale(whole, small int) int {
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		return whole
	}
	return small
}

// fill writes records without the pace of writers, many in one commit.
func (n *node) fill(t *testing.T, count int, key func(i int) string) {
	t.Helper()
	s, err := n.book.shelf(n.w.id())
	n.w.must(err)
	value := []byte(strings.Repeat("v", 100))
	for from := 0; from < count; from += 500 {
		n.w.now = n.w.now.Add(time.Second)
		n.w.must(s.write(t.Context(), func(tb *table) error {
			for i := from; i < min(from+500, count); i++ {
				if _, err := s.put(tb, n.book.kinds["state"], text{kind: "state", key: key(i), value: value}, false); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for len(n.book.news) > 0 {
		<-n.book.news
	}
}

func (n *node) count(t *testing.T) int {
	t.Helper()
	c := 0
	err := n.book.Each(n.w.id(), "state", "", func(Entry) { c++ })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFigureOfManyRecords(t *testing.T) {
	common, different := scale(100_000, 2_000), scale(1_000, 20)
	w, ana, bo := pair(t)
	began := time.Now()
	ana.fill(t, common, func(i int) string { return fmt.Sprintf("key %d", i) })
	t.Logf("%d records of 100 bytes written in %s", common, time.Since(began).Round(time.Millisecond))

	began = time.Now()
	got, bytes, err := meet(bo, ana)
	w.must(err)
	newcomer := time.Since(began)
	t.Logf("a newcomer takes %d records in %s, %d bytes (goal: under 10 s for 100,000)", got.Taken, newcomer.Round(time.Millisecond), bytes)
	if got.Taken != common || newcomer > time.Minute {
		t.Errorf("%d records in %s", got.Taken, newcomer)
	}

	ana.fill(t, different/2, func(i int) string { return fmt.Sprintf("ana %d", i) })
	bo.fill(t, different-different/2, func(i int) string { return fmt.Sprintf("bo %d", i) })
	size := 0
	s, err := ana.book.shelf(w.id())
	w.must(err)
	w.must(s.View(func(tx replica.Tx) error {
		return s.rep.Own(tx, uint64(common)+1, func(r replica.Record) bool {
			size += 2 * len(r.Raw()) // bo's are as long
			return true
		})
	}))
	began = time.Now()
	_, bytes, err = meet(ana, bo)
	w.must(err)
	took := time.Since(began)
	t.Logf("%d common and %d different records: %s, %d bytes, %.2f times the %d bytes that differ (goal: under 2 s, 3 times)",
		common, different, took.Round(time.Millisecond), bytes, float64(bytes)/float64(size), size)
	if took > 20*time.Second || bytes > 3*size {
		t.Errorf("%s and %d bytes for a difference of %d", took, bytes, size)
	}
	if a, b := ana.count(t), bo.count(t); a != common+different || a != b {
		t.Errorf("ana shows %d, bo %d", a, b)
	}

	began = time.Now()
	_, bytes, err = meet(ana, bo)
	w.must(err)
	t.Logf("nothing different: %s, %d bytes", time.Since(began).Round(time.Millisecond), bytes)

	bo.halt()
	began = time.Now()
	bo.start()
	if bo.get("state", "key 7") == "(nothing)" {
		t.Error("a key is missing after a start")
	}
	start := time.Since(began)
	began = time.Now()
	list := bo.count(t)
	t.Logf("with %d records open, start and a first read take %s, a list of all %s", list, start.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if start > 2*time.Second {
		t.Errorf("a start takes %s", start)
	}
}

func TestFigureOfAKeyWrittenOften(t *testing.T) {
	times := scale(1_000_000, 5_000)
	w, ana, bo := pair(t)
	bo.put("state", "k", "of bo")
	w.meet(ana, bo)
	began := time.Now()
	ana.fill(t, times, func(int) string { return "k" })
	took := time.Since(began)
	got, bytes, err := meet(bo, ana)
	w.must(err)
	s, err := bo.book.shelf(w.id())
	w.must(err)
	held := 0
	w.must(s.View(func(tx replica.Tx) error {
		all, err := s.rep.Slot(tx, s.slot("state", "k"))
		held = len(all)
		return err
	}))
	info, err := os.Stat(ana.path)
	w.must(err)
	t.Logf("a key written %d times in %s: %d records held, %d taken by another in %d bytes, the store has %d KiB",
		times, took.Round(time.Millisecond), held, got.Taken, bytes, info.Size()>>10)
	if held != 2 || got.Taken != 1 {
		t.Errorf("%d records held, %d taken", held, got.Taken)
	}
}
