package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// sample gives a bbolt file with small pages, a tree, inner buckets of both
// kinds, a long value and free pages.
func sample(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bolt.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			inner, err := b.CreateBucketIfNotExists([]byte("inner"))
			if err != nil {
				return err
			}
			for i := range 60 {
				err = errors.Join(err, b.Put(fmt.Appendf(nil, "key-%03d", (round*37+i)%100), make([]byte, 20*round)))
			}
			return errors.Join(err, inner.Put([]byte("k"), []byte("v")), b.Put([]byte("long"), make([]byte, 3000)))
		}))
	}
	content, readErr := os.ReadFile(path)
	if err = errors.Join(err, db.Close(), readErr); err != nil {
		t.Fatal(err)
	}
	return content
}

func look(b []byte) (head, file error) {
	r := bytes.NewReader(b)
	return Head(r, r.Size()), File(r, r.Size())
}

func TestSoundFile(t *testing.T) {
	if head, file := look(sample(t)); head != nil || file != nil {
		t.Errorf("%v, %v", head, file)
	}
}

// No byte of a page in use can be lost without notice, but those of contents,
// of unused room and of the older meta page.
func TestZeroedPagesAreFound(t *testing.T) {
	b := sample(t)
	f, err := open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	free, err := f.free()
	if err != nil {
		t.Fatal(err)
	}
	unused := map[uint64]bool{}
	for _, id := range free {
		unused[id] = true
	}
	for id := uint64(2); id < f.end; id++ {
		p, err := f.page(id)
		if err != nil || unused[id] {
			continue // it overflows from another, or is free
		}
		damaged := bytes.Clone(b)
		clear(damaged[int64(id)*f.pageSize:][:headerSize])
		if _, err := look(damaged); !errors.Is(err, ErrDamaged) {
			t.Errorf("page %d of kind %#x: %v", id, p.flags, err)
		}
	}
}

func TestShortFiles(t *testing.T) {
	b := sample(t)
	f, err := open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(0); n < int64(f.end)*f.pageSize; n += 100 {
		head, file := look(b[:n])
		if !errors.Is(head, ErrDamaged) || !errors.Is(file, ErrDamaged) {
			t.Fatalf("%d bytes: %v, %v", n, head, file)
		}
	}
}

func TestOneMetaPageIsEnough(t *testing.T) {
	for page := range 2 {
		b := sample(t)
		b[page*1024+50]++
		if head, _ := look(b); head != nil {
			t.Errorf("page %d: %v", page, head)
		}
	}
}

var errRead = errors.New("read")

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errRead }

func TestReadErrorsAreNotDamage(t *testing.T) {
	for _, err := range []error{Head(failing{}, 1<<20), File(failing{}, 1<<20)} {
		if !errors.Is(err, errRead) || errors.Is(err, ErrDamaged) {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte{})
	f.Add(make([]byte, 8192))
	f.Fuzz(func(t *testing.T, b []byte) {
		for range 2 {
			if head, file := look(b); file == nil && head != nil {
				t.Errorf("sound, but %v", head)
			}
			if len(b) < headerSize+metaSize {
				return
			}
			b = bytes.Clone(b) // and with a first meta page that is believed
			sum := fnv.New64a()
			_, _ = sum.Write(b[headerSize:][:metaSize-8])
			order.PutUint64(b[headerSize+metaSize-8:], sum.Sum64())
		}
	})
}
