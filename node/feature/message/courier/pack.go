package courier

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// maxBatch is about how many bytes of letters are read from disk at once.
const maxBatch = 2 << 20

// batch is what is handed to the post at once.
type batch struct {
	taken   int      // how many of what was due it settles
	letters [][]byte // ascending, a receipt last
	ords    []uint64 // what they are about
	gone    []uint64 // due no more
	receipt ident.ID // the id of the receipt among the letters
	seen    []uint64 // what that one is about
	items   []letter.Item
	size    int
}

// fill takes up what is in the queue behind the window.
func (w *worker) fill() error {
	w.mu.Lock()
	room, last, fresh := w.window.Room(), w.window.Last(), w.fresh
	if room > 0 {
		w.fresh = false
	}
	w.mu.Unlock()
	if room == 0 || !fresh {
		return nil
	}
	var dues []outbox.Due
	err := w.c.cfg.DB.View(func(tx *store.Tx) (err error) {
		dues, err = outbox.In(tx).Queue(w.home, last, room)
		return err
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || len(dues) == room {
		w.fresh = true
	}
	for _, d := range dues {
		w.window.Add(d.Ord)
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
	var b batch
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
	b.receipt = s.ID()
	b.letters = append(b.letters, letter.PackReceipt(s.Marshal()))
	b.ords = append(b.ords, b.seen...)
	return b, nil
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
		}
		for _, l := range w.lanes[ord] {
			heads[l] = ord
		}
	}
	return nil
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
	d, ok, err := box.Due(w.home, ord)
	if err != nil {
		return err
	}
	age := w.c.cfg.Age()
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
	m, ok, err := box.Message(w.home.Mesh, d.ID)
	if err != nil {
		return err
	}
	statement, attest, err := box.Text(w.home.Mesh, d.ID)
	if err != nil {
		return err
	}
	rows, err := box.Rows(w.home.Mesh, d.ID)
	if err != nil {
		return err
	}
	l := letter.Letter{Statement: statement, Attest: attest, Ord: ord, Remaining: d.Deadline - age}
	w.lanes[ord] = w.lanes[ord][:0]
	for _, r := range rows {
		if r.Home == w.home.Member && !r.State.Final() {
			in := lane{r.Address, m.Priority}
			l.Addresses = append(l.Addresses, letter.Address{Index: r.Index, Prev: heads[in]})
			w.lanes[ord] = append(w.lanes[ord], in)
		}
	}
	if !ok || statement == nil || len(l.Addresses) == 0 {
		b.gone = append(b.gone, ord)
		return nil
	}
	slices.SortFunc(l.Addresses, func(x, y letter.Address) int { return x.Index - y.Index })
	packed := l.Pack()
	b.size += len(packed)
	b.letters = append(b.letters, packed)
	b.ords = append(b.ords, ord)
	return nil
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
		w.mu.Unlock()
		if len(ords) < delivery.WindowSize {
			return nil
		}
	}
	return nil
}
