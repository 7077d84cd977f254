//go:build unix

package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// shop serves a folder with a release, and other bytes where a test says so.
type shop struct {
	dir string
	url string
	mu  sync.Mutex
	// in answers for a file instead.
	in map[string]func(http.ResponseWriter)
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	s.mu.Lock()
	instead := s.in[name]
	s.mu.Unlock()
	if instead != nil {
		instead(w)
		return
	}
	http.ServeFile(w, r, filepath.Join(s.dir, filepath.Base(name)))
}

// instead has a file answered otherwise until restore is called.
func (s *shop) instead(name string, answer func(http.ResponseWriter)) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in[name] = answer
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.in, name)
	}
}

// ours is the program's name in a release, for the system of the test.
var ours = "claudemesh-" + runtime.GOOS + "-" + runtime.GOARCH

// made runs a tool of the build from the repository's root.
func made(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// maxProgram is what a stripped program may take, in bytes. One dependency that calls
// methods by names it computes makes the linker keep all methods: that alone is 5 MB.
const maxProgram = 38_000_000

// released makes v1.0.0 of the program, as it is installed, and a shop with a signed
// release of v2.0.0, as `make release` does.
func released(t *testing.T) (old string, s *shop) {
	t.Helper()
	dir := t.TempDir()
	tool, key, dist := filepath.Join(dir, "release"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "dist")
	made(t, "go", "build", "-o", tool, "./cmd/release")
	made(t, tool, "key", key)
	public := made(t, tool, "public", key)
	old = filepath.Join(dir, "old")
	for version, path := range map[string]string{"v1.0.0": old, "v2.0.0": filepath.Join(dist, ours)} {
		made(t, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version+" -X main.releaseKey="+public, "-o", path, "./cmd/claudemesh")
	}
	info, err := os.Stat(old)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxProgram {
		t.Errorf("the program has %d bytes, over %d", info.Size(), maxProgram)
	}
	for _, system := range []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64.exe", "windows-arm64.exe"} {
		path := filepath.Join(dist, "claudemesh-"+system)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path, []byte(system), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s = &shop{dir: dist, in: map[string]func(http.ResponseWriter){}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	made(t, tool, "finish", "-version", "v2.0.0", "-url", s.url, "-latest", s.url, "-key", key, dist)
	return old, s
}

// owner is somebody with a program of their own.
type owner struct {
	t    *testing.T
	home string
	exe  string
	env  []string
}

func newOwner(t *testing.T, program, url string) *owner {
	t.Helper()
	home, err := os.MkdirTemp("", "cmu-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	o := &owner{t: t, home: home, exe: filepath.Join(home, "bin", "claudemesh")}
	o.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "CLAUDEMESH_LISTEN=127.0.0.1:0", "CLAUDEMESH_MDNS=0", "CLAUDEMESH_PORTMAP=0",
		"CLAUDEMESH_UPDATE_URL=" + url, "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"),
	}
	if program == "" {
		return o
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(o.exe), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.exe, text, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.run(0, "node", "down") })
	return o
}

func (o *owner) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	o.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = o.env, o.home
	return cmd
}

// run runs the program, which must exit with that status, and returns all it printed.
func (o *owner) run(status int, args ...string) string {
	o.t.Helper()
	cmd := o.command(o.exe, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		o.t.Errorf("claudemesh %v: %v, not status %d\n%s", args, err, status, out)
	}
	return string(out)
}

