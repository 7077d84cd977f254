package hook

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

func id(n int) string { return fmt.Sprintf("0190a5b2-0000-7000-8000-%012x", n) }

// pushedText is a message as the client writes what was pushed.
func pushedText(n int) string {
	return fmt.Sprintf("<channel source=\"claudemesh\" from_name=\"bo\" kind=\"direct\" message_id=%q>\nbo: hi\n</channel>", id(n))
}

// handedText is one as a hook hands it out.
func handedText(t testing.TB, n int) string {
	t.Helper()
	text, err := mcp.Element(op.Message{ID: id(n), FromName: "bo", Kind: "direct", Body: "hi"}, "m", "one")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// line is a line of a transcript about a text.
func line(kind, text string) string {
	raw, err := json.Marshal(map[string]any{"type": kind, "message": map[string]any{"role": "user", "content": text}})
	if err != nil {
		panic(err) // of a string
	}
	// Claude Code escapes no angle brackets.
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(raw)) + "\n"
}

func TestTranscript(t *testing.T) {
	long := strings.Repeat("x", maxTail)
	for name, tt := range map[string]struct {
		text    string
		ids     []int
		channel bool
	}{
		"empty":                        {"", nil, false},
		"pushed":                       {line("user", pushedText(1)), []int{1}, true},
		"handed out":                   {line("attachment", handedText(t, 2)), []int{2}, false},
		"both, and twice":              {line("user", pushedText(1)) + line("user", handedText(t, 2)+pushedText(1)), []int{1, 2}, true},
		"several in a line":            {line("user", pushedText(1)+"\n"+pushedText(3)), []int{1, 3}, true},
		"in the client's queue":        {line("queue-operation", pushedText(1)), nil, false},
		"a queue that is spoken of":    {line("user", `the "queue-operation" line `+pushedText(1)), []int{1}, true},
		"without an id":                {line("user", `<channel source="claudemesh" kind="welcome">`), nil, true},
		"an id that is none":           {line("user", `<channel source="claudemesh" message_id="0190">`), nil, true},
		"of another server":            {line("user", strings.Replace(pushedText(1), `"claudemesh"`, `"other"`, 1)), nil, false},
		"made neutral":                 {line("user", "&lt;"+pushedText(1)[1:]), nil, false},
		"behind a long line":           {line("user", pushedText(1)+long) + line("user", pushedText(2)), []int{2}, true},
		"the end of a long line":       {line("queue-operation", long+pushedText(1)), nil, false},
		"a line that is being written": {line("user", pushedText(1)) + `{"type":"user","message":"<chan`, []int{1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.jsonl")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, n := range tt.ids {
				want = append(want, id(n))
			}
			var s seen
			if err := s.transcript(path); err != nil || !slices.Equal(s.ids, want) || s.channel != tt.channel {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// The newest are told if there are many.
func TestTranscriptOfMany(t *testing.T) {
	var s seen
	for n := range 3 * maxIDs {
		s.look([]byte(pushedText(n)))
	}
	if len(s.ids) != maxIDs || s.ids[0] != id(2*maxIDs) || s.ids[maxIDs-1] != id(3*maxIDs-1) {
		t.Errorf("%d ids, from %s", len(s.ids), s.ids[0])
	}
}

func TestTranscriptThatIsNone(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing"), os.DevNull, "\x00"} {
		var s seen
		if err := s.transcript(path); err == nil || len(s.ids) > 0 {
			t.Errorf("%q: %v, %v", path, s, err)
		}
	}
	if err := new(seen).transcript(""); err != nil {
		t.Errorf("no transcript: %v", err)
	}
}

// Whatever stands in it: what is told are ids, each once, that stand in lines which the
// model was given.
func FuzzTranscript(f *testing.F) {
	for _, seed := range []string{
		"", line("user", pushedText(1)), line("user", handedText(f, 2)), line("queue-operation", pushedText(1)),
		"<channel source=\"claudemesh\" >", strings.Repeat(pushedText(1), 3), "\n\n" + pushedText(1), `<channel source=\"claudemesh\" message_id=\"` + id(4) + `\"`,
	} {
		f.Add(seed, "")
	}
	f.Add(line("user", pushedText(1)), strings.Repeat("y", 100))
	plainID := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	path := filepath.Join(f.TempDir(), "t.jsonl")
	f.Fuzz(func(t *testing.T, text, before string) {
		if err := os.WriteFile(path, []byte(before+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		var s seen
		if err := s.transcript(path); err != nil {
			t.Fatal(err)
		}
		for i, got := range s.ids {
			if !plainID.MatchString(got) || slices.Contains(s.ids[:i], got) || len(s.ids) > maxIDs {
				t.Fatalf("%q", s.ids)
			}
			if !slices.ContainsFunc(strings.Split(before+"\n"+text, "\n"), func(l string) bool {
				return strings.Contains(l, got) && strings.Contains(l, "<channel source=") && !strings.Contains(l, `"queue-operation"`)
			}) {
				t.Fatalf("%s is in no line that counts", got)
			}
		}
		if s.channel && !strings.Contains(before+text, "<channel source=") {
			t.Fatal("a channel out of nothing")
		}
	})
}
