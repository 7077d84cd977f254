package records_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/records"
	"github.com/claudemesh/claudemesh/store/records/recordstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is the tables of one mesh in a store that runs.
type disk struct {
	path string
	mesh string
	db   *store.DB
	stop func() error
}

func open(t *testing.T, path, mesh string) *disk {
	t.Helper()
	db, err := store.Open(store.Config{Path: path, Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	d := &disk{path: path, mesh: mesh, db: db}
	d.stop = func() error {
		if ended == nil {
			return nil
		}
		cancel()
		err := errors.Join(<-ended, db.Close())
		ended = nil
		return err
	}
	t.Cleanup(func() { _ = d.stop() })
	return d
}

func (d *disk) Update(ctx context.Context, fn func(recordstest.Tx) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error { return fn(records.Open(tx, d.mesh)) })
}

func (d *disk) View(fn func(recordstest.Tx) error) error {
	return d.db.View(func(tx *store.Tx) error { return fn(records.Open(tx, d.mesh)) })
}

func TestTables(t *testing.T) {
	recordstest.Run(t, func(t *testing.T) (recordstest.Disk, func() recordstest.Disk) {
		d := open(t, filepath.Join(t.TempDir(), "store.db"), "m")
		return d, func() recordstest.Disk {
			if err := d.stop(); err != nil {
				t.Fatal(err)
			}
			d = open(t, d.path, d.mesh)
			return d
		}
	})
}

func TestMeshesAreApartAndCanBeDropped(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "store.db"), "a")
	b := &disk{db: a.db, mesh: "b"}
	put := func(d *disk) error {
		return d.Update(context.Background(), func(tx recordstest.Tx) error { return tx.Put("t", []byte("k"), []byte(d.mesh)) })
	}
	if err := errors.Join(put(a), put(b)); err != nil {
		t.Fatal(err)
	}
	if err := a.db.Update(context.Background(), func(tx *store.Tx) error { return records.Drop(tx, "a") }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d    *disk
		want string
	}{{a, ""}, {b, "b"}} {
		err := c.d.View(func(tx recordstest.Tx) error {
			if got := string(tx.Get("t", []byte("k"))); got != c.want {
				t.Errorf("mesh %s has %q, want %q", c.d.mesh, got, c.want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
