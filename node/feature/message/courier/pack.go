package courier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// saidBytes bounds the receipts for messages from the air in one posted receipt:
// with the news of a whole window they stay below letter.MaxPosted.
const saidBytes = 24 << 10

// maxBatch is about how many bytes of letters are read from disk at once.
const maxBatch = 2 << 20

// batch is what is handed to the post at once.
type batch struct {
	taken   int      // how many of what was due it settles
	letters [][]byte // ascending, a receipt last
	ords    []uint64 // what they are about
	gone    []uint64 // due no more
	receipt ident.ID // the id of the receipt among the letters
	alone   []byte   // a receipt that needs no answer: what it is about came through the air
	seen    []uint64 // what that one is about
	items   []letter.Item
	size    int
	early   map[uint64]Letter // not on disk yet
}

// fill takes up what is in the queue and not in the window.
func (w *worker) fill() error {
	w.mu.Lock()
	look := w.fresh && w.window.Room() > 0
	if look {
		w.fresh = false
	}
	w.mu.Unlock()
	if !look {
		return nil
	}
	var dues []outbox.Due
	err := w.c.cfg.DB.View(func(tx *store.Tx) (err error) {
		dues, err = outbox.In(tx).Queue(w.home, 0, delivery.WindowSize)
		return err
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || len(dues) == delivery.WindowSize {
		w.fresh = true
	}
	for _, d := range dues {
		if w.window.Room() > 0 {
			w.enter(d.Ord)
		}
	}
	return err
}

// forget drops letters that are due no more.
func (w *worker) forget(gone []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ord := range gone {
		w.window.Done(ord)
	}
}

// pack reads what is due from disk and makes letters of it. all are the ords
// unfinished, ascending; due some of them.
func (w *worker) pack(all, due []uint64) (batch, error) {
	w.mu.Lock()
	b := batch{early: maps.Clone(w.early), items: w.takeSaid()}
	w.mu.Unlock()
	err := w.c.cfg.DB.View(func(tx *store.Tx) error {
		return w.load(outbox.In(tx), all, due, &b)
	})
	if err != nil || len(b.items) == 0 {
		return b, err
	}
	self := w.c.cfg.Self(w.home.Mesh)
	s, err := w.c.cfg.Receipt(w.home.Mesh, letter.Receipt{Signer: self, Items: b.items}.Encode())
	if err != nil {
		return b, fmt.Errorf("sign a receipt: %w", err)
	}
	if len(b.seen) == 0 {
		b.alone = s.Marshal()
		return b, nil
	}
	b.receipt = s.ID()
	b.letters = append(b.letters, letter.PackReceipt(s.Marshal()))
	b.ords = append(b.ords, b.seen...)
	return b, nil
}

// takeSaid takes what fits into one receipt beside the news of a window. The caller
// holds w.mu.
func (w *worker) takeSaid() []letter.Item {
	n, size := 0, 0
	for n < len(w.said) && size+w.said[n].Size() <= saidBytes {
		size += w.said[n].Size()
		n++
	}
	items := slices.Clone(w.said[:n])
	w.said = slices.Delete(w.said, 0, n)
	return items
}

// load walks through the window and packs what is due.
func (w *worker) load(box outbox.Box, all, due []uint64, b *batch) error {
	heads := make(map[lane]uint64)
	w.trim(all)
	for _, ord := range all {
		if b.taken < len(due) && due[b.taken] == ord {
			if b.size >= maxBatch {
				return nil
			}
			if err := w.take(box, ord, heads, b); err != nil {
				return err
			}
			b.taken++
		} else if err := w.learn(box, ord, b.early); err != nil {
			return err
		}
		for _, l := range w.lanes[ord] {
			heads[l] = ord
		}
	}
	return nil
}

// learn finds the lines of a letter that was not packed yet: one that goes through
// the air first.
func (w *worker) learn(box outbox.Box, ord uint64, early map[uint64]Letter) error {
	if _, ok := w.lanes[ord]; ok {
		return nil
	}
	if l, ok := early[ord]; ok {
		w.lanes[ord] = l.lanes()
		return nil
	}
	d, ok, err := box.Due(w.home, ord)
	if err != nil || !ok {
		return err
	}
	w.lanes[ord] = nil
	if d.Seen {
		return nil
	}
	l, err := stored(box, d)
	if err == nil && l != nil {
		w.lanes[ord] = l.lanes()
	}
	return err
}

// lanes are the lines a letter belongs to: one per address, or that of the messages
// to many.
func (l Letter) lanes() []lane {
	if l.Many {
		return []lane{{priority: l.Priority}}
	}
	out := make([]lane, len(l.Rows))
	for i, r := range l.Rows {
		out[i] = lane{r.Address, l.Priority}
	}
	return out
}

// trim forgets the lines of letters that are not under way any more.
func (w *worker) trim(all []uint64) {
	if len(w.lanes) < 2*delivery.WindowSize {
		return
	}
	for ord := range w.lanes {
		if _, ok := slices.BinarySearch(all, ord); !ok {
			delete(w.lanes, ord)
		}
	}
}

// take packs one thing that is due.
func (w *worker) take(box outbox.Box, ord uint64, heads map[lane]uint64, b *batch) error {
	age := w.c.cfg.Age()
	if l, ok := b.early[ord]; ok {
		w.add(l, age, heads, b)
		return nil
	}
	d, ok, err := box.Due(w.home, ord)
	if err != nil {
		return err
	}
	if !ok || d.Deadline <= age {
		b.gone = append(b.gone, ord)
		return nil
	}
	if d.Seen {
		b.seen = append(b.seen, ord)
		b.items = append(b.items, letter.Item{
			Origin: w.home.Member, ID: d.ID, Hash: d.Hash,
			Outcome: delivery.OSeen, Addresses: []ident.PublicKey{d.Address},
		})
		return nil
	}
	l, err := stored(box, d)
	if err != nil {
		return err
	}
	if l == nil {
		b.gone = append(b.gone, ord)
		return nil
	}
	w.add(*l, age, heads, b)
	return nil
}

// stored reads a letter from disk. Nil: it is due no more.
func stored(box outbox.Box, d outbox.Due) (*Letter, error) {
	m, ok, err := box.Message(d.Home.Mesh, d.ID)
	if err != nil || !ok {
		return nil, err
	}
	l := Letter{Home: d.Home, Ord: d.Ord, Deadline: d.Deadline, Priority: m.Priority, Many: m.Many}
	if l.Statement, l.Attest, err = box.Text(d.Home.Mesh, d.ID); err != nil || l.Statement == nil {
		return nil, err
	}
	rows, err := box.Rows(d.Home.Mesh, d.ID)
	if err != nil {
		return nil, err
	}
	l.Rows = open(rows, d.Home.Member)
	if len(l.Rows) == 0 {
		return nil, nil
	}
	return &l, nil
}

// open are the rows of a home that are not final, in the order of the message's To.
func open(rows []outbox.Row, home ident.PublicKey) []outbox.Row {
	var out []outbox.Row
	for _, r := range rows {
		if r.Home == home && !r.State.Final() {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y outbox.Row) int { return x.Index - y.Index })
	return out
}

// add packs a letter.
func (w *worker) add(l Letter, age time.Duration, heads map[lane]uint64, b *batch) {
	packed := letter.Letter{Statement: l.Statement, Attest: l.Attest, Ord: l.Ord, Remaining: l.Deadline - age}
	lanes := l.lanes()
	w.lanes[l.Ord] = lanes
	everyone := false
	for i, r := range l.Rows {
		if r.Index < letter.Everyone {
			in := lanes[min(i, len(lanes)-1)]
			packed.Addresses = append(packed.Addresses, letter.Address{Index: r.Index, Prev: heads[in]})
		}
		everyone = everyone || r.Also || r.Index >= letter.Everyone
	}
	if everyone {
		packed.Addresses = append(packed.Addresses, letter.Address{Index: letter.Everyone, Prev: heads[lanes[0]]})
	}
	raw := packed.Pack()
	b.size += len(raw)
	b.letters = append(b.letters, raw)
	b.ords = append(b.ords, l.Ord)
}

// refuse ends everything due at somebody who is no member any more.
func (w *worker) refuse(ctx context.Context) error {
	for ctx.Err() == nil {
		var ords []uint64
		err := w.c.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			box := outbox.In(tx)
			dues, err := box.Queue(w.home, 0, delivery.WindowSize)
			if err != nil {
				return err
			}
			ords = ords[:0]
			for _, d := range dues {
				if err := box.Refuse(d, "is no member of the mesh any more", w.c.cfg.Now()); err != nil {
					return err
				}
				ords = append(ords, d.Ord)
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.fresh = len(ords) == delivery.WindowSize
		for _, ord := range w.window.Ords() {
			w.window.Done(ord)
		}
		w.said = nil
		clear(w.hold)
		w.mu.Unlock()
		if len(ords) < delivery.WindowSize {
			return nil
		}
	}
	return nil
}
