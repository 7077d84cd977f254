package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A program is run with its stdin, timed, and ended when its time is over, also where it
// leaves another behind that holds its output open.
func TestRun(t *testing.T) {
	sh, err := New().LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	out, took, err := New().Run(t.Context(), "hello", sh, "-c", "cat; echo \" $1\"", "x", "word")
	if err != nil || strings.TrimSpace(out) != "hello word" || took <= 0 {
		t.Errorf("%q, %v, %v", out, took, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := New().Run(ctx, "", sh, "-c", "sleep 20 & wait"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("not ended: %v", err)
	}
	if _, _, err := New().Run(t.Context(), "", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a program that is not there ran")
	}
}

// Of programs on PATH each file is named once, in the order of PATH.
func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes and links")
	}
	dir := t.TempDir()
	var path []string
	for _, name := range []string{"a", "b", "c", "d"} {
		path = append(path, filepath.Join(dir, name))
		if err := os.Mkdir(path[len(path)-1], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(path[0], "x"), nil, 0o600), // cannot be run
		os.WriteFile(filepath.Join(path[1], "x"), nil, 0o700),
		os.Symlink(filepath.Join(path[1], "x"), filepath.Join(path[2], "x")),
		os.WriteFile(filepath.Join(path[3], "x"), nil, 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", strings.Join(append(path, path[1]), string(os.PathListSeparator)))
	if got, want := New().Programs("x"), []string{filepath.Join(path[1], "x"), filepath.Join(path[3], "x")}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// A port that somebody has is taken, until it is given back.
func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	addr := "/ip4/127.0.0.1/tcp/" + port
	if err := New().Taken(addr); err == nil || !Listens(err) {
		t.Errorf("taken, but: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, free := range []string{addr, "/ip4/127.0.0.1/udp/" + port + "/quic-v1", "/ip4/0.0.0.0/tcp/0", "nonsense"} {
		if err := New().Taken(free); err != nil {
			t.Errorf("%s: %v", free, err)
		}
	}
}

// A socket answers while somebody listens, and refuses when its listener was killed.
func TestDial(t *testing.T) {
	dir, err := os.MkdirTemp("", "cmp-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := New().Dial(t.Context(), at); err != nil {
		t.Error(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := New().Dial(t.Context(), at); !Refused(err) {
		t.Errorf("nobody listens, but: %v", err)
	}
}

// This process is among those that are listed, with its words and variables.
func TestProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	all := New().Processes()
	i := slices.IndexFunc(all, func(p Process) bool { return p.PID == os.Getpid() })
	if i < 0 || !slices.Equal(all[i].Args, os.Args) || all[i].Getenv("PATH") != os.Getenv("PATH") || all[i].Getenv("NO_SUCH") != "" {
		t.Errorf("%d processes, this one is %d", len(all), i)
	}
}

// What is asked of a disk is answered, and nothing stays behind.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	bytes, files, err := New().Free(dir)
	if err != nil || bytes <= 0 || files == 0 {
		t.Errorf("%d bytes, %d files, %v", bytes, files, err)
	}
	if err := New().TryWrite(dir); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := New().TryWrite(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there takes files")
	}
}

// The question is one of DNS, for a name in local that is another each time.
func TestQuestion(t *testing.T) {
	a, b := question(), question()
	if string(a) == string(b) || len(a) != len(b) {
		t.Errorf("%q and %q", a, b)
	}
	const header = 12
	n := int(a[header])
	if name := string(a[header+1 : header+1+n]); !strings.HasPrefix(name, "claudemesh-doctor-") {
		t.Errorf("the name is %q", name)
	}
	if rest := string(a[header+1+n:]); rest != "\x05local\x00\x00\xff\x00\x01" {
		t.Errorf("behind the name: %q", rest)
	}
}
