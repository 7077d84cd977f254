package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

// System answers questions about this machine. Every field is set by [New].
type System struct {
	// User is the number of the user, -1 where there are none.
	User int
	// LookPath finds a program as a shell does; Programs finds all files of a name in
	// the folders of PATH, each once.
	LookPath func(name string) (string, error)
	Programs func(name string) []string
	// Run starts a program with a text on its stdin, and returns what it writes on its
	// stdout and how long it took.
	Run func(ctx context.Context, stdin, program string, args ...string) (stdout string, took time.Duration, err error)
	// Free is how many bytes and files (-1: without limit) there is room for.
	Free func(dir string) (bytes, files int64, err error)
	// TryWrite writes a small file into a folder and removes it.
	TryWrite func(dir string) error
	// Owner is the user a file belongs to; false where that is not known.
	Owner func(info fs.FileInfo) (user int, known bool)
	// Dial connects to a Unix socket and hangs up.
	Dial func(ctx context.Context, socket string) error
	// Holder is the process that has locked a file, 0 if that is not known.
	Holder func(path string) int
	// Processes are those of this user, as far as that is known.
	Processes func() []Process
	// Route tells with nil that there is a way out of the local network.
	Route func() error
	// Multicast tells with nil that a packet to the group of mDNS comes back.
	Multicast func(ctx context.Context) error
	// Taken says why an address, a multiaddr, cannot be listened on; nil: it can.
	Taken func(addr string) error
	// Handler is what opens claudemesh:// links, empty for nothing.
	Handler func(home string) string
}

// Process is a running one.
type Process struct {
	PID  int
	Args []string
	// Env are its variables, as KEY=VALUE.
	Env []string
}

// Getenv is a variable of the process.
func (p Process) Getenv(name string) string {
	for _, pair := range p.Env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// New asks this machine.
func New() System {
	return System{
		User: os.Geteuid(), LookPath: exec.LookPath, Programs: programs, Run: run,
		Free: free, TryWrite: tryWrite, Owner: owner, Dial: dial, Holder: file.Holder, Processes: processes,
		Route: route, Multicast: multicast, Taken: taken, Handler: handler,
	}
}

func programs(name string) (out []string) {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	var seen []fs.FileInfo
next:
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
			continue
		}
		for _, other := range seen {
			if os.SameFile(info, other) {
				continue next
			}
		}
		seen, out = append(seen, info), append(out, path)
	}
	return out
}

// lastWords is how long a program that was ended may hold its output open.
const lastWords = 200 * time.Millisecond

func run(ctx context.Context, stdin, program string, args ...string) (string, time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(stdin), lastWords
	began := time.Now()
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), time.Since(began), err
}

// probeSize is how much is written to see whether a disk takes it, in bytes.
const probeSize = 64 << 10

func tryWrite(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func dial(ctx context.Context, socket string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return c.Close()
}

// Refused tells whether an error of Dial says that nobody listens.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// route asks the system where it would send a packet to an address kept for examples.
// None is sent.
func route() error {
	var failed error
	for _, far := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		c, err := net.Dial("udp", far)
		if err == nil {
			return c.Close()
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func taken(addr string) error {
	parts := strings.Split(addr, "/")
	const least = 5 // "", ip4, ADDRESS, tcp, PORT
	if len(parts) < least || parts[4] == "0" {
		return nil
	}
	at := net.JoinHostPort(parts[2], parts[4])
	if parts[3] == "udp" {
		c, err := net.ListenPacket("udp", at)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	return l.Close()
}

// handler looks where each system keeps who opens a kind of link.
func handler(home string) string {
	switch runtime.GOOS {
	case "linux":
		data := os.Getenv("XDG_DATA_HOME")
		if data == "" {
			data = filepath.Join(home, ".local", "share")
		}
		return existing(filepath.Join(data, "applications", "claudemesh.desktop"))
	case "darwin":
		return existing(filepath.Join(home, "Library", "Application Support", "claudemesh", "ClaudemeshHandler.app"))
	}
	return registered()
}

func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Listens tells which process has one of the addresses, as an error of Taken says.
func Listens(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// errNoMulticast: no interface of this machine takes part in multicast.
var errNoMulticast = fmt.Errorf("no network interface with an address takes multicast")
