package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A store is a map of maps, whatever is done in whatever groups, also after
// closing and opening it again.
func TestStoreIsAMap(t *testing.T) {
	dir := t.TempDir()
	count := 0
	rapid.Check(t, func(rt *rapid.T) {
		count++
		path := fmt.Sprintf("%s/%d.db", dir, count)
		db, stop := start(t, path)
		model := map[string]map[string]string{"x": {}, "y": {}}
		var id = db.ID()
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) {
				after := map[string]map[string]string{"x": maps.Clone(model["x"]), "y": maps.Clone(model["y"])}
				fail := rapid.Bool().Draw(rt, "fail")
				err := db.Update(background, func(tx *Tx) error {
					for range rapid.IntRange(1, 5).Draw(rt, "writes") {
						write(rt, tx, after)
					}
					if fail {
						return errTest
					}
					return nil
				})
				if fail != errors.Is(err, errTest) {
					rt.Fatal(err)
				}
				if !fail {
					model = after
				}
			},
			"reopen": func(rt *rapid.T) {
				if err := stop(); err != nil {
					rt.Fatal(err)
				}
				if db, stop = start(t, path); db.ID() != id {
					rt.Fatal("another id")
				}
			},
			"": func(rt *rapid.T) {
				if err := errors.Join(db.View(func(tx *Tx) error { return compare(rt, tx, model) }), db.Check()); err != nil {
					rt.Fatal(err)
				}
			},
		})
		if err := stop(); err != nil {
			rt.Fatal(err)
		}
	})
}

var someKeys = rapid.SampledFrom([]string{"a", "ab", "abc", "b", "ba", "c\xff", "c\xff\xff", "d"})

func write(rt *rapid.T, tx *Tx, model map[string]map[string]string) {
	name := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "bucket")
	key := someKeys.Draw(rt, "key")
	b := tx.Bucket("outer", name)
	if rapid.Bool().Draw(rt, "put") {
		value := strings.Repeat(key, rapid.SampledFrom([]int{0, 1, 100, 3000}).Draw(rt, "size"))
		_ = b.Put([]byte(key), []byte(value))
		model[name][key] = value
		return
	}
	_ = b.Delete([]byte(key))
	delete(model[name], key)
}

