package powercut

import (
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	pageSize   = 4096
	sectorSize = 512
	// maxVersions bounds what is remembered of a page that is written again
	// and again without a sync.
	maxVersions = 8
)

// loss is what of the unsynced data an image keeps.
type loss struct {
	name  string
	keep  float64 // share of the units kept
	torn  bool    // units are sectors, not pages
	names bool    // some of the unsynced names are kept
}

var losses = []loss{
	{name: "synced only"},
	{name: "half of the pages", keep: 0.5, names: true},
	{name: "most pages", keep: 0.9, names: true},
	{name: "half of the sectors", keep: 0.5, torn: true, names: true},
}

// pages is the content of one file: as it is, and what each page and the size
// were since the last sync.
type pages struct {
	now   []byte
	dirty map[int64][]version // versions[0] is the synced one
	sizes []sizeAt            // sizes[0] is the synced one
}

type version struct {
	at   int // event
	data []byte
}

type sizeAt struct {
	at   int
	size int64
}

func newPages() *pages {
	return &pages{dirty: map[int64][]version{}, sizes: []sizeAt{{at: -1}}}
}

// write applies the event number at.
func (p *pages) write(at int, off int64, data []byte) {
	end := off + int64(len(data))
	for n := off / pageSize; n*pageSize < end; n++ {
		p.touch(n)
	}
	if end > int64(len(p.now)) {
		p.grow(end)
		p.sizes = append(p.sizes, sizeAt{at, end})
	}
	copy(p.now[off:], data)
	for n := off / pageSize; n*pageSize < end; n++ {
		p.keep(at, n)
	}
}

// resize applies the event number at.
func (p *pages) resize(at int, size int64) {
	old := int64(len(p.now))
	if size < old {
		for n := size / pageSize; n*pageSize < old; n++ {
			p.touch(n)
		}
		clear(p.now[size:])
		for n := size / pageSize; n*pageSize < old; n++ {
			p.keep(at, n)
		}
		p.now = p.now[:size]
	} else {
		p.grow(size)
	}
	p.sizes = append(p.sizes, sizeAt{at, size})
}

// grow adds zeros; what lies beyond the end is always zero.
func (p *pages) grow(size int64) {
	if size > int64(cap(p.now)) {
		p.now = slices.Grow(p.now, int(size)-len(p.now))
	}
	p.now = p.now[:size]
}

// page copies page n as it is now.
func (p *pages) page(n int64) []byte {
	b := make([]byte, pageSize)
	if off := n * pageSize; off < int64(len(p.now)) {
		copy(b, p.now[off:])
	}
	return b
}

// touch keeps the synced version of a page about to change.
func (p *pages) touch(n int64) {
	if len(p.dirty[n]) == 0 {
		p.dirty[n] = []version{{at: -1, data: p.page(n)}}
	}
}

func (p *pages) keep(at int, n int64) {
	v := p.dirty[n]
	if len(v) == maxVersions {
		v = slices.Delete(v, 1, 2)
	}
	p.dirty[n] = append(v, version{at, p.page(n)})
}

// sync makes what happened before event upto durable.
func (p *pages) sync(upto int) {
	for n, v := range p.dirty {
		last := 0
		for last+1 < len(v) && v[last+1].at < upto {
			last++
		}
		if v = v[last:]; len(v) == 1 {
			delete(p.dirty, n)
			continue
		}
		p.dirty[n] = v
	}
	for len(p.sizes) > 1 && p.sizes[1].at < upto {
		p.sizes = p.sizes[1:]
	}
}

// image is what the disk may hold now.
func (p *pages) image(l loss, random *rand.Rand) []byte {
	size := p.sizes[0].size
	if l.keep > 0 && random.IntN(2) == 0 {
		size = p.sizes[random.IntN(len(p.sizes))].size
	}
	b := make([]byte, size)
	copy(b, p.now)
	for _, n := range slices.Sorted(maps.Keys(p.dirty)) { // the same for a seed
		if off := n * pageSize; off < size {
			copy(b[off:], mix(p.dirty[n], l, random))
		}
	}
	return b
}

// mix chooses what is on disk of a page.
func mix(v []version, l loss, random *rand.Rand) []byte {
	pick := func() []byte {
		if random.Float64() >= l.keep {
			return v[0].data
		}
		return v[1+random.IntN(len(v)-1)].data
	}
	if !l.torn {
		return pick()
	}
	b := make([]byte, 0, pageSize)
	for off := 0; off < pageSize; off += sectorSize {
		b = append(b, pick()[off:off+sectorSize]...)
	}
	return b
}
