package powercut

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// folder is an open folder: what go-fuse gives, but its sync goes to the log.
type folder struct {
	in   loopbackFolder
	node *fsNode
}

// loopbackFolder is what an open folder of a loopback file system can do.
type loopbackFolder interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
}

var _ interface {
	loopbackFolder
	fs.FileFsyncdirer
} = (*folder)(nil)

// OpendirHandle wraps the folder.
func (n *fsNode) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &folder{in: fh.(loopbackFolder), node: n}, fuseFlags, 0
}

func (d *folder) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	return d.in.Readdirent(ctx)
}

func (d *folder) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	return d.in.Seekdir(ctx, off)
}

func (d *folder) Releasedir(ctx context.Context, flags uint32) { d.in.Releasedir(ctx, flags) }

// Fsyncdir logs that all names are durable.
func (d *folder) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	return d.node.Fsync(ctx, nil, flags)
}
