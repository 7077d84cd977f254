package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
)

// starts is how often processes are started.
const starts = 20

// settle is how long a process is left alone before its memory is looked at.
const settle = 5 * time.Second

// home is a claudemesh folder and the environment that names it.
type home struct {
	dir string
	env []string
}

func (b *bench) home(name string) (home, error) {
	dir, err := b.folder(name)
	return home{dir, append(os.Environ(),
		"HOME="+dir, "CLAUDEMESH_CONFIG_DIR="+dir, "CLAUDEMESH_LISTEN=127.0.0.1:0",
		"CLAUDEMESH_MDNS=0", "CLAUDEMESH_PORTMAP=0", "CLAUDEMESH_AUTOSTART=0",
	)}, err
}

// process is a child that ends with its stdin, or is told to.
type process struct {
	cmd *exec.Cmd
	in  io.Closer
}

// launch starts a program and returns once ready says it is.
func launch(ctx context.Context, env []string, ready func(context.Context, *bufio.Reader) error, path string, args ...string) (*process, time.Duration, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	p := &process{cmd, in}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	err = ready(ctx, bufio.NewReader(out))
	took := time.Since(began)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), p.end())
	}
	return p, took, nil
}

// end ends a process and waits for it.
func (p *process) end() error {
	return errors.Join(p.in.Close(), p.cmd.Process.Signal(os.Interrupt), reaped(p.cmd.Wait()))
}

// reaped takes the end by our signal for what it is.
func reaped(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return nil
	}
	return err
}

// said is ready once the process has printed a line.
func said(_ context.Context, out *bufio.Reader) error {
	_, err := out.ReadString('\n')
	return err
}

// answers is ready once a node answers a hello and says so.
func (h home) answers(ctx context.Context, _ *bufio.Reader) error {
	c := local.NewClient(local.ClientConfig{Socket: local.SocketPath(h.dir)})
	defer c.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		hello, err := c.Hello(ctx)
		if err == nil && hello.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// command runs a command to its end.
func (h home) command(ctx context.Context, path string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = h.env
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(args, " "), err, out)
	}
	return time.Since(began), nil
}

// node measures from the start of a node's process until it answers, and its memory
// when nothing happens.
func (b *bench) node(ctx context.Context) ([]figure, error) {
	h, err := b.home("node")
	if err != nil {
		return nil, err
	}
	var ours, floor samples
	for n := range starts {
		p, took, err := launch(ctx, h.env, h.answers, b.bin, "node", "run")
		if err != nil {
			return nil, err
		}
		if n == 0 { // the store and a mesh are made: starts like others follow
			_, err = h.command(ctx, b.bin, "new", "bench")
		} else {
			ours = append(ours, took)
		}
		if err := errors.Join(err, p.end()); err != nil {
			return nil, err
		}
		if p, took, err = launch(ctx, h.env, said, b.bare); err != nil {
			return nil, err
		}
		floor = append(floor, took)
		if err := p.end(); err != nil {
			return nil, err
		}
	}
	memory, err := b.memory(ctx)
	return append([]figure{{
		name: "ExecToReady", what: "node: exec to ready", n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: "bare libp2p host",
		goal: goal{limit: float64(100 * time.Millisecond)}, because: "opening the store and what each start writes there",
	}}, memory...), err
}

// memory measures what a node takes that has one mesh and two sessions attached.
func (b *bench) memory(ctx context.Context) (_ []figure, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	w, err := harness.New(harness.Config{Bin: b.bin})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	h, err := w.Home(ana)
	if err != nil {
		return nil, err
	}
	if err := h.Start(ctx); err != nil {
		return nil, err
	}
	if err := h.JSON(ctx, &struct{}{}, "new", "bench"); err != nil {
		return nil, err
	}
	for _, session := range []string{"one", "two"} {
		if _, err := h.Agent(ctx, harness.AgentConfig{Session: session}); err != nil {
			return nil, err
		}
	}
	floor, _, err := launch(ctx, os.Environ(), said, b.bare)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, floor.end()) }()
	idle, stop := context.WithTimeout(ctx, settle)
	defer stop()
	<-idle.Done()
	ours, err := resident(h.Node().PID())
	if err != nil {
		return nil, err
	}
	bare, err := resident(floor.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	return []figure{{
		name: "IdleMemory", what: "node: idle, 1 mesh, 2 sessions", n: 1, unit: "MiB", ours: ours, floor: bare, floorIs: "bare libp2p host",
		goal: goal{limit: 45}, because: "what libp2p and the program's own pages take",
	}}, nil
}

// resident is the memory of a process in MiB, shared pages of its files included.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, nil // not Linux: not known
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in the status of a process")
}

// size measures the program as it is released.
func (b *bench) size(context.Context) ([]figure, error) {
	ours, err := os.Stat(b.bin)
	if err != nil {
		return nil, err
	}
	bare, err := os.Stat(b.bare)
	if err != nil {
		return nil, err
	}
	return []figure{{
		name: "StrippedBinary", what: "stripped binary", n: 1, unit: "MB",
		ours: float64(ours.Size()) / 1e6, floor: float64(bare.Size()) / 1e6, floorIs: "bare libp2p host",
		goal: goal{limit: 38}, because: "what it is linked with: go tool nm -size -sort size shows it",
	}}, nil
}

// command measures a command against a running node.
func (b *bench) command(ctx context.Context) (_ []figure, err error) {
	h, err := b.home("command")
	if err != nil {
		return nil, err
	}
	p, _, err := launch(ctx, h.env, h.answers, b.bin, "node", "run")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if _, err := h.command(ctx, b.bin, "new", "bench"); err != nil {
		return nil, err
	}
	var ours, floor samples
	for range 2 * starts {
		took, err := h.command(ctx, b.bin, "peers", "--json")
		if err != nil {
			return nil, err
		}
		bare, err := h.command(ctx, b.empty)
		if err != nil {
			return nil, err
		}
		ours, floor = append(ours, took), append(floor, bare)
	}
	return []figure{{
		name: "Command", what: "claudemesh peers", n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: "empty Go program",
		goal: goal{limit: float64(50 * time.Millisecond)}, because: "package initialisation of what the program is linked with",
	}}, nil
}
