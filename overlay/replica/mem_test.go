package replica

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
)

// memDisk keeps tables in memory. What a transaction wrote is there when Update
// returns nil; a power cut forgets a transaction that was not committed.
type memDisk struct {
	mu     sync.RWMutex // held by Update; read by View
	tables map[string]*memTable
	// cutIn is how many more Updates succeed before the power goes, -1: all. With
	// cutAfter the one in which it goes is on disk though nobody was told.
	cutIn    int
	cutAfter bool
	// What a broken disk does.
	claimsFirst bool // a lost transaction leaves the states of logs behind
	forgets     bool // no evidence is kept
	updates     int  // how many there were
}

type memTable struct {
	keys []string
	vals map[string][]byte
}

var errPower = errors.New("the power went")

func newMemDisk() *memDisk { return &memDisk{tables: map[string]*memTable{}, cutIn: -1} }

// copyOf is the disk as it is.
func (d *memDisk) copyOf() *memDisk {
	c := newMemDisk()
	c.claimsFirst, c.forgets = d.claimsFirst, d.forgets
	for name, t := range d.tables {
		n := &memTable{keys: slices.Clone(t.keys), vals: make(map[string][]byte, len(t.vals))}
		for k, v := range t.vals {
			n.vals[k] = v
		}
		c.tables[name] = n
	}
	return c
}

func (d *memDisk) Update(_ context.Context, fn func(Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.updates++
	if d.cutIn == 0 && !d.cutAfter {
		tx := &memTx{d: d, write: true}
		_ = fn(tx)
		tx.undo(d.claimsFirst)
		return errPower
	}
	if d.cutIn == 0 {
		d.cutAfter = false
		tx := &memTx{d: d, write: true}
		if fn(tx) != nil || tx.err != nil {
			tx.undo(false)
		}
		return errPower
	}
	if d.cutIn > 0 {
		d.cutIn--
	}
	tx := &memTx{d: d, write: true}
	if err := firstError(fn(tx), tx.err); err != nil {
		tx.undo(false)
		return err
	}
	return nil
}

func (d *memDisk) View(fn func(Tx) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return fn(&memTx{d: d})
}

type memTx struct {
	d     *memDisk
	write bool
	err   error
	log   []func()
	names []string
}

func (t *memTx) undo(keepClaims bool) {
	for i := len(t.log) - 1; i >= 0; i-- {
		if keepClaims && t.names[i] == tableLog {
			continue
		}
		t.log[i]()
	}
}

func (t *memTx) table(name string) *memTable {
	tab := t.d.tables[name]
	if tab == nil {
		tab = &memTable{vals: map[string][]byte{}}
		if t.write {
			t.d.tables[name] = tab
		}
	}
	return tab
}

func (t *memTx) Get(table string, key []byte) []byte { return t.table(table).vals[string(key)] }

func (t *memTx) Put(table string, key, value []byte) error {
	if !t.write || len(key) == 0 {
		t.err = errors.New("cannot write")
		return t.err
	}
	if t.d.forgets && table == tableOld {
		return nil
	}
	t.set(table, string(key), append(make([]byte, 0, len(value)), value...))
	return nil
}

func (t *memTx) Delete(table string, key []byte) error {
	if !t.write {
		t.err = errors.New("cannot write")
		return t.err
	}
	t.set(table, string(key), nil)
	return nil
}

func (t *memTx) set(table, key string, value []byte) {
	tab := t.table(table)
	before := tab.vals[key]
	t.log, t.names = append(t.log, func() { tab.set(key, before) }), append(t.names, table)
	tab.set(key, value)
}

func (tab *memTable) set(key string, value []byte) {
	i, found := slices.BinarySearch(tab.keys, key)
	switch {
	case value == nil && found:
		tab.keys = slices.Delete(tab.keys, i, i+1)
	case value != nil && !found:
		tab.keys = slices.Insert(tab.keys, i, key)
	}
	if value == nil {
		delete(tab.vals, key)
		return
	}
	tab.vals[key] = value
}

func (t *memTx) Ascend(table string, from []byte, fn func(k, v []byte) bool) {
	tab := t.table(table)
	i, _ := slices.BinarySearch(tab.keys, string(from))
	for i < len(tab.keys) {
		key := tab.keys[i]
		if !fn([]byte(key), tab.vals[key]) {
			return
		}
		if i < len(tab.keys) && tab.keys[i] == key {
			i++
			continue
		}
		if i, _ = slices.BinarySearch(tab.keys, key); i < len(tab.keys) && tab.keys[i] == key {
			i++
		}
	}
}

// pipe is one direction of a stream: what is written waits to be read. It breaks once
// more than limit bytes were written (-1: never).
type pipe struct {
	mu     sync.Mutex
	wake   *sync.Cond
	buf    bytes.Buffer
	limit  int
	broken bool
}

var errCut = errors.New("connection lost")

func newPipe(limit int) *pipe {
	p := &pipe{limit: limit}
	p.wake = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.wake.Broadcast()
	if p.broken {
		return 0, errCut
	}
	if p.limit >= 0 && len(b) > p.limit {
		p.buf.Write(b[:p.limit])
		p.broken = true
		return p.limit, errCut
	}
	if p.limit >= 0 {
		p.limit -= len(b)
	}
	return p.buf.Write(b)
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.buf.Len() == 0 && !p.broken {
		p.wake.Wait()
	}
	if p.buf.Len() == 0 {
		return 0, errCut
	}
	return p.buf.Read(b)
}

func (p *pipe) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	p.wake.Broadcast()
}

// duplex is one end of a stream.
type duplex struct{ in, out *pipe }

func (d duplex) Read(b []byte) (int, error)  { return d.in.Read(b) }
func (d duplex) Write(b []byte) (int, error) { return d.out.Write(b) }

// streams gives both ends of a stream, of which each direction breaks after so many
// bytes.
func streams(there, back int) (a, b duplex) {
	x, y := newPipe(there), newPipe(back)
	return duplex{in: y, out: x}, duplex{in: x, out: y}
}

// shut ends both directions; what was written can still be read.
func (d duplex) shut() {
	d.in.shut()
	d.out.shut()
}
