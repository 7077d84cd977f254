package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// Results come in the order of the table, each as soon as those before it are there, and
// a check that hangs costs no more than its time.
func TestAHangingCheckCostsItsTimeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		defer close(let)
		all := []check{
			{name: "first", look: func(context.Context, *exam) []Finding { return one(pass("at once")) }},
			{name: "hangs", hangs: op.Word("free it"), look: func(context.Context, *exam) []Finding { <-let; return nil }},
			{name: "hangs too", look: func(context.Context, *exam) []Finding { <-let; return nil }},
			{name: "late", look: func(context.Context, *exam) []Finding { time.Sleep(3 * time.Second); return one(pass("late")) }},
		}
		began := time.Now()
		var at []time.Duration
		out := run(t.Context(), Env{}, Options{Each: func(Result) { at = append(at, time.Since(began)) }}, all)
		if len(out) != len(all) || out[1].Status != Fail || out[1].Findings[0].Fix != "free it" || out[2].Findings[0].Fix == "" || out[3].Status != Pass {
			t.Errorf("%+v", out)
		}
		if at[0] != 0 || at[3] > 10*time.Second {
			t.Errorf("the results came after %v", at)
		}
	})
}

// A node that does not answer is one failure, and everything else is still looked at.
func TestANodeThatHangs(t *testing.T) {
	p := newPatient(t)
	p.Node.Hello = func(ctx context.Context) (local.Hello, error) {
		<-ctx.Done()
		return local.Hello{}, ctx.Err()
	}
	began := time.Now()
	var failed []string
	for _, r := range Run(t.Context(), p.Env, Options{}) {
		if r.Status == Fail {
			failed = append(failed, r.Check)
		}
	}
	// 10 s is what is promised.
	if took := time.Since(began); took > 10*time.Second || !slices.Equal(failed, []string{"node"}) {
		t.Errorf("%v failed after %v", failed, took)
	}
}

// What several checks need is found out once.
func TestFactsAreFoundOutOnce(t *testing.T) {
	p := newPatient(t)
	var asked atomic.Int32
	hello := p.Node.Hello
	p.Node.Hello = func(ctx context.Context) (local.Hello, error) {
		asked.Add(1)
		return hello(ctx)
	}
	Run(t.Context(), p.Env, Options{})
	if n := asked.Load(); n != 1 {
		t.Errorf("the node was asked %d times who it is", n)
	}
}

// What cannot be mended says why, and stays a fault.
func TestWhatIsNotMendedSaysWhy(t *testing.T) {
	p := newPatient(t)
	p.write(t, `{}`, ".claude.json")
	must(t, os.Chmod(filepath.Join(p.Home, ".claude.json"), 0o400))
	r := p.look(t, "mcp", true)
	if r.Status != Fail || r.Findings[0].Done != "" || !strings.Contains(r.Findings[0].NotDone, "read-only") {
		t.Errorf("%+v", r)
	}
}

// What a link in the folder leads to keeps its mode, also where the link has come after the
// look; and a folder that is a link itself is looked through.
func TestNoModeIsGivenThroughALink(t *testing.T) {
	p := newPatient(t)
	outside := filepath.Join(p.Home, "outside")
	p.write(t, "x", "outside")
	linked := filepath.Join(p.Dir, "keys", "linked.key")
	must(t, os.Chmod(outside, 0o644), os.Symlink(outside, linked))
	if r := p.look(t, "modes", true); r.Status != Pass {
		t.Errorf("a link is told of: %+v", r.Findings)
	}
	if err := chmod(p.Dir, linked, 0o600); err == nil {
		t.Error("a link is followed")
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("its mode was changed: %v, %v", info, err)
	}
	must(t, os.Remove(linked))
	link := filepath.Join(p.Home, "link")
	must(t, os.Symlink(p.Dir, link), os.Chmod(p.Dir, 0o755))
	p.Dir = link
	if r := p.look(t, "modes", true); len(r.Findings) == 0 || r.Findings[0].Done == "" {
		t.Errorf("the folder behind a link is not looked at: %+v", r.Findings)
	}
}

// How bad an open file is depends on what it holds, and on who comes into its folder.
func TestOpenFilesAreJudgedByWhatTheyHold(t *testing.T) {
	for name, want := range map[string]Status{"keys/x.key": Fail, "logs/node.log": Warn} {
		p := newPatient(t)
		path := filepath.Join(p.Dir, filepath.FromSlash(name))
		p.write(t, "x", ".claudemesh", filepath.FromSlash(name))
		must(t, os.Chmod(path, 0o644), os.Chmod(filepath.Dir(path), 0o711), os.Chmod(p.Dir, 0o711))
		for _, f := range p.look(t, "modes", false).Findings {
			if strings.HasPrefix(f.Detail, path) && f.Status != want {
				t.Errorf("%s is %s, not %s", name, f.Status, want)
			}
		}
	}
}

// Folders that are not a dead session's are never touched.
func TestOnlyDeadSessionsAreRemoved(t *testing.T) {
	p := newPatient(t)
	old := today.Add(-48 * time.Hour)
	for name, content := range map[string]string{
		"claudemesh-1000000": "config.json", "claudemesh-young1": "config.json", "claudemesh-aNode1": "node.db",
		"claudemesh-bare12": "notes.txt", "other-a1B2c3": "config.json",
	} {
		p.write(t, "{}", "tmp", name, content)
		if name == "claudemesh-aNode1" {
			p.write(t, "{}", "tmp", name, "config.json")
		}
		at := old
		if name == "claudemesh-young1" {
			at = today.Add(-time.Hour)
		}
		dir := filepath.Join(p.Temp, name)
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error { return os.Chtimes(path, at, at) })
	}
	must(t, os.Symlink(p.Dir, filepath.Join(p.Temp, "claudemesh-linked")))
	if r := p.look(t, "sessions", true); r.Status != Pass || r.Findings[0].Done != "" {
		t.Errorf("%+v", r)
	}
}
