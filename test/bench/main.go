package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"syscall"
)

// bench is what all measurements share.
type bench struct {
	dir   string // for everything that is written, on the disk that is measured
	bin   string // the program, as released
	bare  string // a bare libp2p host, see package bare
	empty string // a program that does nothing
	times int    // samples of what is quick to measure
}

// measurements are in the order of the table.
var measurements = []struct {
	name string
	run  func(*bench, context.Context) ([]figure, error)
}{
	{"post", (*bench).post},
	{"tool", (*bench).tool},
	{"flight", (*bench).flight},
	{"first", (*bench).first},
	{"node", (*bench).node},
	{"size", (*bench).size},
	{"command", (*bench).command},
	{"many10", func(b *bench, ctx context.Context) ([]figure, error) { return b.many(ctx, 10) }},
	{"many50", func(b *bench, ctx context.Context) ([]figure, error) { return b.many(ctx, 50) }},
	{"state", (*bench).state},
	{"idle", (*bench).idle},
}

func main() {
	only := flag.String("only", ".", "measure what matches this `pattern`: post, tool, flight, first, node, size, command, many10, many50, state, idle")
	times := flag.Int("times", 1500, "samples of what is quick to measure")
	dir := flag.String("dir", "", "a `folder` on the disk to be measured (default: the temporary one)")
	profile := flag.String("profile", "", "write what this process's processors do to a `file` for go tool pprof")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := profiled(*profile, func() error { return run(ctx, *only, *times, *dir) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// profiled runs fn under the profiler, unless the path is empty.
func profiled(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = fn()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func run(ctx context.Context, only string, times int, dir string) (err error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	b := &bench{times: max(times, 20)}
	if b.dir, err = os.MkdirTemp(dir, "cmb-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	fmt.Print(machine(b.dir))
	var all []figure
	for _, m := range measurements {
		if !wanted.MatchString(m.name) {
			continue
		}
		found, err := m.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, f := range found {
			fmt.Println(f.line())
		}
		all = append(all, found...)
	}
	fmt.Print(table(all))
	return nil
}

// build compiles the programs that are measured.
func (b *bench) build(ctx context.Context) error {
	source := filepath.Join(b.dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return err
	}
	for _, p := range []struct {
		path *string
		name string
		what string
	}{
		{&b.bin, "claudemesh", "./cmd/claudemesh"},
		{&b.bare, "bare", "./test/bench/bare"},
		{&b.empty, "empty", source},
	} {
		*p.path = filepath.Join(b.dir, p.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *p.path, p.what)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.what, err, out)
		}
	}
	return nil
}
