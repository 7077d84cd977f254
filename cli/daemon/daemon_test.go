//go:build unix

package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/store/file"
)

// TestMain lets the test binary play the node.
func TestMain(m *testing.M) {
	switch os.Getenv("FAKE_NODE") {
	case "":
		goleak.VerifyTestMain(m)
	case "said":
		fmt.Println(`{"Code":"invalid","Message":"the port is taken","Hint":"take another"}`)
		fmt.Fprintln(os.Stderr, "some log line")
		os.Exit(3)
	case "silent":
		os.Exit(9)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		os.Exit(fakeNode(os.Getenv("FAKE_SOCKET")))
	case "slow":
		time.Sleep(slowStart)
		os.Exit(fakeNode(os.Getenv("FAKE_SOCKET")))
	case "broken":
		fmt.Fprintln(os.Stderr, "the port is taken")
		os.Exit(8)
	default:
		os.Exit(fakeNode(os.Getenv("FAKE_NODE")))
	}
}

// slowStart is longer than any probe of a node that is up would be waited for.
const slowStart = 2500 * time.Millisecond

// fakeNode answers probes on a socket until SIGTERM. As a real one does, it
// refuses to run twice in one folder.
func fakeNode(socket string) int {
	end, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 8
	}
	if os.Getenv("FAKE_LOCK") != "" {
		if lock, err := file.TryLock(socket + ".lock"); lock == nil || err != nil {
			return 8
		}
	}
	fmt.Fprintln(os.Stderr, "node up")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			pid := os.Getpid()
			if said, err := strconv.Atoi(os.Getenv("FAKE_PID")); err == nil {
				pid = said
			}
			_ = json.NewEncoder(c).Encode(daemon.State{Version: "1", PID: pid, Ready: true})
			c.Close()
		}
	}()
	<-end.Done()
	l.Close()
	return 0
}

type world struct {
	dir    string
	now    time.Time
	manual bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{dir: dir, now: time.Now()}
	t.Cleanup(func() { _, _ = w.control("").Down(context.Background(), true) })
	return w
}

// control is what one command would use; mode "broken" starts a node that fails.
func (w *world) control(mode string) *daemon.Control {
	socket := filepath.Join(w.dir, "s")
	if mode == "" {
		mode = socket
	}
	return daemon.New(daemon.Config{
		Dir:     w.dir,
		Command: []string{os.Args[0]},
		Manual:  w.manual,
		Socket:  socket,
		Failure: func(stdout []byte) (f daemon.Failure, ok bool) {
			return f, json.Unmarshal(stdout, &f) == nil
		},
		Environ:  append(os.Environ(), "FAKE_NODE="+mode, "FAKE_SOCKET="+socket),
		Probe:    func(ctx context.Context) (daemon.State, error) { return probe(ctx, socket) },
		Absent:   func(err error) bool { var e *net.OpError; return errors.As(err, &e) && e.Op == "dial" },
		Progress: func(string) func() { return func() {} },
		Working:  func(string) func() { return func() {} },
		Now:      func() time.Time { return w.now },
		Log:      slog.New(slog.DiscardHandler),
	})
}

func probe(ctx context.Context, socket string) (daemon.State, error) {
	var s daemon.State
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return s, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	return s, json.NewDecoder(c).Decode(&s)
}

func TestManyCommandsStartOneNode(t *testing.T) {
	w := newWorld(t)
	pids := make([]int, 8)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() {
			s, err := w.control("").Ensure(t.Context())
			if err != nil {
				t.Error(err)
			}
			pids[i] = s.PID
		})
	}
	wg.Wait()
	for _, pid := range pids {
		if pid == 0 || pid != pids[0] {
			t.Fatalf("several nodes: %v", pids)
		}
	}
	if _, started, err := w.control("").Up(t.Context()); err != nil || started {
		t.Fatalf("started again: %v, %v", started, err)
	}
}

// Line 18 of the bug catalogue: a node that takes its time to start is neither taken
// for one that does not answer nor started twice.
func TestANodeThatStartsSlowly(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	pids := make([]int, 3)
	for i := range pids {
		wg.Go(func() {
			s, err := w.control("slow").Ensure(t.Context())
			if err != nil {
				t.Error(err)
			}
			pids[i] = s.PID
		})
	}
	wg.Wait()
	if pids[0] == 0 || pids[1] != pids[0] || pids[2] != pids[0] {
		t.Errorf("started %v", pids)
	}
}