func compare(rt *rapid.T, tx *Tx, model map[string]map[string]string) error {
	for name, want := range model {
		b := tx.Bucket("outer", name)
		got := map[string]string{}
		b.Ascend(nil, func(k, v []byte) bool { got[string(k)] = string(v); return true })
		if !maps.Equal(got, want) {
			return fmt.Errorf("%s holds %v, want %v", name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		from := someKeys.Draw(rt, "from")
		var up, down, prefixed, wantUp, wantDown, wantPrefixed []string
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if (b.Get([]byte(k)) == nil) || string(b.Get([]byte(k))) != want[k] {
				return fmt.Errorf("%s: key %q differs", name, k)
			}
			if k >= from {
				wantUp = append(wantUp, k)
			}
			if k <= from {
				wantDown = append([]string{k}, wantDown...)
			}
			if strings.HasPrefix(k, from) {
				wantPrefixed = append(wantPrefixed, k)
			}
		}
		b.Ascend([]byte(from), func(k, _ []byte) bool { up = append(up, string(k)); return true })
		b.Descend([]byte(from), func(k, _ []byte) bool { down = append(down, string(k)); return true })
		b.AscendPrefix([]byte(from), func(k, _ []byte) bool { prefixed = append(prefixed, string(k)); return true })
		if !slices.Equal(up, wantUp) || !slices.Equal(down, wantDown) || !slices.Equal(prefixed, wantPrefixed) {
			return fmt.Errorf("from %q: up %q, down %q, prefixed %q of %q", from, up, down, prefixed, slices.Sorted(maps.Keys(want)))
		}
	}
	return nil
}

// Whatever an iteration changes, it sees each key that was there and stays
// exactly once.
func TestChangingWhileIterating(t *testing.T) {
	db, _ := start(t, "")
	key := func(i int) string { return fmt.Sprintf("%04d", i) }
	must(t, db.Update(background, func(tx *Tx) error {
		for i := range 2000 {
			_ = set(key(i), strings.Repeat("x", 50))(tx)
		}
		return nil
	}))
	for name, each := range map[string]func(*Bucket, func(k, v []byte) bool){
		"up":   func(b *Bucket, fn func(k, v []byte) bool) { b.Ascend(nil, fn) },
		"down": func(b *Bucket, fn func(k, v []byte) bool) { b.Descend(nil, fn) },
	} {
		t.Run(name, func(t *testing.T) {
			_ = db.Update(background, func(tx *Tx) error {
				b := tx.Bucket("b")
				seen := map[string]int{}
				each(b, func(k, _ []byte) bool {
					seen[string(k)]++
					if len(seen)%3 == 0 {
						_ = b.Delete(k)
					}
					if len(seen)%5 == 0 {
						_ = b.Put(append([]byte("-"), k...), []byte("behind"))
					}
					return true
				})
				for i := range 2000 {
					if seen[key(i)] != 1 {
						t.Errorf("key %d seen %d times", i, seen[key(i)])
					}
				}
				return errTest // undo
			})
		})
	}
}

func TestMissingBucketsReadAsEmpty(t *testing.T) {
	db, _ := start(t, "")
	must(t, db.Update(background, set("key", "v")))
	must(t, db.View(func(tx *Tx) error {
		for name, b := range map[string]*Bucket{
			"nil":           nil,
			"missing":       tx.Bucket("no"),
			"inner missing": tx.Bucket("no", "no").Bucket("no"),
			"a key":         tx.Bucket("b", "key"),
			"no name":       tx.Bucket(),
			"reserved":      tx.Bucket(metaBucket),
			"empty name":    tx.Bucket("b", ""),
			"nil inside":    (*Bucket)(nil).Bucket("x"),
		} {
			calls := 0
			count := func(_, _ []byte) bool { calls++; return true }
			b.Ascend(nil, count)
			b.Descend(nil, count)
			b.AscendPrefix(nil, count)
			if b.Exists() || b.Get([]byte("k")) != nil || b.Sequence() != 0 || b.Buckets() != nil || calls > 0 {
				t.Errorf("%s: not empty", name)
			}
			wantErr(t, b.Put([]byte("k"), nil), ErrReadOnly)
			wantErr(t, b.Delete([]byte("k")), ErrReadOnly)
		}
		return nil
	}))
}

func TestViewCannotWrite(t *testing.T) {
	db, _ := start(t, "")
	must(t, db.Update(background, set("k", "v")))
	must(t, db.View(func(tx *Tx) error {
		b := tx.Bucket("b")
		wantErr(t, b.Put([]byte("k"), nil), ErrReadOnly)
		wantErr(t, b.Delete([]byte("k")), ErrReadOnly)
		wantErr(t, tx.Bucket().DeleteBucket("b"), ErrReadOnly)
		wantErr(t, PutJSON(b, []byte("k"), 1), ErrReadOnly)
		if tx.Append(Change{}) != 0 {
			t.Error("appended")
		}
		tx.OnCommit(func() { t.Error("called") })
		return nil
	}))
	wantErr(t, db.View(func(*Tx) error { return errTest }), errTest)
	wantErr(t, db.View(func(*Tx) error { panic(errTest) }), errTest)
	if get(t, db, "k") != "v" {
		t.Error("changed")
	}
}

func TestTransactionIsOver(t *testing.T) {
	db, _ := start(t, "")
	var tx *Tx
	var b *Bucket
	must(t, db.Update(background, func(in *Tx) error {
		tx, b = in, in.Bucket("b")
		return b.Put([]byte("k"), []byte("v"))
	}))
	wantErr(t, b.Put([]byte("k"), nil), ErrEnded)
	wantErr(t, tx.Bucket("b").Put([]byte("k"), nil), ErrEnded)
	if b.Get([]byte("k")) != nil || b.Exists() || tx.Append(Change{}) != 0 {
		t.Error("still works")
	}
	tx.OnCommit(func() { t.Error("called") })
}

func TestBuckets(t *testing.T) {
	db, _ := start(t, "")
	must(t, db.Update(background, func(tx *Tx) error {
		outer := tx.Bucket("outer")
		for _, name := range []string{"c", "a", "b"} {
			_ = outer.Bucket(name).Put([]byte("k"), []byte(name))
		}
		_ = outer.Put([]byte("key"), []byte("v"))
		return errors.Join(outer.DeleteBucket("b"), outer.DeleteBucket("missing"))
	}))
	must(t, db.View(func(tx *Tx) error {
		outer := tx.Bucket("outer")
		if got := outer.Buckets(); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("buckets: %v", got)
		}
		outer.Ascend(nil, func(k, _ []byte) bool {
			if string(k) != "key" {
				t.Errorf("key %q", k)
			}
			return true
		})
		return nil
	}))
	err := db.Update(background, func(tx *Tx) error { return tx.Bucket("outer").DeleteBucket("key") })
	if err == nil {
		t.Error("deleted a key as a bucket")
	}
}

func TestPutCopies(t *testing.T) {
	db, _ := start(t, "")
	must(t, db.Update(background, func(tx *Tx) error {
		k, v := []byte("k1"), []byte("v1")
		_ = tx.Bucket("b").Put(k, v)
		k[1], v[1] = '2', '2'
		_ = tx.Bucket("b").Put(k, v)
		v[1] = 'x'
		return nil
	}))
	if get(t, db, "k1") != "v1" || get(t, db, "k2") != "v2" {
		t.Errorf("got %q and %q", get(t, db, "k1"), get(t, db, "k2"))
	}
}

func TestSequence(t *testing.T) {
	db, _ := start(t, "")
	for want := uint64(1); want < 4; want++ {
		must(t, db.Update(background, func(tx *Tx) error {
			if got := tx.Bucket("b").Sequence(); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
			return nil
		}))
	}
}

func TestJSON(t *testing.T) {
	type thing struct{ A, B int }
	db, _ := start(t, "")
	must(t, db.Update(background, func(tx *Tx) error {
		_ = tx.Bucket("b").Put([]byte("bad"), []byte("{"))
		return PutJSON(tx.Bucket("b"), []byte("k"), thing{1, 2})
	}))
	must(t, db.View(func(tx *Tx) error {
		b := tx.Bucket("b")
		if v, found, err := GetJSON[thing](b, []byte("k")); err != nil || !found || v != (thing{1, 2}) {
			t.Errorf("%v %v %v", v, found, err)
		}
		if v, found, err := GetJSON[thing](b, []byte("no")); err != nil || found || v != (thing{}) {
			t.Errorf("%v %v %v", v, found, err)
		}
		if _, found, err := GetJSON[thing](b, []byte("bad")); err == nil || found {
			t.Error("no error")
		}
		return nil
	}))
	// What cannot be encoded makes the operation fail even if it is ignored.
	if db.Update(background, func(tx *Tx) error { _ = PutJSON(tx.Bucket("b"), []byte("f"), func() {}); return nil }) == nil {
		t.Error("no error")
	}
}
