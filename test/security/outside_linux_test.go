package security

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	asChild = "CLAUDEMESH_TEST_REACH" // in a child: the folder to reach into
	nobody  = 65534
	limit   = 2 * time.Minute
)

var bin string

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		reach(dir)
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "cmesh-bin-")
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		bin, err = harness.Build(ctx, dir)
		cancel()
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // a temporary folder
	os.Exit(code)
}

// pair is two people in one mesh, with sessions of agents' names on both sides.
func pair(t *testing.T) (*harness.World, *harness.Home, *harness.Home, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	w, err := harness.New(harness.Config{Bin: bin, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	var homes []*harness.Home
	for _, name := range []string{"zaphodnimbus", "trillianquark"} {
		h, err := w.Home(name)
		if err == nil {
			err = h.Start(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		homes = append(homes, h)
	}
	return w, homes[0], homes[1], ctx
}

// must runs a command that must succeed.
func must(ctx context.Context, t *testing.T, h *harness.Home, args ...string) string {
	t.Helper()
	out, err := h.Command(ctx, args...)
	if err != nil || out.Status != 0 {
		t.Fatalf("%v: %v, status %d\n%s%s", args, err, out.Status, out.Stdout, out.Stderr)
	}
	return out.Stdout
}

// reach tries, as another user, what must not be possible, and prints what was.
func reach(dir string) {
	// To enter a folder is enough for a socket in it.
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			fmt.Println("listed", path)
		}
		return nil
	})
	if err != nil {
		fmt.Println("walked", err)
	}
	for _, path := range strings.Split(os.Getenv(asChild+"_PATHS"), "\n") {
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = conn.Close()
			fmt.Println("connected to", path)
		} else if !errors.Is(err, os.ErrPermission) {
			fmt.Println("not refused", path, err)
		}
		if f, err := os.Open(path); err == nil {
			_ = f.Close()
			fmt.Println("opened", path)
		}
	}
}

// Another user of the machine lists nothing, opens no file and no socket.
func TestAnotherUserReachesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	_, ana, _, ctx := pair(t)
	must(ctx, t, ana, "new", "team")
	dir := strings.TrimSpace(field(must(ctx, t, ana, "node", "status", "--json"), "dir"))
	if dir == "" {
		t.Fatal("the folder is not known")
	}
	// What lies above the folder is this test's own, and open.
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if up != dir {
			if err := os.Chmod(up, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	var paths []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(paths) < 3 {
		t.Fatalf("only %v", paths)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "reach")
	for up := filepath.Dir(exe); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Dir = "/"
	cmd.Env = []string{asChild + "=" + dir, asChild + "_PATHS=" + strings.Join(paths, "\n")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("another user could: %v\n%s", err, out)
	}
}

// field is a text in a document.
func field(doc, name string) string {
	m := regexp.MustCompile(`"` + name + `": "([^"]*)"`).FindStringSubmatch(doc)
	if m == nil {
		return ""
	}
	return m[1]
}

// A page in a browser can reach TCP ports alone. The node has none but libp2p's, and
// that one answers no HTTP.
func TestNoPortButLibp2ps(t *testing.T) {
	_, ana, _, ctx := pair(t)
	must(ctx, t, ana, "new", "team")
	ports, err := listening(ana.Node().PID())
	if err != nil || len(ports) != 1 {
		t.Fatalf("it listens at %v, %v", ports, err)
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /v1/hello HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, _ := conn.Read(answer)
	if bytes.Contains(answer[:n], []byte("HTTP/")) || bytes.Contains(answer[:n], []byte("claudemesh")) {
		t.Errorf("a page is answered: %q", answer[:n])
	}
}

// listening are the TCP ports that a process listens at.
func listening(pid int) (ports []int, err error) {
	own := make(map[string]bool)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	for _, fd := range fds {
		// One that is closed meanwhile is no socket of a listener.
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil {
			own[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !own[f[9]] {
				continue
			}
			_, hexPort, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hexPort, 16, 16)
			if err != nil {
				return nil, err
			}
			ports = append(ports, int(port))
		}
	}
	return ports, nil
}

// capture gathers all that passes over the loopback until it is stopped.
func capture(t *testing.T) (stop func() []byte) {
	t.Helper()
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, all)
	if err != nil {
		t.Skipf("packets cannot be captured here: %v", err)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index}),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<20),
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 100_000}),
	); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var got bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		packet := make([]byte, 1<<17)
		for {
			select {
			case <-done:
				return
			default:
			}
			if n, _, err := syscall.Recvfrom(fd, packet, 0); err == nil {
				got.Write(packet[:n])
			}
		}
	})
	return sync.OnceValue(func() []byte {
		close(done)
		wg.Wait()
		_ = syscall.Close(fd) // nothing is read from it any more
		return got.Bytes()
	})
}

// Who captures everything that two nodes send sees no name, no group, no key of a
// member or session, no id of a mesh and no text.
func TestCapturedPacketsTellNothing(t *testing.T) {
	stop := capture(t)
	defer stop()
	_, ana, bo, ctx := pair(t)
	must(ctx, t, ana, "new", "quuxworthy", "--as", "zaphodnimbus")
	link := field(must(ctx, t, ana, "invite", "--json"), "link")
	must(ctx, t, bo, "join", link, "--as", "trillianquark")
	must(ctx, t, bo, "profile", "--title", "plumbusmaker", "--groups", "frobnicators")
	must(ctx, t, ana, "state", "set", "grommetcount", `"sprocketvalue"`)
	must(ctx, t, bo, "send", "zaphodnimbus", "the flibbertigibbet text")
	must(ctx, t, ana, "inbox", "--wait", "20")
	shown := ""
	for _, h := range []*harness.Home{ana, bo} {
		for _, args := range [][]string{{"list"}, {"peers", "--all"}, {"whoami"}, {"info"}} {
			shown += must(ctx, t, h, append(args, "--json")...)
		}
	}
	packets := stop()
	if len(packets) < 20_000 || !bytes.Contains(packets, []byte("/multistream/1.0.0")) && !bytes.Contains(packets, []byte("/noise")) {
		t.Fatalf("%d bytes were captured: that is not the traffic of two nodes", len(packets))
	}
	secrets := []string{
		"quuxworthy", "zaphodnimbus", "trillianquark", "plumbusmaker", "frobnicators", "grommetcount", "sprocketvalue", "flibbertigibbet",
		strings.TrimPrefix(link, "claudemesh://join/"), field(shown, "mesh_id"),
	}
	keys := regexp.MustCompile(`"[0-9a-f]{64}"`).FindAllString(shown, -1)
	if len(keys) < 2 || field(shown, "mesh_id") == "" {
		t.Fatalf("the keys are not known: %s", shown)
	}
	for _, key := range keys {
		key = strings.Trim(key, `"`)
		raw, err := hex.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key, string(raw))
	}
	for _, s := range secrets {
		if s != "" && bytes.Contains(packets, []byte(s)) {
			t.Errorf("%q can be read on the network", s)
		}
	}
}
