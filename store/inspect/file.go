package inspect

import (
	"bytes"
	"fmt"
	"io"
)

// File checks the whole structure: every page belongs to exactly one place or
// is free, keys ascend, everything lies where it may. Nobody may write
// meanwhile.
func File(r io.ReaderAt, size int64) error {
	f, err := open(r, size)
	if err != nil {
		return err
	}
	for i := range uint64(2) {
		if m, err := readMeta(r, int64(i)*f.pageSize); err == nil && m.id != i {
			return fmt.Errorf("%w: meta page %d says it is %d", ErrDamaged, i, m.id)
		}
	}
	w := walk{file: f, used: make([]bool, f.end)}
	w.used[0], w.used[1] = true, true
	free, err := f.free()
	if err != nil {
		return err
	}
	list, err := f.page(f.freelist)
	if err != nil {
		return err
	}
	if err := w.use(list.id, list.overflow); err != nil {
		return err
	}
	for _, id := range free {
		if err := w.use(id, 0); err != nil {
			return err
		}
	}
	if err := w.tree(f.root); err != nil {
		return err
	}
	for id, used := range w.used {
		if !used {
			return fmt.Errorf("%w: page %d is neither used nor free", ErrDamaged, id)
		}
	}
	return nil
}

// walk goes through the pages and remembers which it has seen.
type walk struct {
	*file
	used []bool
}

// use notes that a page and those overflowing from it have their place.
func (w *walk) use(id, overflow uint64) error {
	for n := id; n <= id+overflow; n++ {
		if w.used[n] {
			return fmt.Errorf("%w: page %d has two places", ErrDamaged, n)
		}
		w.used[n] = true
	}
	return nil
}

// tree checks the bucket whose root is page id.
func (w *walk) tree(id uint64) error {
	return w.visit(id, &keys{})
}

// keys is where a bucket's keys have come to.
type keys struct {
	last []byte
	any  bool
	min  []byte // what the branches above promise of the next key
}

// next checks that key follows the one before it.
func (k *keys) next(id uint64, key []byte) error {
	if k.any && bytes.Compare(k.last, key) >= 0 || bytes.Compare(key, k.min) < 0 {
		return fmt.Errorf("%w: keys out of order in page %d", ErrDamaged, id)
	}
	k.last, k.any = key, true
	return nil
}

// visit checks page id and all below it.
func (w *walk) visit(id uint64, k *keys) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if err := w.use(id, p.overflow); err != nil {
		return err
	}
	switch p.flags {
	case flagLeaf:
		return w.leaf(p, k)
	case flagBranch:
		return w.branch(p, k)
	}
	return fmt.Errorf("%w: page %d is of kind %#x", ErrDamaged, id, p.flags)
}

func (w *walk) branch(p page, k *keys) error {
	if p.count == 0 {
		return fmt.Errorf("%w: page %d is empty", ErrDamaged, p.id)
	}
	var own keys
	for i := range p.count {
		e, at, err := p.elem(i)
		if err != nil {
			return err
		}
		key, err := p.slice(at, order.Uint32(e), order.Uint32(e[4:]))
		if err != nil {
			return err
		}
		if err := own.next(p.id, key); err != nil {
			return err
		}
		if k.any && bytes.Compare(k.last, key) >= 0 {
			return fmt.Errorf("%w: keys out of order before page %d", ErrDamaged, p.id)
		}
		k.min = key
		if err := w.visit(order.Uint64(e[8:]), k); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) leaf(p page, k *keys) error {
	room := int64(len(p.b)) // elements do not overlap
	for i := range p.count {
		e, at, err := p.elem(i)
		if err != nil {
			return err
		}
		pos, keySize := order.Uint32(e[4:]), order.Uint32(e[8:])
		key, err := p.slice(at, pos, keySize)
		if err != nil {
			return err
		}
		value, err := p.slice(at+int64(pos), keySize, order.Uint32(e[12:]))
		if err != nil {
			return err
		}
		if err := k.next(p.id, key); err != nil {
			return err
		}
		if room -= elemSize + int64(len(key)) + int64(len(value)); room < 0 {
			return fmt.Errorf("%w: elements overlap in page %d", ErrDamaged, p.id)
		}
		if order.Uint32(e)&leafBucket != 0 {
			if err := w.bucket(p, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket checks an inner bucket: a tree of its own, or a leaf in the value,
// which has no buckets inside.
func (w *walk) bucket(p page, value []byte) error {
	if len(value) < bucketSize || p.small {
		return fmt.Errorf("%w: bucket in page %d", ErrDamaged, p.id)
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root)
	}
	b := value[bucketSize:]
	if len(b) < headerSize || order.Uint16(b[8:]) != flagLeaf {
		return fmt.Errorf("%w: small bucket in page %d", ErrDamaged, p.id)
	}
	return w.leaf(page{id: p.id, count: int(order.Uint16(b[10:])), b: b, small: true}, &keys{})
}

// elem gives the i-th element and its position in the page.
func (p page) elem(i int) (e []byte, at int64, err error) {
	at = headerSize + int64(i)*elemSize
	if at+elemSize > int64(len(p.b)) {
		return nil, 0, fmt.Errorf("%w: page %d with %d elements", ErrDamaged, p.id, p.count)
	}
	return p.b[at : at+elemSize], at, nil
}

// slice gives size bytes at pos behind position at.
func (p page) slice(at int64, pos, size uint32) ([]byte, error) {
	start := at + int64(pos)
	if end := start + int64(size); end <= int64(len(p.b)) {
		return p.b[start:end], nil
	}
	return nil, fmt.Errorf("%w: element outside page %d", ErrDamaged, p.id)
}
