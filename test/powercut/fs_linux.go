package powercut

import (
	"context"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// fsNode is a file or folder: everything goes through to the folder behind
// the mount, changes go to the log too. What could change a file behind the
// log's back (mapping it through, copying ranges, preallocation) is refused,
// which programs are prepared for.
type fsNode struct {
	*fs.LoopbackNode
	log *log
}

var _ interface {
	fs.NodeWrapChilder
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeMkdirer
	fs.NodeMknoder
	fs.NodeSymlinker
	fs.NodeLinker
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeSetattrer
	fs.NodeFsyncer
	fs.NodeTmpfiler
} = (*fsNode)(nil)

// WrapChild makes every child a recording one.
func (n *fsNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &fsNode{LoopbackNode: ops.(*fs.LoopbackNode), log: n.log}
}

// self is the number of this node; the log's lock is held.
func (n *fsNode) self() int { return n.log.id(n.StableAttr(), false, false) }

func (n *fsNode) name() string {
	name, _ := n.Parent()
	return name
}

// Create logs a new file.
func (n *fsNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (child *fs.Inode, fh fs.FileHandle, fuseFlags uint32, errno syscall.Errno) {
	errno = n.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		child, fh, fuseFlags, errno = n.LoopbackNode.Create(ctx, name, flags, mode, out)
		if errno != 0 {
			return event{}, errno
		}
		dir := n.self()
		fh = &file{in: fh.(*fs.LoopbackFile), node: child.Operations().(*fsNode)}
		return event{kind: evCreate, file: n.log.id(child.StableAttr(), true, isAcks(dir, name)), dir: dir, name: name, mode: mode}, 0
	})
	return child, fh, fuseFlags, errno
}

// Open wraps the file, and logs it if it is emptied thereby.
func (n *fsNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags&^syscall.O_TRUNC)
	if errno != 0 {
		return nil, 0, errno
	}
	f := &file{in: fh.(*fs.LoopbackFile), node: n}
	if flags&syscall.O_TRUNC != 0 {
		in := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE}}
		if errno := n.Setattr(ctx, f, in, &fuse.AttrOut{}); errno != 0 {
			_ = f.Release(ctx)
			return nil, 0, errno
		}
	}
	return f, fuseFlags, 0
}

// Mkdir logs a new folder.
func (n *fsNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		if child, errno = n.LoopbackNode.Mkdir(ctx, name, mode, out); errno != 0 {
			return event{}, errno
		}
		return event{kind: evMkdir, file: n.log.id(child.StableAttr(), true, false), dir: n.self(), name: name}, 0
	})
	return child, errno
}

// Mknod logs a file made that way; sockets and pipes are not logged.
func (n *fsNode) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	if mode&syscall.S_IFMT != syscall.S_IFREG {
		return n.LoopbackNode.Mknod(ctx, name, mode, dev, out)
	}
	errno = n.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		if child, errno = n.LoopbackNode.Mknod(ctx, name, mode, dev, out); errno != 0 {
			return event{}, errno
		}
		dir := n.self()
		return event{kind: evCreate, file: n.log.id(child.StableAttr(), true, isAcks(dir, name)), dir: dir, name: name, mode: mode}, 0
	})
	return child, errno
}

// Symlink logs a new symbolic link.
func (n *fsNode) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		if child, errno = n.LoopbackNode.Symlink(ctx, target, name, out); errno != 0 {
			return event{}, errno
		}
		return event{kind: evSymlink, file: n.log.id(child.StableAttr(), true, false), dir: n.self(), name: name, target: target}, 0
	})
	return child, errno
}

// Link logs another name of a file.
func (n *fsNode) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		if child, errno = n.LoopbackNode.Link(ctx, target, name, out); errno != 0 {
			return event{}, errno
		}
		return event{kind: evLink, file: n.log.id(child.StableAttr(), false, false), dir: n.self(), name: name}, 0
	})
	return child, errno
}