// document runs the program, which must succeed, and reads what it prints on stdout: on
// stderr it may tell what takes long.
func (o *owner) document(into any, args ...string) {
	o.t.Helper()
	cmd := o.command(o.exe, append(args, "--json")...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err := errors.Join(err, json.Unmarshal(out, into)); err != nil {
		o.t.Errorf("claudemesh %v: %v\n%s\n%s", args, err, out, said.String())
	}
}

// is checks which version is installed and which one the node runs.
func (o *owner) is(version string) {
	o.t.Helper()
	if out := o.run(0, "--version"); !strings.Contains(out, "claudemesh v"+version) {
		o.t.Errorf("installed: %s", out)
	}
	var node struct {
		Running bool
		Version string
	}
	if o.document(&node, "node", "status"); !node.Running || node.Version != version {
		o.t.Errorf("the node: %+v", node)
	}
	if out := o.run(0, "list"); !strings.Contains(out, "team") {
		o.t.Errorf("list: %s", out)
	}
}

// The real program, its node and a release made as `make release` makes it. What says
// which version it is, the program and the node, is what was built (catalogue 26).
func TestReleases(t *testing.T) {
	old, shop := released(t)
	t.Run("upgrade", func(t *testing.T) { upgradeAndBack(t, newOwner(t, old, shop.url), shop) })
	t.Run("install", func(t *testing.T) { installScript(t, shop) })
	t.Run("manifests", func(t *testing.T) {
		for _, name := range []string{"claudemesh.rb", "winget/Claudemesh.Claudemesh.installer.yaml", "winget/Claudemesh.Claudemesh.yaml"} {
			text, err := os.ReadFile(filepath.Join(shop.dir, name))
			if err != nil || strings.Contains(string(text), "@") || !strings.Contains(string(text), "2.0.0") {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	})
}

func upgradeAndBack(t *testing.T, o *owner, shop *shop) {
	o.run(0, "new", "team")
	if out := o.run(0, "upgrade", "--check"); !strings.Contains(out, "claudemesh v2.0.0 is there; this is v1.0.0") {
		t.Errorf("check: %s", out)
	}
	if out := o.run(7, "upgrade"); !strings.Contains(out, "--yes") {
		t.Errorf("without a yes: %s", out)
	}

	// Killed in the middle of fetching: the old one stays, and works.
	asked := make(chan struct{})
	gone := make(chan struct{})
	restore := shop.instead(ours, func(w http.ResponseWriter) {
		_, _ = w.Write(make([]byte, 1<<20))
		w.(http.Flusher).Flush()
		close(asked)
		<-gone
	})
	cmd := o.command(o.exe, "upgrade", "--yes")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(3 * time.Minute):
		t.Error("it never asked for the program")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(gone)
	restore()
	o.is("1.0.0")

	for name, c := range map[string]struct {
		file   string
		status int
		says   string
	}{
		"other bytes":     {ours, 7, "not what its checksum says"},
		"other signature": {"SHA256SUMS.sig", 7, "not signed by the key"},
		"other version":   {"release.json", 7, "not what its checksum says"},
	} {
		restore := shop.instead(c.file, func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(strings.Repeat("x", 64)))
		})
		if out := o.run(c.status, "upgrade", "--yes"); !strings.Contains(out, c.says) {
			t.Errorf("%s: %s", name, out)
		}
		restore()
	}
	o.is("1.0.0")

	var doc struct {
		Version       string `json:"schema_version"`
		Changed       bool   `json:"changed"`
		Installed     string `json:"installed"`
		NodeRestarted bool   `json:"node_restarted"`
	}
	if o.document(&doc, "update", "--yes"); doc.Version == "" || !doc.Changed || doc.Installed != "2.0.0" || !doc.NodeRestarted {
		t.Errorf("%+v", doc)
	}
	o.is("2.0.0")
	if out := o.run(0, "upgrade"); !strings.Contains(out, "v2.0.0 is the newest release") {
		t.Errorf("again: %s", out)
	}
	o.run(0, "upgrade", "--back", "--yes")
	o.is("1.0.0")

	// An address that does not answer, and none at all.
	o.env = append(o.env, "CLAUDEMESH_UPDATE_URL=http://127.0.0.1:1")
	if out := o.run(0, "upgrade"); !strings.Contains(out, "Nothing was changed") {
		t.Errorf("unreachable: %s", out)
	}
	o.env = append(o.env, "CLAUDEMESH_UPDATE_URL=")
	if out := o.run(0, "upgrade"); !strings.Contains(out, "nothing was asked for") {
		t.Errorf("no address: %s", out)
	}
}

func installScript(t *testing.T, shop *shop) {
	script, err := os.ReadFile(filepath.Join(shop.dir, "install.sh"))
	if err != nil {
		t.Fatal(err)
	}
	install := func(status int) (o *owner, said string) {
		t.Helper()
		o = newOwner(t, "", shop.url)
		cmd := o.command("sh", "-s")
		cmd.Stdin = strings.NewReader(string(script))
		cmd.Env = append(o.env, "PREFIX="+o.home)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
			t.Errorf("%v, not status %d\n%s", err, status, out)
		}
		left, err := filepath.Glob(filepath.Join(o.home, "bin", ".claudemesh*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		return o, string(out)
	}
	o, said := install(0)
	if out := o.run(0, "--version"); !strings.Contains(out, "claudemesh v2.0.0") || !strings.Contains(said, "Installed") {
		t.Errorf("%s\n%s", said, out)
	}
	for _, c := range []struct{ file, says string }{
		{ours, "not what its checksum says"},
		{"SHA256SUMS.sig", "signature of the release does not hold"},
	} {
		if c.file == "SHA256SUMS.sig" && !strings.Contains(said, "The signature of the release holds") {
			t.Log("no openssl here that knows Ed25519: " + said)
			continue
		}
		restore := shop.instead(c.file, func(w http.ResponseWriter) { _, _ = w.Write([]byte(strings.Repeat("x", 64))) })
		o, said := install(1)
		restore()
		if _, err := os.Stat(o.exe); err == nil || !strings.Contains(said, c.says) {
			t.Errorf("%s: %v\n%s", c.file, err, said)
		}
	}
}
