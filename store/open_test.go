package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/store/inspect"
)

func TestConfigIsChecked(t *testing.T) {
	do := func(*Tx) error { return nil }
	for name, cfg := range map[string]Config{
		"no path":         {Schema: 1},
		"no schema":       {Path: "x"},
		"from zero":       {Path: "x", Schema: 2, Migrate: []Migration{{From: 0, Do: do}}},
		"from the newest": {Path: "x", Schema: 2, Migrate: []Migration{{From: 2, Do: do}}},
		"nothing to do":   {Path: "x", Schema: 2, Migrate: []Migration{{From: 1}}},
		"twice":           {Path: "x", Schema: 2, Migrate: []Migration{{From: 1, Do: do}, {From: 1, Do: do}}},
	} {
		if _, err := Open(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	db := open(t, "")
	mode := func() os.FileMode {
		info, err := os.Stat(db.Path())
		must(t, err)
		return info.Mode()
	}
	if mode() != 0o600 {
		t.Errorf("created with mode %v", mode())
	}
	must(t, db.Close())
	must(t, os.Chmod(db.Path(), 0o644))
	open(t, db.Path())
	if mode() != 0o600 {
		t.Errorf("opened with mode %v", mode())
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	db := open(t, "")
	_, err := Open(Config{Path: db.Path(), Schema: 1, LockTimeout: 1})
	wantErr(t, err, ErrLocked)
	if !strings.Contains(err.Error(), db.Path()) {
		t.Errorf("the error does not name the file: %v", err)
	}
	must(t, db.Close())
	open(t, db.Path())
}

// Many open a store that is not there at once: each gets the same one, one
// after the other.
func TestCreatedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	ids := make(chan string)
	for range 8 {
		go func() {
			db, err := Open(Config{Path: path, Schema: 1, LockTimeout: 1 << 36})
			if err != nil {
				t.Error(err)
				ids <- ""
				return
			}
			defer func() { ids <- db.ID() }()
			_ = db.Close()
		}()
	}
	first := <-ids
	for range 7 {
		if id := <-ids; id != first {
			t.Errorf("ids %s and %s", first, id)
		}
	}
	left, _ := filepath.Glob(path + "*")
	if len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func TestLeftoversAreSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b")
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "store.db")
	for _, name := range []string{newSuffix + "1", copySuffix + "2"} {
		must(t, os.WriteFile(path+name, nil, 0o600))
	}
	open(t, path)
	left, err := os.ReadDir(dir)
	if len(left) != 1 || err != nil {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestFolderIsMissing(t *testing.T) {
	_, err := Open(Config{Path: filepath.Join(t.TempDir(), "no", "store.db"), Schema: 1})
	wantErr(t, err, os.ErrNotExist)
}

// full fills a store with enough to have a tree of pages.
func filled(t testing.TB) (path string) {
	db, stop := start(t, "")
	for i := range 4 {
		must(t, db.Update(background, func(tx *Tx) error {
			for j := range 300 {
				_ = tx.Bucket("b", string(rune('a'+i))).Put([]byte{byte(i), byte(j >> 8), byte(j)}, bytes.Repeat([]byte{1}, 10*i+j/10))
				tx.Append(Change{Topic: "t"})
			}
			_ = tx.Bucket("b").Put([]byte("big"), make([]byte, 20_000))
			return nil
		}))
	}
	must(t, stop())
	return db.Path()
}

// use opens a store of unknown soundness and does everything with it. Any
// error will do, but it must end, and must not say that nothing is wrong if
// the structure is damaged.
func use(path string) error {
	db, err := Open(Config{Path: path, Schema: 1})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.Check()
}

func TestBrokenFilesAreRefused(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	must(t, err)
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(i*i>>3 ^ i)
	}
	meta := func(change func(b []byte)) []byte {
		b := bytes.Clone(whole)
		change(b)
		return b
	}
	for name, content := range map[string][]byte{
		"empty":          {},
		"one byte":       {1},
		"text":           []byte("this is not a store\n"),
		"noise":          noise,
		"zeros":          make([]byte, 64<<10),
		"half a page":    whole[:2000],
		"a page":         whole[:4096],
		"two pages":      whole[:8192],
		"three pages":    whole[:3*4096],
		"a quarter":      whole[:len(whole)/4],
		"both metas":     meta(func(b []byte) { b[30]++; b[4096+30]++ }),
		"a tree page":    meta(func(b []byte) { clear(b[10*4096:]) }),
		"all but metas":  meta(func(b []byte) { clear(b[8192:]) }),
		"the page kinds": meta(func(b []byte) { flip(b, 8) }),
		"the counts":     meta(func(b []byte) { flip(b, 10) }),
		"the overflows":  meta(func(b []byte) { flip(b, 13) }),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			must(t, os.WriteFile(path, content, 0o600))
			err := use(path)
			wantErr(t, err, ErrBroken)
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move the file away") {
				t.Errorf("no file or no next step: %v", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, content) {
				t.Error("the file was changed")
			}
			err = use(path)
			wantErr(t, err, ErrBroken) // and not locked
		})
	}
}

// flip changes a byte of the header of each page but the metas.
func flip(b []byte, at int) {
	for p := 2 * 4096; p < len(b); p += 4096 {
		b[p+at] ^= 0xA5
	}
}

func TestOneDamagedMetaPageIsSurvived(t *testing.T) {
	for _, page := range []int{0, 1} {
		path := filled(t)
		b, err := os.ReadFile(path)
		must(t, err)
		b[page*4096+40]++
		must(t, os.WriteFile(path, b, 0o600))
		must(t, use(path))
	}
}

func TestForeignBoltFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	b, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, b.Close())
	_, err = Open(Config{Path: path, Schema: 1})
	wantErr(t, err, ErrBroken)
}

func TestFolderInItsPlace(t *testing.T) {
	if _, err := Open(Config{Path: t.TempDir(), Schema: 1}); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
}

// However a file is damaged: no panic, no hang, and what Check calls sound
// bbolt does too.
func TestDamageIsFoundOrHarmless(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	must(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	rapid.Check(t, func(rt *rapid.T) {
		b, metas := bytes.Clone(whole), false
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			page := 4096 * rapid.IntRange(0, len(b)/4096-1).Draw(rt, "page")
			metas = metas || page < 2*4096
			switch rapid.IntRange(0, 2).Draw(rt, "kind") {
			case 0: // a byte, most likely of a header or the elements
				b[page+rapid.IntRange(0, 200).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
			case 1: // a page in another's place
				copy(b[page:page+4096], whole[4096*rapid.IntRange(0, len(b)/4096-1).Draw(rt, "from"):])
			case 2: // a sector of zeros
				at := page + 512*rapid.IntRange(0, 7).Draw(rt, "sector")
				clear(b[at : at+512])
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			rt.Fatal(err)
		}
		if err := use(path); err != nil {
			if !errors.Is(err, ErrBroken) && !errors.Is(err, ErrNewer) {
				rt.Fatalf("another error: %v", err)
			}
			return
		}
		if metas {
			return // one of them may be anything; bbolt's own check dies of it
		}
		if err := boltCheck(path); err != nil {
			rt.Fatalf("bbolt finds more: %v", err)
		}
	})
}

// boltCheck asks bbolt itself.
func boltCheck(path string) error {
	b, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	var first error
	return errors.Join(b.Update(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			first = errors.Join(first, err)
		}
		return first
	}))
}

func TestNewerStoreIsRefused(t *testing.T) {
	db := open(t, "", func(c *Config) { c.Schema = 3 })
	must(t, db.Close())
	_, err := Open(Config{Path: db.Path(), Schema: 2})
	wantErr(t, err, ErrNewer)
	for _, part := range []string{db.Path(), "format 3", "up to 2"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	open(t, db.Path(), func(c *Config) { c.Schema = 3 })
}

func TestNewerLayoutIsRefused(t *testing.T) {
	db := open(t, "")
	must(t, db.Close())
	b, err := bolt.Open(db.Path(), 0o600, nil)
	must(t, err)
	must(t, b.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Put([]byte(keyLayout), number(layout+1))
	}))
	must(t, b.Close())
	_, err = Open(Config{Path: db.Path(), Schema: 1})
	wantErr(t, err, ErrNewer)
}

// withMigrations opens with schema 3; the steps are called with the
// transaction and leave a trace.
func withMigrations(second func(*Tx) error) func(*Config) {
	return func(c *Config) {
		c.Schema = 3
		c.Migrate = []Migration{
			{From: 2, Do: second},
			{From: 1, Do: func(tx *Tx) error { return set("trace", get1(tx, "trace")+"1")(tx) }},
		}
	}
}

func get1(tx *Tx, key string) string { return string(tx.Bucket("b").Get([]byte(key))) }

func old(t *testing.T) string {
	db, stop := start(t, "")
	must(t, db.Update(background, set("trace", "0")))
	must(t, stop())
	return db.Path()
}

func TestMigration(t *testing.T) {
	path := old(t)
	db, stop := start(t, path, withMigrations(func(tx *Tx) error { return set("trace", get1(tx, "trace")+"2")(tx) }))
	if got := get(t, db, "trace"); got != "012" {
		t.Errorf("trace %q", got)
	}
	must(t, db.Update(background, set("trace", "new")))
	id := db.ID()
	must(t, stop())
	db = open(t, path, func(c *Config) { c.Schema = 3 }) // not again
	if got := get(t, db, "trace"); got != "new" || db.ID() != id {
		t.Errorf("trace %q, id %s", got, db.ID())
	}
	kept := open(t, path+".schema-1")
	if got := get(t, kept, "trace"); got != "0" {
		t.Errorf("the copy's trace is %q", got)
	}
	must(t, kept.Check())
	if info, err := os.Stat(kept.Path()); err != nil || info.Mode() != 0o600 {
		t.Errorf("the copy: %v, %v", info.Mode(), err)
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	for name, step := range map[string]func(*Tx) error{
		"error":  func(*Tx) error { return errTest },
		"panic":  func(*Tx) error { panic(errTest) },
		"ignore": func(tx *Tx) error { _ = tx.Bucket("b").Put(nil, nil); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := old(t)
			cfg := Config{Path: path}
			withMigrations(step)(&cfg)
			_, err := Open(cfg)
			if err == nil || name != "ignore" && !errors.Is(err, errTest) || !strings.Contains(err.Error(), path+".schema-1") {
				t.Errorf("got %v", err)
			}
			if got := get(t, open(t, path), "trace"); got != "0" {
				t.Errorf("trace %q", got)
			}
		})
	}
}

func TestMissingMigration(t *testing.T) {
	path := old(t)
	_, err := Open(Config{Path: path, Schema: 2})
	wantErr(t, err, ErrConfig)
	open(t, path)
}

func TestInspectAgreesWithBolt(t *testing.T) {
	path := filled(t)
	f, err := os.Open(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	for _, look := range []func(io.ReaderAt, int64) error{inspect.Head, inspect.File} {
		must(t, inspected(f, look))
	}
	must(t, boltCheck(path))
}
