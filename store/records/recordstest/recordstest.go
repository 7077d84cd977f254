package recordstest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Tx is one transaction on the tables of one mesh, as overlay/replica asks for it.
type Tx interface {
	Get(table string, key []byte) []byte
	Put(table string, key, value []byte) error
	Delete(table string, key []byte) error
	Ascend(table string, from []byte, fn func(key, value []byte) bool)
}

// Disk runs transactions.
type Disk interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(fn func(Tx) error) error
}

// Run tests the tables that open gives. Each call of open gives empty ones; reopen
// (nil: none) closes what open gave and opens it again.
func Run(t *testing.T, open func(t *testing.T) (d Disk, reopen func() Disk)) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Disk)
	}{
		{"reads what it wrote", readsWrites},
		{"keeps tables apart", tablesApart},
		{"goes up in order", goesUp},
		{"may be changed on the way up", changesOnTheWay},
		{"forgets what failed", forgetsFailed},
		{"writes only in an update", readOnly},
		{"copies what it is given", copies},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, _ := open(t)
			c.test(t, d)
		})
	}
	t.Run("is a sorted map", func(t *testing.T) { sortedMap(t, open) })
}

var errTest = errors.New("on purpose")

func update(t testing.TB, d Disk, fn func(Tx) error) {
	t.Helper()
	if err := d.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, d Disk, table string, keys ...string) {
	t.Helper()
	update(t, d, func(tx Tx) error {
		for _, k := range keys {
			if err := tx.Put(table, []byte(k), []byte("v"+k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// all are the keys and values of a table from a key on.
func all(t testing.TB, d Disk, table string, from []byte) (out []string) {
	t.Helper()
	err := d.View(func(tx Tx) error {
		out = nil
		tx.Ascend(table, from, func(k, v []byte) bool {
			out = append(out, string(k)+"="+string(v))
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func want(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func readsWrites(t *testing.T, d Disk) {
	update(t, d, func(tx Tx) error {
		if v := tx.Get("t", []byte("k")); v != nil {
			t.Errorf("an empty table has %q", v)
		}
		if err := tx.Put("t", []byte("k"), []byte{}); err != nil {
			return err
		}
		if v := tx.Get("t", []byte("k")); v == nil || len(v) > 0 {
			t.Errorf("an empty value reads as %#v inside the transaction", v)
		}
		return tx.Delete("t", []byte("not there"))
	})
	want(t, all(t, d, "t", nil), "k=")
	update(t, d, func(tx Tx) error {
		return errors.Join(tx.Put("t", []byte("k"), []byte("2")), tx.Put("t", []byte("l"), []byte("3")))
	})
	want(t, all(t, d, "t", nil), "k=2", "l=3")
	update(t, d, func(tx Tx) error { return tx.Delete("t", []byte("k")) })
	want(t, all(t, d, "t", nil), "l=3")
}

func tablesApart(t *testing.T, d Disk) {
	put(t, d, "a", "x")
	put(t, d, "b", "y")
	want(t, all(t, d, "a", nil), "x=vx")
	want(t, all(t, d, "b", nil), "y=vy")
	want(t, all(t, d, "c", nil))
}

func goesUp(t *testing.T, d Disk) {
	put(t, d, "t", "b", "a\x00", "a", "ab", "\xff", "\x00")
	want(t, all(t, d, "t", nil), "\x00=v\x00", "a=va", "a\x00=va\x00", "ab=vab", "b=vb", "\xff=v\xff")
	want(t, all(t, d, "t", []byte("a\x01")), "ab=vab", "b=vb", "\xff=v\xff")
	want(t, all(t, d, "t", []byte("\xff\xff")))
	err := d.View(func(tx Tx) error {
		n := 0
		tx.Ascend("t", nil, func(_, _ []byte) bool { n++; return n < 2 })
		if n != 2 {
			t.Errorf("went on to %d keys after it was stopped", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func changesOnTheWay(t *testing.T, d Disk) {
	put(t, d, "t", "a", "b", "c", "d")
	var seen []string
	update(t, d, func(tx Tx) error {
		seen = nil
		var err error
		tx.Ascend("t", nil, func(k, _ []byte) bool {
			seen = append(seen, string(k))
			switch string(k) {
			case "a":
				err = errors.Join(err, tx.Delete("t", []byte("a")), tx.Put("t", []byte("A"), nil))
			case "b":
				err = errors.Join(err, tx.Delete("t", []byte("c")), tx.Put("t", []byte("bb"), nil))
			}
			return true
		})
		return err
	})
	want(t, seen, "a", "b", "bb", "d")
	want(t, all(t, d, "t", nil), "A=", "b=vb", "bb=", "d=vd")
}

func forgetsFailed(t *testing.T, d Disk) {
	put(t, d, "t", "a")
	err := d.Update(context.Background(), func(tx Tx) error {
		_ = tx.Put("t", []byte("b"), nil)
		_ = tx.Delete("t", []byte("a"))
		return errTest
	})
	if !errors.Is(err, errTest) {
		t.Errorf("the transaction's error became %v", err)
	}
	want(t, all(t, d, "t", nil), "a=va")
	err = d.Update(context.Background(), func(tx Tx) error {
		_ = tx.Put("t", []byte("c"), nil)
		_ = tx.Put("t", nil, nil) // there is no empty key
		return nil
	})
	if err == nil {
		t.Error("a transaction in which a write failed was committed")
	}
	want(t, all(t, d, "t", nil), "a=va")
}

func readOnly(t *testing.T, d Disk) {
	put(t, d, "t", "a")
	err := d.View(func(tx Tx) error {
		if tx.Put("t", []byte("b"), nil) == nil || tx.Delete("t", []byte("a")) == nil {
			t.Error("wrote in a view")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, all(t, d, "t", nil), "a=va")
}

func copies(t *testing.T, d Disk) {
	update(t, d, func(tx Tx) error {
		key, value := []byte("k"), []byte("v")
		err := tx.Put("t", key, value)
		key[0], value[0] = 'x', 'x'
		return err
	})
	want(t, all(t, d, "t", nil), "k=v")
}

// sortedMap compares with a map, over transactions of which some fail, and reopening.
func sortedMap(t *testing.T, open func(*testing.T) (Disk, func() Disk)) {
	rapid.Check(t, func(rt *rapid.T) {
		d, reopen := open(t)
		model := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(rt, "transactions") {
			next := maps.Clone(model)
			fail := rapid.IntRange(0, 3).Draw(rt, "fail") == 0
			type change struct {
				key, value string
				put        bool
			}
			changes := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) change {
				return change{rapid.StringMatching(`[a-c]{1,3}`).Draw(rt, "key"), rapid.String().Draw(rt, "value"), rapid.Bool().Draw(rt, "put")}
			}), 0, 12).Draw(rt, "changes")
			err := d.Update(context.Background(), func(tx Tx) error {
				for _, c := range changes {
					if c.put {
						_ = tx.Put("t", []byte(c.key), []byte(c.value))
						next[c.key] = c.value
					} else {
						_ = tx.Delete("t", []byte(c.key))
						delete(next, c.key)
					}
				}
				if fail {
					return errTest
				}
				return nil
			})
			if fail != (err != nil) {
				rt.Fatalf("got error %v", err)
			}
			if !fail {
				model = next
			}
			if reopen != nil && rapid.IntRange(0, 5).Draw(rt, "reopen") == 0 {
				d = reopen()
			}
			from := rapid.StringMatching(`[a-c]{0,2}`).Draw(rt, "from")
			var expect []string
			for _, k := range slices.Sorted(maps.Keys(model)) {
				if k >= from {
					expect = append(expect, k+"="+model[k])
				}
			}
			if got := all(t, d, "t", []byte(from)); !slices.Equal(got, expect) {
				rt.Fatalf("from %q: got %q, want %q", from, got, expect)
			}
		}
	})
}
