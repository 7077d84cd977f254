package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/surface/local"
)

// Home is one user on one machine: a home folder, a claudemesh folder in it, a
// node that may run or not. It is safe for concurrent use.
type Home struct {
	// Name is the user's name and the display name of the member.
	Name string
	// Dir is the claudemesh folder.
	Dir string
	// Port is where its node listens.
	Port int

	world *World
	work  string // the folder in which commands and agents run
	env   []string
	api   *local.Client

	mu    sync.Mutex // guards what follows
	node  *Process
	count int // agents started, for their names
}

// HomeConfig describes a home that is not all new.
type HomeConfig struct {
	// Name is the user's name, unique in its world.
	Name string
	// Dir is an existing claudemesh folder; empty means a new one.
	Dir string
	// Port is where the node listens on loopback, for TCP and QUIC; zero means a
	// free one. It stays the same at each start, so that others find it again.
	Port int
}

// Home makes a home for a user of that name, with an empty claudemesh folder.
func (w *World) Home(name string) (*Home, error) { return w.HomeWith(HomeConfig{Name: name}) }

// HomeWith makes a home.
func (w *World) HomeWith(cfg HomeConfig) (*Home, error) {
	name, dir, port := cfg.Name, cfg.Dir, cfg.Port
	work := filepath.Join(w.root, name, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, fmt.Errorf("make a home: %w", err)
	}
	if dir == "" {
		dir = filepath.Join(w.root, name, ".claudemesh")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a home: %w", err)
		}
	}
	if port == 0 {
		var err error
		if port, err = w.port(); err != nil {
			return nil, err
		}
	} else {
		w.mu.Lock()
		w.reserve(port) // it may be another home's on purpose
		w.mu.Unlock()
	}
	h := &Home{Name: name, Dir: dir, Port: port, world: w, work: work}
	h.env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Dir(work),
		"USER=" + name,
		"LANG=C.UTF-8",
		"NO_COLOR=1",
		"TMPDIR=" + filepath.Join(w.root, "tmp"),
		"XDG_RUNTIME_DIR=" + filepath.Join(w.root, "run"),
		"GORACE=halt_on_error=1",
		"CLAUDEMESH_CONFIG_DIR=" + dir,
		fmt.Sprintf("CLAUDEMESH_LISTEN=/ip4/127.0.0.1/tcp/%d,/ip4/127.0.0.1/udp/%d/quic-v1", port, port),
		"CLAUDEMESH_MDNS=0",
		"CLAUDEMESH_PORTMAP=0",
		// Who starts nodes here is the test.
		"CLAUDEMESH_AUTOSTART=0",
	}, w.cfg.Env...)
	h.api = local.NewClient(local.ClientConfig{Socket: local.SocketPath(h.Dir)})
	return h, nil
}

// Start runs the node in the foreground of a process of its own and returns once
// it answers that it is ready.
func (h *Home) Start(ctx context.Context) error {
	p, err := h.Launch()
	if err != nil {
		return err
	}
	if err := h.ready(ctx, p); err != nil {
		p.Kill()
		return fmt.Errorf("start the node of %s: %w\n%s", h.Name, err, p.Tail())
	}
	return nil
}

// Launch is Start without the wait.
func (h *Home) Launch() (*Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node != nil && !ended(h.node) {
		return nil, fmt.Errorf("the node of %s runs already", h.Name)
	}
	p, err := h.world.start(launch{name: h.Name + "-node", args: []string{"node", "run"}, env: h.env, dir: h.work})
	if err == nil {
		h.node = p
	}
	return p, err
}

// ready asks until the process p answers that it is ready.
func (h *Home) ready(ctx context.Context, p *Process) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		hello, err := h.api.Hello(ctx)
		if err == nil && hello.Ready && hello.PID == p.PID() {
			return nil
		}
		select {
		case <-p.Done():
			return errors.Join(ErrGone, p.Wait(ctx))
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Node is the node's process, nil before the first start.
func (h *Home) Node() *Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.node
}

// Kill ends the node with kill -9.
func (h *Home) Kill() {
	if p := h.Node(); p != nil {
		p.Kill()
	}
}

// Stop ends the node with SIGTERM and waits for it.
func (h *Home) Stop(ctx context.Context) error {
	if p := h.Node(); p != nil {
		return p.Terminate(ctx)
	}
	return nil
}

// API speaks to the node as the person at the machine.
func (h *Home) API() *local.Client { return h.api }