// Unlink logs a name taken away.
func (n *fsNode) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.log.change(func() (event, syscall.Errno) {
		return event{kind: evRemove, dir: n.self(), name: name}, n.LoopbackNode.Unlink(ctx, name)
	})
}

// Rmdir logs a folder taken away.
func (n *fsNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.log.change(func() (event, syscall.Errno) {
		return event{kind: evRemove, dir: n.self(), name: name}, n.LoopbackNode.Rmdir(ctx, name)
	})
}

// renameNoReplace is RENAME_NOREPLACE; exchanging names is refused.
const renameNoReplace = 1

// Rename logs a new name. Renaming a file to another name of itself does
// nothing and is not logged.
func (n *fsNode) Rename(ctx context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*fsNode)
	if !ok || flags&^renameNoReplace != 0 {
		return syscall.EINVAL
	}
	return n.log.change(func() (event, syscall.Errno) {
		return event{kind: evRename, dir: n.self(), name: name, dir2: to.self(), name2: newName},
			n.LoopbackNode.Rename(ctx, name, to.LoopbackNode, newName, flags)
	})
}

// Setattr logs a change of size.
func (n *fsNode) Setattr(ctx context.Context, fh fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	var inner fs.FileHandle
	if f, ok := fh.(*file); ok {
		inner = f.in
	}
	size, resized := in.GetSize()
	if !resized {
		return n.LoopbackNode.Setattr(ctx, inner, in, out)
	}
	if errno := n.log.allow(OpResize, n.name(), int64(size)); errno != 0 {
		return errno
	}
	return n.log.change(func() (event, syscall.Errno) {
		return event{kind: evResize, file: n.self(), size: int64(size)}, n.LoopbackNode.Setattr(ctx, inner, in, out)
	})
}

// Fsync logs that what was written before is durable: of a file its content,
// of a folder all names.
func (n *fsNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	upto := n.log.position()
	if errno := n.log.allow(OpSync, n.name(), 0); errno != 0 {
		return errno
	}
	return n.log.change(func() (event, syscall.Errno) {
		if n.IsDir() {
			return event{kind: evSyncDir, upto: upto}, 0
		}
		return event{kind: evSync, file: n.self(), upto: upto}, 0
	})
}

// Tmpfile is refused: a file without a name cannot be followed.
func (n *fsNode) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.EOPNOTSUPP
}

// file is an open file. It has only the methods that cannot bypass the log.
type file struct {
	in   *fs.LoopbackFile
	node *fsNode
}

var _ interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileStatxer
	fs.FileLseeker
} = (*file)(nil)

func (f *file) Read(ctx context.Context, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return f.in.Read(ctx, b, off)
}

// Write logs what is written.
func (f *file) Write(ctx context.Context, b []byte, off int64) (n uint32, errno syscall.Errno) {
	if errno := f.node.log.allow(OpWrite, f.node.name(), off+int64(len(b))); errno != 0 {
		return 0, errno
	}
	errno = f.node.log.change(func() (event, syscall.Errno) {
		var errno syscall.Errno
		if n, errno = f.in.Write(ctx, b, off); errno != 0 {
			return event{}, errno
		}
		return event{kind: evWrite, file: f.node.self(), off: off, data: slices.Clone(b[:n])}, 0
	})
	return n, errno
}

func (f *file) Flush(ctx context.Context) syscall.Errno   { return f.in.Flush(ctx) }
func (f *file) Release(ctx context.Context) syscall.Errno { return f.in.Release(ctx) }

func (f *file) Getattr(ctx context.Context, out *fuse.AttrOut) syscall.Errno {
	return f.in.Getattr(ctx, out)
}

func (f *file) Statx(ctx context.Context, flags, mask uint32, out *fuse.StatxOut) syscall.Errno {
	return f.in.Statx(ctx, flags, mask, out)
}

func (f *file) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	return f.in.Lseek(ctx, off, whence)
}
