//go:build unix

package cli_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// stage is ana, who owns the mesh team and has the sessions robin and merle, and ben,
// who has joined it. Both have a home and a node of their own.
type stage struct {
	ana, ben *harness.Home
	// vars are put for $NAME into words.
	vars map[string]string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	w := harnesstest.World(t, harness.Config{Bin: program, Env: []string{"CLAUDEMESH_AUTOSTART=1"}})
	s := &stage{vars: map[string]string{"WORK": t.TempDir()}}
	for name, home := range map[string]**harness.Home{"ana": &s.ana, "ben": &s.ben} {
		var err error
		if *home, err = w.Home(name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			if out, err := (*home).Command(ctx, "node", "down"); err != nil || out.Status != 0 {
				t.Errorf("the node of %s outlives its test: %+v, %v", name, out, err)
			}
		})
	}
	run(t, s.ana, "new", "team", "--as", "ana")
	s.vars["LINK"] = strings.TrimSpace(run(t, s.ana, "invite", "--uses", "5", "-q"))
	run(t, s.ben, "join", s.vars["LINK"], "--as", "ben")
	for _, name := range []string{"robin", "merle"} {
		run(t, s.ana, "call", "session.open", `{"agent_session":"s-`+name+`","name":"`+name+`"}`)
	}
	for name, text := range map[string]string{"phrase": "seven small green turtles\n", "empty": ""} {
		if err := os.WriteFile(filepath.Join(s.vars["WORK"], name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, s.ana, 0, "send ben hello")
	return s
}

// words are those of a line: separated by blanks, a text in '…' being one.
func (s *stage) words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	for i, word := range out {
		for name := range maps.Keys(s.vars) {
			word = strings.ReplaceAll(word, "$"+name, s.vars[name])
		}
		out[i] = word
	}
	return out
}

// run runs the words of a line.
func (s *stage) run(t *testing.T, h *harness.Home, line string) harness.Output {
	t.Helper()
	out, err := h.Command(limited(t), s.words(line)...)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

// until runs the words of a line until they exit with a status, as when the other node
// has to hear of something first.
func (s *stage) until(t *testing.T, h *harness.Home, status int, line string) (out harness.Output) {
	t.Helper()
	err := harness.Until(limited(t), func() (bool, any, error) {
		var err error
		out, err = h.Command(limited(t), s.words(line)...)
		return out.Status == status || status == whatever, out, err
	})
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return out
}

// keep takes a text out of a document, for later words.
func (s *stage) keep(name, document string, path ...string) {
	var doc any
	if json.Unmarshal([]byte(document), &doc) != nil {
		return
	}
	for _, key := range path {
		inner, ok := doc.(map[string]any)
		if !ok {
			return
		}
		doc = inner[key]
	}
	if text, ok := doc.(string); ok {
		s.vars[name] = text
	}
}
