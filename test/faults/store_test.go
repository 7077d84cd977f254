package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
)

// A store that is damaged: the node does not start, says which file it is and what to
// do, and does not touch it. With a copy in its place everything is there.
func TestADamagedStore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana, path, good := stocked(ctx, t)
	for name, damage := range map[string]func([]byte) []byte{
		"zero length":       func([]byte) []byte { return nil },
		"cut in its middle": func(b []byte) []byte { return b[:len(b)/2] },
		"cut within a page": func(b []byte) []byte { return b[:len(b)/3+1234] },
		"cut in its header": func(b []byte) []byte { return b[:100] },
		"garbage as header": func(b []byte) []byte { _, _ = rand.Read(b[:2*os.Getpagesize()]); return b },
		"garbage":           func(b []byte) []byte { _, _ = rand.Read(b); return b },
		"a text":            func([]byte) []byte { return []byte("this is no store\n") },
		"zeros, as sparse":  func(b []byte) []byte { clear(b); return b },
	} {
		t.Run(name, func(t *testing.T) {
			bad := damage(append([]byte(nil), good...))
			must(t, os.WriteFile(path, bad, 0o600))
			fails(ctx, t, ana, "node", "up").says(t, "node.db", "damaged", "copy")
			now, err := os.ReadFile(path)
			must(t, err)
			if string(now) != string(bad) {
				t.Error("the damaged file was changed: nobody can repair it any more")
			}
			must(t, os.WriteFile(path, good, 0o600))
			whole(ctx, t, ana)
		})
	}
}

// A single page is damaged, somewhere. What the node cannot read it does not invent:
// a command answers as before, or says what is wrong.
func TestADamagedPage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ana, path, good := stocked(ctx, t)
	page := os.Getpagesize()
	count, step := len(good)/page, 8
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		step = 1
	}
	refused, served := 0, 0
	for n := 2; n < count; n += step {
		bad := append([]byte(nil), good...)
		_, _ = rand.Read(bad[n*page : (n+1)*page])
		must(t, os.WriteFile(path, bad, 0o600))
		out, err := ana.Command(ctx, "node", "up", "--json")
		must(t, err)
		if out.Status != 0 {
			refused++
			fails(ctx, t, ana, "node", "up").says(t, "node.db", "damaged")
			continue
		}
		served++
		for _, args := range [][]string{{"list"}, {"peers"}, {"state", "get", "plan"}, {"inbox"}, {"audit"}} {
			out, err := ana.Command(ctx, append(args, "--json")...)
			must(t, err)
			if out.Status != 0 {
				fails(ctx, t, ana, args...)
			}
		}
		if _, err := ana.Command(ctx, "node", "down", "--force"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("of %d pages tried, the node refused to start with %d and ran with %d", refused+served, refused, served)
	must(t, os.WriteFile(path, good, 0o600))
	whole(ctx, t, ana)
}

// stocked is somebody with a mesh, state and mail, whose node has ended, and the store.
func stocked(ctx context.Context, t *testing.T) (ana *harness.Home, path string, good []byte) {
	t.Helper()
	w := world(t, nil)
	ana = home(t, w, "ana", "")
	must(t, ana.JSON(ctx, &struct{}{}, "node", "up"))
	must(t, ana.JSON(ctx, &struct{}{}, "new", "atelier"))
	must(t, ana.JSON(ctx, &struct{}{}, "state", "set", "plan", `"kept"`))
	for i := range 20 {
		must(t, ana.JSON(ctx, &struct{}{}, "state", "set", fmt.Sprint("other ", i), `"kept"`))
	}
	must(t, ana.JSON(ctx, &struct{}{}, "send", "ana", "to myself", "--priority", "low"))
	must(t, ana.JSON(ctx, &struct{}{}, "node", "down"))
	path = filepath.Join(ana.Dir, "node.db")
	good, err := os.ReadFile(path)
	must(t, err)
	return ana, path, good
}

// whole checks that everything is there.
func whole(ctx context.Context, t *testing.T, ana *harness.Home) {
	t.Helper()
	must(t, ana.JSON(ctx, &struct{}{}, "node", "up"))
	var got struct{ Value string }
	must(t, ana.JSON(ctx, &got, "state", "get", "plan"))
	var all mesh.ListResponse
	must(t, ana.JSON(ctx, &all, "list"))
	if got.Value != "kept" || len(all.Meshes) != 1 {
		t.Errorf("something is missing: %+v, %+v", got, all)
	}
	must(t, ana.JSON(ctx, &struct{}{}, "node", "down"))
}
