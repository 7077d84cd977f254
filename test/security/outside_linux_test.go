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
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/capture"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
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
	harnesstest.Main(m, &bin)
}

// pair is two people in one mesh, with sessions of agents' names on both sides.
func pair(t *testing.T) (*harness.World, *harness.Home, *harness.Home, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	w := harnesstest.World(t, harness.Config{Bin: bin, Limit: limit})
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

// What other users of the machine share with this one: the abstract sockets, which no
// folder protects, and the folders for temporary files.
func TestNothingLiesOutsideTheFolder(t *testing.T) {
	w, ana, bo, ctx := pair(t)
	must(ctx, t, ana, "new", "team")
	must(ctx, t, bo, "join", field(must(ctx, t, ana, "invite", "--json"), "link"))
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", ana.Node().PID()))
	if err != nil {
		t.Fatal(err)
	}
	own, err := sockets(ana.Node().PID())
	if err != nil {
		t.Fatal(err)
	}
	listened := false
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 8 || !own[f[6]] {
			continue
		}
		listened = true
		if !strings.HasPrefix(f[7], ana.Dir) && !strings.HasPrefix(f[7], w.Root()) {
			t.Errorf("a socket outside of the folder: %s", f[7])
		}
	}
	if !listened {
		t.Error("no socket of the node is known")
	}
	for _, dir := range []string{"tmp", "run"} {
		err := filepath.WalkDir(filepath.Join(w.Root(), dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == filepath.Join(w.Root(), dir) {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may use %s: %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listening are the TCP ports that a process listens at.
func listening(pid int) ([]int, error) { return ports(pid, "tcp", "0A") }

// ports are those of a process's sockets of a protocol that are in a state.
func ports(pid int, protocol, state string) (ports []int, err error) {
	own, err := sockets(pid)
	if err != nil {
		return nil, err
	}
	for _, table := range []string{protocol, protocol + "6"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != state || !own[f[9]] {
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

// sockets are the numbers of a process's sockets.
func sockets(pid int) (map[string]bool, error) {
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
	return own, nil
}

// loopback captures all that passes over the loopback.
func loopback(t *testing.T) *capture.Tap {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	tap, err := capture.Start(lo.Index)
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// Who captures everything that two nodes send sees no name, no group, no key of a
// member or session, no id of a mesh and no text.
func TestCapturedPacketsTellNothing(t *testing.T) {
	tap := loopback(t)
	defer tap.Stop()
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
	packets, err := tap.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if len(packets) < 20_000 || !bytes.Contains(packets, []byte("/multistream/1.0.0")) && !bytes.Contains(packets, []byte("/noise")) {
		t.Fatalf("%d bytes were captured: that is not the traffic of two nodes", len(packets))
	}
	var secrets []capture.Secret
	for _, text := range []string{
		"quuxworthy", "zaphodnimbus", "trillianquark", "plumbusmaker", "frobnicators", "grommetcount", "sprocketvalue", "flibbertigibbet",
		strings.TrimPrefix(link, "claudemesh://join/"), field(shown, "mesh_id"),
	} {
		secrets = append(secrets, capture.Secret{What: text, Raw: []byte(text)})
	}
	keys := regexp.MustCompile(`"[0-9a-f]{64}"`).FindAllString(shown, -1)
	if len(keys) < 2 || field(shown, "mesh_id") == "" {
		t.Fatalf("the keys are not known: %s", shown)
	}
	for _, key := range keys {
		raw, err := hex.DecodeString(strings.Trim(key, `"`))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, capture.Secret{What: "the key " + key, Raw: raw})
	}
	for _, found := range capture.Found(packets, secrets) {
		t.Errorf("%s can be read on the network", found)
	}
}
