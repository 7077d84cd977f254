package powercut

import (
	"math/rand/v2"
	"os"
	"path/filepath"
)

// disk follows the log and can build what a disk may hold at each position.
type disk struct {
	events []event
	at     int // events applied
	files  map[int]*pages
	synced int // names of events before this one are durable
}

func newDisk(events []event) *disk {
	return &disk{events: events, files: map[int]*pages{}}
}

// advance applies the events up to position n.
func (d *disk) advance(n int) {
	for ; d.at < n; d.at++ {
		switch e := d.events[d.at]; e.kind {
		case evWrite:
			d.file(e.file).write(d.at, e.off, e.data)
		case evResize:
			d.file(e.file).resize(d.at, e.size)
		case evSync:
			d.file(e.file).sync(e.upto)
		case evSyncDir:
			d.synced = max(d.synced, e.upto)
		}
	}
}

func (d *disk) file(n int) *pages {
	if d.files[n] == nil {
		d.files[n] = newPages()
	}
	return d.files[n]
}

// node is a file or a folder by its number.
type node struct {
	dir    map[string]int // a folder
	target string         // a symbolic link
	mode   uint32
}

// tree applies the changes of names that an image has: all that are durable
// and, if the loss says so, some of the others.
func (d *disk) tree(l loss, random *rand.Rand) map[int]*node {
	end := d.synced
	if l.names && d.at > end {
		end += random.IntN(d.at - end + 1)
	}
	tree := map[int]*node{rootDir: {dir: map[string]int{}}}
	for _, e := range d.events[:end] {
		switch e.kind {
		case evCreate:
			tree[e.file] = &node{mode: e.mode}
		case evMkdir:
			tree[e.file] = &node{dir: map[string]int{}}
		case evSymlink:
			tree[e.file] = &node{target: e.target}
		}
		switch e.kind {
		case evCreate, evMkdir, evSymlink, evLink:
			tree[e.dir].dir[e.name] = e.file
		case evRemove:
			delete(tree[e.dir].dir, e.name)
		case evRename:
			n := tree[e.dir].dir[e.name]
			delete(tree[e.dir].dir, e.name)
			tree[e.dir2].dir[e.name2] = n
		}
	}
	return tree
}

// image writes what the disk may hold at the position into dir.
func (d *disk) image(dir string, l loss, random *rand.Rand) error {
	tree := d.tree(l, random)
	var build func(n int, path string) error
	build = func(n int, path string) error {
		switch at := tree[n]; {
		case at.dir != nil:
			if err := os.MkdirAll(path, 0o700); err != nil {
				return err
			}
			for name, child := range at.dir {
				if err := build(child, filepath.Join(path, name)); err != nil {
					return err
				}
			}
			return nil
		case at.target != "":
			return os.Symlink(at.target, path)
		default:
			return writeSparse(path, d.file(n).image(l, random), os.FileMode(at.mode).Perm()|0o600)
		}
	}
	return build(rootDir, dir)
}

// writeSparse writes a file without its pages of zeros.
func writeSparse(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for off := 0; off < len(b); off += pageSize {
		page := b[off:min(off+pageSize, len(b))]
		if zero(page) {
			continue
		}
		if _, err := f.WriteAt(page, int64(off)); err != nil {
			return err
		}
	}
	return f.Truncate(int64(len(b)))
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
