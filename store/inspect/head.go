package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// ErrDamaged is what every finding wraps; errors of the reader come as they
// are.
var ErrDamaged = errors.New("damaged")

// The format. Numbers have the byte order of the machine.
const (
	magic         = 0xED0CDAED
	formatVersion = 2
	headerSize    = 16 // of a page: id 8, flags 2, count 2, overflow 4
	metaSize      = 64 // magic, version, page size, flags 4 each; root, sequence, freelist, end, txid, checksum 8 each
	elemSize      = 16 // of a branch: pos 4, key size 4, page 8; of a leaf: flags, pos, key size, value size 4 each
	bucketSize    = 16 // at the start of a bucket's value: root page 8, sequence 8
	minPage       = 1 << 10
	maxPage       = 1 << 24
)

const (
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
	leafBucket   = 0x01
)

var order = binary.NativeEndian

// file is what is being read, with the meta page in force.
type file struct {
	r    io.ReaderAt
	size int64
	meta
}

type meta struct {
	id       uint64 // of its page
	pageSize int64
	root     uint64
	freelist uint64
	end      uint64 // no page has this number or a higher one
	txid     uint64
}

// Head makes sure that one of the two meta pages is whole, that the file is as
// long as it says, and that the list of free pages can be read.
func Head(r io.ReaderAt, size int64) error {
	f, err := open(r, size)
	if err != nil {
		return err
	}
	_, err = f.free()
	return err
}

// open reads the newer whole meta page.
func open(r io.ReaderAt, size int64) (*file, error) {
	first, err := readMeta(r, 0)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	best := first
	if first.pageSize != 0 {
		if second, err := readMeta(r, first.pageSize); err == nil && second.txid > best.txid {
			best = second
		}
	} else {
		best = search(r, size)
	}
	if best.pageSize == 0 {
		return nil, fmt.Errorf("%w: no whole meta page", ErrDamaged)
	}
	f := &file{r: r, size: size, meta: best}
	if f.end < 4 || f.end > uint64(size)/uint64(f.pageSize) {
		return nil, fmt.Errorf("%w: it has %d bytes of %d pages of %d, its end is missing", ErrDamaged, size, f.end, f.pageSize)
	}
	return f, nil
}

// search finds the second meta page where the first one does not tell the
// page size.
func search(r io.ReaderAt, size int64) meta {
	for at := int64(minPage); at <= maxPage && at < size; at *= 2 {
		if m, err := readMeta(r, at); err == nil && m.pageSize == at {
			return m
		}
	}
	return meta{}
}

func readMeta(r io.ReaderAt, at int64) (meta, error) {
	b := make([]byte, headerSize+metaSize)
	if _, err := r.ReadAt(b, at); errors.Is(err, io.EOF) {
		return meta{}, fmt.Errorf("%w: too short", ErrDamaged)
	} else if err != nil {
		return meta{}, err
	}
	id, flags := order.Uint64(b), order.Uint16(b[8:])
	b = b[headerSize:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSize-8])
	m := meta{
		id:       id,
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		end:      order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	switch {
	case flags&flagMeta == 0, order.Uint32(b) != magic, order.Uint32(b[4:]) != formatVersion,
		order.Uint64(b[56:]) != sum.Sum64(),
		m.pageSize < minPage, m.pageSize > maxPage, m.pageSize&(m.pageSize-1) != 0:
		return meta{}, fmt.Errorf("%w: meta page at %d", ErrDamaged, at)
	}
	return m, nil
}

// page is one page, with those that overflow from it.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	b        []byte // with the header
	small    bool   // lies in the value of another
}

// page reads page id. Its length is checked before it is read.
func (f *file) page(id uint64) (page, error) {
	if id < 2 || id >= f.end {
		return page{}, fmt.Errorf("%w: page %d of %d", ErrDamaged, id, f.end)
	}
	b := make([]byte, f.pageSize)
	at := int64(id) * f.pageSize
	if _, err := f.r.ReadAt(b, at); err != nil {
		return page{}, fmt.Errorf("read page %d: %w", id, err)
	}
	p := page{
		id:       id,
		flags:    order.Uint16(b[8:]),
		count:    int(order.Uint16(b[10:])),
		overflow: uint64(order.Uint32(b[12:])),
		b:        b,
	}
	if got := order.Uint64(b); got != id || p.overflow >= f.end-id {
		return page{}, fmt.Errorf("%w: page %d says it is %d with %d more", ErrDamaged, id, got, p.overflow)
	}
	if p.overflow > 0 {
		p.b = make([]byte, f.pageSize*int64(p.overflow+1))
		if _, err := f.r.ReadAt(p.b, at); err != nil {
			return page{}, fmt.Errorf("read page %d: %w", id, err)
		}
	}
	return p, nil
}

// free reads the list of free pages.
func (f *file) free() ([]uint64, error) {
	p, err := f.page(f.freelist)
	if err != nil {
		return nil, err
	}
	if p.flags != flagFreelist {
		return nil, fmt.Errorf("%w: page %d is not the list of free pages", ErrDamaged, p.id)
	}
	n, ids := uint64(p.count), p.b[headerSize:]
	if n == 0xFFFF {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return nil, fmt.Errorf("%w: %d free pages", ErrDamaged, n)
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = order.Uint64(ids[8*i:])
		if list[i] < 2 || list[i] >= f.end || i > 0 && list[i] <= list[i-1] {
			return nil, fmt.Errorf("%w: free page %d of %d", ErrDamaged, list[i], f.end)
		}
	}
	return list, nil
}
