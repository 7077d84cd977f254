package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// probeTime is how long a server found at the socket has to be heard.
const probeTime = time.Second

// claim is a socket that is ours: the listener and the lock that keeps other
// nodes away.
type claim struct {
	listener *net.UnixListener
	lock     *os.File
}

// claimSocket starts to listen at path. It never takes the socket of a living
// node (ErrRunning) nor removes what is not a socket (ErrNotSocket).
func claimSocket(ctx context.Context, path string) (*claim, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrPath, path, len(path), maxPath)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the socket: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the socket: %w", err)
	}
	listener, err := lockAndListen(ctx, path, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &claim{listener: listener, lock: lock}, nil
}

func lockAndListen(ctx context.Context, path string, lock *os.File) (*net.UnixListener, error) {
	if err := lockFile(lock); err != nil {
		return nil, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the socket: %w", err), l.Close())
	}
	return l, nil
}

// removeStale removes the socket file of a node that is gone. Only a refused
// connection shows that; a node that is merely slow keeps its socket.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode().IsRegular() || info.IsDir() {
		return fmt.Errorf("%w: %s", ErrNotSocket, path)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	probe := NewClient(ClientConfig{Socket: path})
	defer probe.Close()
	if _, err = probe.Hello(ctx); !refused(err) {
		return ErrRunning
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket of a node that is gone: %w", err)
	}
	return nil
}

// release gives the socket up. The listener is closed before.
func (c *claim) release() error { return c.lock.Close() }

// door lets connections of the same user in, at most a number at a time; more
// wait in the system's queue. It is a net.Listener.
type door struct {
	*net.UnixListener
	log    *slog.Logger
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newDoor(l *net.UnixListener, places int, log *slog.Logger) *door {
	return &door{UnixListener: l, log: log, slots: make(chan struct{}, places), closed: make(chan struct{})}
}

// Accept waits for the next connection of the same user.
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.slots <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := d.AcceptUnix()
		if err != nil {
			<-d.slots
			return nil, err
		}
		if err := checkPeer(c); err != nil {
			d.log.Warn("connection refused", "error", err)
			_ = c.Close() // nothing was sent that could be lost
			continue
		}
		return &guest{UnixConn: c, leave: sync.OnceFunc(func() { <-d.slots })}, nil
	}
}

// Close stops listening.
func (d *door) Close() error {
	var err error
	d.once.Do(func() {
		close(d.closed)
		err = d.UnixListener.Close()
	})
	return err
}

// guest is a connection that gives its place back when it closes.
type guest struct {
	*net.UnixConn
	leave func()
}

// Close closes the connection.
func (g *guest) Close() error {
	defer g.leave()
	return g.UnixConn.Close()
}