func TestDownEndsTheNodeAndIsRemembered(t *testing.T) {
	w := newWorld(t)
	c := w.control("")
	if _, err := c.Ensure(t.Context()); err != nil || !c.Wanted() {
		t.Fatal(err, c.Wanted())
	}
	if ran, err := c.Down(t.Context(), false); err != nil || !ran {
		t.Fatalf("ran %v, %v", ran, err)
	}
	if _, err := probe(t.Context(), filepath.Join(w.dir, "s")); err == nil {
		t.Error("the node still answers")
	}
	if c.Wanted() {
		t.Error("a stopped node is wanted")
	}
	if ran, err := c.Down(t.Context(), true); err != nil || ran {
		t.Errorf("stopped twice: %v, %v", ran, err)
	}
	if _, err := c.Ensure(t.Context()); err != nil || !c.Wanted() {
		t.Errorf("after a start: %v, wanted %v", err, c.Wanted())
	}
}

func TestAFailedStartIsNotRepeatedAtOnce(t *testing.T) {
	w := newWorld(t)
	var failed *daemon.StartError
	_, err := w.control("broken").Ensure(t.Context())
	if !errors.As(err, &failed) || failed.Message != "the port is taken" || failed.Ago != 0 {
		t.Fatalf("first: %v", err)
	}
	w.now = w.now.Add(10 * time.Second)
	_, err = w.control("").Ensure(t.Context())
	if !errors.As(err, &failed) || failed.Ago != 10*time.Second || !strings.Contains(err.Error(), "10 s ago") {
		t.Fatalf("within the back-off: %v", err)
	}
	mended := filepath.Join(w.dir, "config.json")
	if err := os.WriteFile(mended, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(mended, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control("broken").Ensure(t.Context()); !errors.As(err, &failed) || failed.Ago != 0 {
		t.Errorf("after the settings were changed: %v", err)
	}
	w.now = w.now.Add(daemon.BackOff)
	if _, err := w.control("broken").Ensure(t.Context()); !errors.As(err, &failed) || failed.Ago != 0 {
		t.Fatalf("after the back-off: %v", err)
	}
	if _, started, err := w.control("").Up(t.Context()); err != nil || !started {
		t.Fatalf("a person's start waited: %v, %v", started, err)
	}
}

func TestALargeLogIsPutAside(t *testing.T) {
	w := newWorld(t)
	c := w.control("")
	if err := os.MkdirAll(filepath.Dir(c.LogPath()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.LogPath(), make([]byte, 10<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, err := os.Stat(c.LogPath() + ".1")
	if err != nil || old.Size() != 10<<20+1 {
		t.Fatalf("%v, %v", old, err)
	}
	if text, err := os.ReadFile(c.LogPath()); err != nil || !strings.Contains(string(text), "node up") {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestWhereAServiceManagerStartsTheNodeNoCommandDoes(t *testing.T) {
	w := newWorld(t)
	w.manual = true
	if _, err := w.control("").Ensure(t.Context()); !errors.Is(err, daemon.ErrManual) {
		t.Fatal(err)
	}
	if _, started, err := w.control("").Up(t.Context()); err != nil || !started {
		t.Fatalf("a person could not start it: %v, %v", started, err)
	}
	if _, err := w.control("").Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAKilledNodeIsStartedAnew(t *testing.T) {
	w := newWorld(t)
	s, err := w.control("").Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(w.dir, "s")) // a real node replaces a dead socket itself
	again, err := w.control("").Ensure(t.Context())
	if err != nil || again.PID == s.PID {
		t.Fatalf("%+v, %v", again, err)
	}
}

// What the node says of its failure counts more than its log, and is remembered.
func TestAFailureKeepsItsCodeAndHint(t *testing.T) {
	w := newWorld(t)
	var failed *daemon.StartError
	want := daemon.Failure{Code: "invalid", Message: "the port is taken", Hint: "take another"}
	for range 2 {
		if _, err := w.control("said").Ensure(t.Context()); !errors.As(err, &failed) || failed.Failure != want {
			t.Fatalf("%v: %+v", err, failed)
		}
		w.now = w.now.Add(time.Second)
	}
	if failed.Ago == 0 {
		t.Error("not remembered")
	}
	if _, _, err := w.control("silent").Up(t.Context()); !errors.As(err, &failed) || !strings.Contains(failed.Message, "exit status 9") {
		t.Errorf("silent: %v", err)
	}
}

func TestANodeThatHangs(t *testing.T) {
	w := newWorld(t)
	s, err := w.control("stubborn").Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var hung *daemon.HungError
	if _, err := w.control("").Down(t.Context(), false); !errors.As(err, &hung) || (hung.PID != s.PID && hung.PID != 0) {
		t.Fatalf("%v", err)
	}
	if hung.PID == 0 {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
		t.Skip("this system does not tell who listens at a socket")
	}
	if ran, err := w.control("").Down(t.Context(), true); err != nil || !ran {
		t.Fatalf("%v, %v", ran, err)
	}
	if _, err := net.Dial("unix", filepath.Join(w.dir, "s")); err == nil {
		t.Error("it lives on")
	}
}

// Whoever listens at the socket is ended only if it is the node: not another program, not one
// that names somebody else's process, and not one without the node's lock.
func TestNothingButTheNodeIsEnded(t *testing.T) {
	other := renamed(t)
	for name, c := range map[string]struct {
		program string
		env     string
		lock    bool
		hangs   bool
		why     string
	}{
		"another program":            {program: other, why: "it runs " + other},
		"another program that hangs": {program: other, hangs: true, why: "it runs " + other},
		"it names another process":   {program: os.Args[0], env: "FAKE_PID=" + strconv.Itoa(os.Getpid()), why: "calls itself another process"},
		"it has no lock":             {program: os.Args[0], lock: true, why: "does not hold the lock"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			socket := filepath.Join(w.dir, "s")
			cmd := listening(t, c.program, socket, c.env)
			if c.lock {
				if err := os.WriteFile(socket+".lock", nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.hangs {
				if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			control := w.control("")
			if control.Listener() == 0 {
				t.Skip("this system does not tell who listens at a socket")
			}
			for _, force := range []bool{false, true} {
				var foreign *daemon.ForeignError
				if _, err := control.Down(t.Context(), force); !errors.As(err, &foreign) || foreign.PID != cmd.Process.Pid || !strings.Contains(foreign.Why, c.why) {
					t.Errorf("force %v: %v", force, err)
				}
			}
			if c.hangs {
				var foreign *daemon.ForeignError
				if _, err := control.Ensure(t.Context()); !errors.As(err, &foreign) {
					t.Errorf("it is taken for a node: %v", err)
				}
			}
			if !daemon.Alive(cmd.Process.Pid) {
				t.Error("it was ended")
			}
		})
	}
}

// Who holds the lock is the node, whatever its program is called, whether it answers or not,
// and also if its socket was removed.
func TestTheHolderOfTheLockIsTheNode(t *testing.T) {
	for name, hide := range map[string]func(socket string, node *os.Process) error{
		"frozen":         func(_ string, node *os.Process) error { return node.Signal(syscall.SIGSTOP) },
		"without socket": func(socket string, _ *os.Process) error { return os.Remove(socket) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			socket := filepath.Join(w.dir, "s")
			cmd := listening(t, renamed(t), socket, "FAKE_LOCK=1")
			if file.Holder(socket+".lock") == 0 {
				t.Skip("this system does not tell who holds a lock")
			}
			if err := hide(socket, cmd.Process); err != nil {
				t.Fatal(err)
			}
			if ran, err := w.control("").Down(t.Context(), true); err != nil || !ran {
				t.Errorf("%v, %v", ran, err)
			}
			if held := file.Holder(socket + ".lock"); held != 0 {
				t.Errorf("process %d lives on", held)
			}
		})
	}
}

// renamed is a copy of the test's program under another name.
func renamed(t *testing.T) string {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(other, text, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// listening is a fake node of a program that has answered. It is ended with the test.
func listening(t *testing.T, program, socket, env string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "FAKE_NODE="+socket, env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := probe(t.Context(), socket); err == nil {
			return cmd
		}
		if time.Now().After(until) {
			t.Fatal("it does not listen")
		}
	}
}
