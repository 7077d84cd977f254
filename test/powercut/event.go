package powercut

import "fmt"

// evKind is what happened.
type evKind uint8

const (
	evWrite   evKind = iota // file, off, data
	evResize                // file, size
	evSync                  // file, upto
	evCreate                // file, mode in dir, name
	evMkdir                 // file (a folder) in dir, name
	evSymlink               // file with target in dir, name
	evLink                  // file in dir, name
	evRemove                // dir, name
	evRename                // dir, name to dir2, name2
	evSyncDir               // upto
	evAck                   // name is the id
)

var evNames = [...]string{"write", "resize", "sync", "create", "mkdir", "symlink", "link", "remove", "rename", "sync folder", "ack"}

// rootDir is the number of the mount's own folder.
const rootDir = 0

// event is one line of the log. Files and folders have numbers that are never
// used again.
type event struct {
	kind      evKind
	file      int
	off, size int64
	data      []byte
	upto      int // a sync covers the events before this one
	dir, dir2 int
	name      string
	name2     string
	target    string
	mode      uint32
}

func (e event) String() string {
	s := evNames[e.kind]
	switch e.kind {
	case evWrite:
		return fmt.Sprintf("%s #%d %d+%d", s, e.file, e.off, len(e.data))
	case evResize:
		return fmt.Sprintf("%s #%d %d", s, e.file, e.size)
	case evSync:
		return fmt.Sprintf("%s #%d", s, e.file)
	case evRename:
		return fmt.Sprintf("%s %s %s", s, e.name, e.name2)
	case evSyncDir:
		return s
	case evAck, evRemove:
		return fmt.Sprintf("%s %s", s, e.name)
	}
	return fmt.Sprintf("%s %s #%d", s, e.name, e.file)
}
