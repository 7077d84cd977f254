//go:build unix

package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// Who was removed from the only mesh there is hears that, and what to do, from every command
// that would tell about meshes; not that there is none.
func TestWhoWasRemovedIsToldSo(t *testing.T) {
	s := newStage(t)
	run(t, s.ana, "ban", "ben", "--yes")
	const why = "ana removed you from team"
	s.until(t, s.ben, 7, "peers")
	for _, line := range []string{"peers", "whoami", "stats", "peers --mesh team"} {
		out := s.run(t, s.ben, line)
		if out.Status != 7 || out.Stdout != "" || !strings.Contains(out.Stderr, why) || !strings.Contains(out.Stderr, "claudemesh leave team") {
			t.Errorf("%s: status %d\n%s%s", line, out.Status, out.Stdout, out.Stderr)
		}
		out = s.run(t, s.ben, line+" --json")
		var doc struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(out.Stdout), &doc); err != nil || out.Status != 7 || !strings.Contains(doc.Error.Message, why) || doc.Error.Hint == "" {
			t.Errorf("%s --json: status %d\n%s%s", line, out.Status, out.Stdout, out.Stderr)
		}
	}
	out := s.run(t, s.ben, "list")
	if out.Status != 0 || !strings.Contains(out.Stdout, why) || !strings.Contains(out.Stdout, "`claudemesh leave team` forgets it here") {
		t.Errorf("list: status %d\n%s%s", out.Status, out.Stdout, out.Stderr)
	}
	// Nothing is launched there, and nobody is sent into it.
	for _, line := range []string{"launch", "launch team", ""} {
		out, err := s.ben.CommandEnv(limited(t), []string{"CLAUDE_BIN=/bin/true"}, s.words(line)...)
		if err != nil || out.Status != 7 || !strings.Contains(out.Stderr, why) {
			t.Errorf("%q: %v, status %d\n%s%s", line, err, out.Status, out.Stdout, out.Stderr)
		}
	}
	// In another one all is as ever.
	s.run(t, s.ben, "new mine --as ben")
	out = s.run(t, s.ben, "peers")
	if out.Status != 0 || !strings.Contains(out.Stdout, "mine") {
		t.Errorf("peers: status %d\n%s%s", out.Status, out.Stdout, out.Stderr)
	}
}
