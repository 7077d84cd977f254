//go:build unix

package terminal_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
)

// A newer release is told of on the screen, where an address of releases is set, at most
// once a day, and it stands in nobody's way.
func TestANewerRelease(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	info, err := release.Info{Version: "v2.0.0"}.Encode()
	must(t, err)
	sums := release.Sums{release.InfoName: sha256.Sum256(info)}.Encode()
	files := map[string][]byte{release.InfoName: info, release.SumsName: sums, release.SignatureName: ed25519.Sign(private, sums)}
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write(files[path.Base(r.URL.Path)])
	}))
	t.Cleanup(server.Close)
	old := filepath.Join(t.TempDir(), "old")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version=1.0.0 -X main.releaseKey="+release.FormatKey(public), "-o", old, "github.com/claudemesh/claudemesh/cmd/claudemesh")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := open(t, 80, 26, "CLAUDEMESH_UPDATE_URL="+server.URL+"/")
	link := filepath.Join(s.dir, "bin", "claudemesh")
	must(t, os.Remove(link))
	must(t, os.Symlink(old, link))
	s.shell("claudemesh")
	s.await("You are in no mesh yet")
	s.await("claudemesh upgrade")
	s.shot("welcome")
	s.press("Enter")
	s.await("What is the mesh to be called?")
	s.await("claudemesh upgrade")
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	once := asked.Load()
	s.shell("clear; claudemesh launch --plain")
	s.await("Choice [1]")
	s.press("C-c")
	s.await("cancelled")
	must(t, os.Remove(filepath.Join(s.dir, "home", ".claudemesh", "update-check.json")))
	if asked.Load() != once {
		t.Errorf("asked again within a day")
	}
	s.shell("clear; claudemesh launch --plain")
	s.await("Choice [1]")
	s.enter("1")
	// Line by line it is told between two questions, of which the answer may come too
	// late for the first.
	const news = "claudemesh v2.0.0 is there"
	for _, step := range []struct{ asks, answer string }{
		{"What is the mesh to be called?", "first-light"}, {"Your name in the mesh:", "ana"}, {"Its role:", "reviewer"},
	} {
		if s.await(step.asks); strings.Contains(s.screen(), news) {
			break
		}
		s.enter(step.answer)
	}
	s.await(news)
	s.press("C-c")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}
