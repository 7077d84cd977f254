package records

import "github.com/claudemesh/claudemesh/store"

const bucket = "records"

// Table is the tables of one mesh inside one transaction. It belongs to the
// transaction's goroutine and ends with it.
type Table struct {
	tx   *store.Tx
	mesh string
	open map[string]*store.Bucket // by table
}

// Open gives the tables of a mesh, which is named by its id in text. They are made
// when they are first written to.
func Open(tx *store.Tx, mesh string) *Table {
	return &Table{tx: tx, mesh: mesh, open: make(map[string]*store.Bucket, 4)}
}

// Drop removes everything of a mesh.
func Drop(tx *store.Tx, mesh string) error { return tx.Bucket(bucket).DeleteBucket(mesh) }

// Tx is the transaction the tables are read and written in.
func (t *Table) Tx() *store.Tx { return t.tx }

// Get gives the value of key, nil if there is none.
func (t *Table) Get(table string, key []byte) []byte { return t.table(table).Get(key) }

// Put sets the value of key, both copied. An error fails the transaction.
func (t *Table) Put(table string, key, value []byte) error {
	return t.table(table).Put(key, value)
}

// Delete removes key. A key that is not there is no error.
func (t *Table) Delete(table string, key []byte) error { return t.table(table).Delete(key) }

// Ascend calls fn for each key from the first one ≥ from (nil: all), upwards, until
// it returns false. fn may change the table.
func (t *Table) Ascend(table string, from []byte, fn func(key, value []byte) bool) {
	t.table(table).Ascend(from, fn)
}

func (t *Table) table(name string) *store.Bucket {
	b, ok := t.open[name]
	if !ok {
		b = t.tx.Bucket(bucket, t.mesh, name)
		t.open[name] = b
	}
	return b
}
