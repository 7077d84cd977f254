package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// phrase is the passphrase of the tests.
const phrase = "four words and a comma,"

// passphrase writes it into a file.
func passphrase(t *testing.T, h *harness.Home) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(h.Dir), "phrase")
	if err := os.WriteFile(path, []byte(phrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// save makes a backup of a home.
func save(ctx context.Context, t *testing.T, h *harness.Home) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(h.Dir), "a.cmb")
	var out backup.SaveResponse
	if err := h.JSON(ctx, &out, "backup", path, "--passphrase-file", passphrase(t, h), "--yes"); err != nil {
		t.Fatal(err)
	}
	if out.File != path || len(out.Meshes) != 1 || out.Meshes[0] != meshName {
		t.Fatalf("%+v", out)
	}
	return path
}

func must(ctx context.Context, t *testing.T, h *harness.Home, args ...string) string {
	t.Helper()
	out, err := h.Command(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != 0 {
		t.Fatalf("%v: status %d\n%s%s", args, out.Status, out.Stdout, out.Stderr)
	}
	return out.Stdout
}

// eventually repeats a look until it is satisfied.
func eventually(ctx context.Context, t *testing.T, what string, look func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !look() {
		select {
		case <-ctx.Done():
			t.Fatalf("never %s", what)
		case <-tick.C:
		}
	}
}

// wreck loses a home's data: all but the folder and, with it, the node's key.
func wreck(t *testing.T, h *harness.Home) {
	t.Helper()
	h.Kill()
	for _, name := range []string{"node.db", "node.key", "keys"} {
		if err := os.RemoveAll(filepath.Join(h.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(h.Dir, "node.db"), []byte("wreck"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// heardOf waits until h has heard of a session of another home, and with it where that
// home is: a backup made before that could not tell.
func heardOf(ctx context.Context, t *testing.T, h, other *harness.Home) {
	t.Helper()
	must(ctx, t, other, "call", "session.open", `{"agent_session":"b","name":"here"}`)
	eventually(ctx, t, "was the session heard of", func() bool {
		return strings.Contains(must(ctx, t, h, "peers"), "here")
	})
}

func valueOf(ctx context.Context, h *harness.Home, key string) string {
	var out struct{ Value json.RawMessage }
	if err := h.JSON(ctx, &out, "state", "get", key); err != nil {
		return ""
	}
	return string(out.Value)
}

// A home whose disk is lost comes back from its backup: it is a member again under its
// old name, what it and the others had written in the mesh is there, and mail that
// waited for it elsewhere arrives, also what was written after the backup was made.
func TestRestoreAfterALoss(t *testing.T) {
	t.Parallel()
	ctx := within(t, 90*time.Second)
	_, ana, bo := pair(ctx, t)
	must(ctx, t, ana, "state", "set", "ana-before", "1")
	must(ctx, t, bo, "state", "set", "bo-before", "2")
	heardOf(ctx, t, ana, bo)
	file := save(ctx, t, ana)
	must(ctx, t, ana, "state", "set", "ana-after", "3")
	must(ctx, t, ana, "profile", "--title", "Night shift")
	eventually(ctx, t, "did bo have ana's state", func() bool { return valueOf(ctx, bo, "ana-after") == "3" })
	wreck(t, ana)
	must(ctx, t, bo, "send", "ana", "waiting for you")
	must(ctx, t, bo, "state", "set", "bo-after", "4")

	must(ctx, t, ana, "restore", file, "--passphrase-file", passphrase(t, ana))
	mustStart(ctx, t, ana)
	eventually(ctx, t, "did the mail come", func() bool {
		return strings.Contains(must(ctx, t, ana, "inbox", "--wait", "0", "--again"), "waiting for you")
	})
	for key, want := range map[string]string{"ana-before": "1", "bo-before": "2", "ana-after": "3", "bo-after": "4"} {
		eventually(ctx, t, "was "+key+" back", func() bool { return valueOf(ctx, ana, key) == want })
		if got := valueOf(ctx, bo, key); got != want {
			t.Errorf("bo has %s = %s", key, got)
		}
	}
	if got := must(ctx, t, ana, "profile"); !strings.Contains(got, "Night shift") {
		t.Errorf("the profile is %s", got)
	}
	// And both ways again, also what is written anew.
	must(ctx, t, ana, "send", "bo", "I am back")
	must(ctx, t, ana, "state", "set", "ana-before", "10")
	eventually(ctx, t, "did bo hear of it", func() bool { return valueOf(ctx, bo, "ana-before") == "10" })
	eventually(ctx, t, "did bo get mail", func() bool {
		return strings.Contains(must(ctx, t, bo, "inbox", "--wait", "0", "--again"), "I am back")
	})
	kept, err := filepath.Glob(filepath.Join(ana.Dir, "node.db.before-restore.*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
	if left, _ := filepath.Glob(filepath.Join(ana.Dir, ".restore-*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// A backup restored beside the machine it was made on: that one hears of it, suspends
// the mesh and says so; the new one has the mail.
func TestARestoredCopySuspendsTheOriginal(t *testing.T) {
	t.Parallel()
	ctx := within(t, 90*time.Second)
	w, ana, bo := pair(ctx, t)
	must(ctx, t, ana, "state", "set", "k", "1")
	heardOf(ctx, t, ana, bo)
	file := save(ctx, t, ana)
	copied, err := w.Home("copy")
	if err != nil {
		t.Fatal(err)
	}
	must(ctx, t, copied, "restore", file, "--passphrase-file", passphrase(t, copied))
	mustStart(ctx, t, copied)

	var list mesh.ListResponse
	eventually(ctx, t, "was the original suspended", func() bool {
		if err := ana.JSON(ctx, &list, "list"); err != nil {
			t.Fatal(err)
		}
		return len(list.Meshes) == 1 && list.Meshes[0].Elsewhere != nil
	})
	if text := must(ctx, t, ana, "list"); !strings.Contains(text, "it is suspended here") {
		t.Errorf("the list says %q", text)
	}
	for _, args := range [][]string{{"send", "bo", "hello"}, {"state", "set", "k", "2"}, {"invite"}} {
		out, err := ana.Command(ctx, append(args, "--json")...)
		if err != nil {
			t.Fatal(err)
		}
		if out.Status != 7 || !strings.Contains(out.Stdout, "suspended") || !strings.Contains(out.Stdout, string(op.Denied)) {
			t.Errorf("%v: status %d, %s", args, out.Status, out.Stdout)
		}
	}
	must(ctx, t, bo, "send", "ana", "where are you?")
	eventually(ctx, t, "did the mail come to the copy", func() bool {
		return strings.Contains(must(ctx, t, copied, "inbox", "--wait", "0", "--again"), "where are you?")
	})
	eventually(ctx, t, "was the state at the copy", func() bool { return valueOf(ctx, copied, "k") == "1" })
	must(ctx, t, copied, "state", "set", "k", "3")
	eventually(ctx, t, "did bo hear the copy", func() bool { return valueOf(ctx, bo, "k") == "3" })

	// A restart changes nothing about it.
	ana.Kill()
	mustStart(ctx, t, ana)
	if err := ana.JSON(ctx, &list, "list"); err != nil || list.Meshes[0].Elsewhere == nil {
		t.Errorf("%+v, %v", list, err)
	}
	// It can be made the home again, and then the other one is suspended.
	file = save(ctx, t, ana)
	must(ctx, t, ana, "restore", file, "--passphrase-file", passphrase(t, ana))
	mustStart(ctx, t, ana)
	eventually(ctx, t, "was the copy suspended", func() bool {
		if err := copied.JSON(ctx, &list, "list"); err != nil {
			t.Fatal(err)
		}
		return list.Meshes[0].Elsewhere != nil
	})
	eventually(ctx, t, "was the state back", func() bool { return valueOf(ctx, ana, "k") == "3" })
}

// A file that is none, a wrong passphrase, a short one: each has its exit status, and
// nothing changes.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	ctx := within(t, 60*time.Second)
	w := newWorld(t)
	ana, err := w.Home(anaName)
	if err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, ana)
	must(ctx, t, ana, "new", meshName)
	file := save(ctx, t, ana)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, raw []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, short, wrong := passphrase(t, ana), write("short", []byte("elevenchars")), write("wrong", []byte("not that one at all"))
	bad := append([]byte(nil), before...)
	bad[len(bad)-1] ^= 1
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"too short a file":       {[]string{"restore", write("a", before[:60]), "--passphrase-file", good}, 3},
		"wrong magic":            {[]string{"restore", write("b", append([]byte("CMB2"), before[4:]...)), "--passphrase-file", good}, 3},
		"tampered":               {[]string{"restore", write("c", bad), "--passphrase-file", good}, 8},
		"wrong passphrase":       {[]string{"restore", file, "--passphrase-file", wrong}, 8},
		"missing file":           {[]string{"restore", filepath.Join(dir, "none"), "--passphrase-file", good}, 5},
		"nobody to ask":          {[]string{"restore", file}, 3},
		"too short a passphrase": {[]string{"backup", filepath.Join(dir, "new"), "--passphrase-file", short}, 3},
		"a backup that is there": {[]string{"backup", file, "--passphrase-file", good}, 6},
	} {
		out, err := ana.Command(ctx, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if out.Status != c.want || !strings.Contains(out.Stderr, "✘") {
			t.Errorf("%s: status %d\n%s", name, out.Status, out.Stderr)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(ana.Dir, "*before-restore*")); len(kept) != 0 {
		t.Errorf("changed: %v", kept)
	}
	must(ctx, t, ana, "info")
}
