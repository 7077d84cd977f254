package hook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// events are what Claude Code said to hooks, by file.
func events(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events: %v", err)
	}
	out := map[string]string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = string(text)
	}
	return out
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want Input
		err  error
	}{
		"whole":                  {`{"session_id":"s","cwd":"/w","prompt":"go","stop_hook_active":true}`, Input{Session: "s", Cwd: "/w", Prompt: "go", StopActive: true}, nil},
		"unknown fields":         {`{"x":{"session_id":"no"},"y":[1,{"cwd":2}],"session_id":"s"}`, Input{Session: "s"}, nil},
		"other types":            {`{"session_id":7,"cwd":null,"stop_hook_active":"yes","prompt":{"a":1},"source":"clear"}`, Input{Source: "clear"}, nil},
		"twice":                  {`{"source":"startup","source":"clear"}`, Input{Source: "clear"}, nil},
		"empty":                  {`{}`, Input{}, nil},
		"cut in a value":         {`{"session_id":"s","prompt":"and then`, Input{Session: "s"}, nil},
		"cut in a key":           {`{"session_id":"s","pro`, Input{Session: "s"}, nil},
		"cut behind a key":       {`{"session_id":"s","prompt"`, Input{Session: "s"}, nil},
		"cut at once":            {`{`, Input{}, nil},
		"wrong behind a field":   {`{"session_id":"s",]`, Input{Session: "s"}, nil},
		"something follows":      {`{"session_id":"s"} {"session_id":"t"}`, Input{Session: "s"}, nil},
		"blanks and line ends":   {"\r\n {\"session_id\"\t:\"s\"}\n", Input{Session: "s"}, nil},
		"escapes":                {`{"prompt":"\u003cchannel \"\\"}`, Input{Prompt: `<channel "\`}, nil},
		"no text":                {"", Input{}, errInput},
		"a list":                 {`[{"session_id":"s"}]`, Input{}, errInput},
		"a text":                 {`"session_id"`, Input{}, errInput},
		"no json":                {"session_id=s", Input{}, errInput},
		"other letters in a key": {`{"SESSION_ID":"s"}`, Input{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode([]byte(tt.in))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestDecodeWhatClaudeCodeSays(t *testing.T) {
	for name, text := range events(t) {
		in, err := decode([]byte(text))
		if err != nil || in.Session == "" || in.Cwd == "" || in.Transcript == "" {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

// What is decoded is what encoding/json finds, and of an input that is cut a part of it.
func FuzzDecode(f *testing.F) {
	for _, text := range events(f) {
		f.Add(text, 1000)
	}
	for _, text := range []string{``, `{`, `[]`, `{"session_id":1}`, `{"a":{"b":[{}]},"session_id":"s"}`, `{"prompt":"\ud800"}`, "{\"cwd\":\"\xff\"}"} {
		f.Add(text, len(text))
	}
	f.Fuzz(func(t *testing.T, text string, cut int) {
		whole, err := decode([]byte(text))
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &want) == nil && want != nil {
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for key, got := range map[string]string{"session_id": whole.Session, "prompt": whole.Prompt, "cwd": whole.Cwd, "agent_id": whole.Agent} {
				var s string
				if raw, ok := want[key]; ok && json.Unmarshal(raw, &s) == nil && strings.Count(text, key) == 1 && s != got {
					t.Fatalf("%s is %q, not %q", key, got, s)
				}
			}
		}
		if cut < 0 || cut >= len(text) || !json.Valid([]byte(text)) {
			return
		}
		part, err := decode([]byte(text[:cut]))
		if err == nil && part.Session != "" && part.Session != whole.Session && strings.Count(text, "session_id") == 1 {
			t.Fatalf("cut to %q: %+v", text[:cut], part)
		}
	})
}

const said = `{"session_id":"s","tool_response":"}"}`

func TestReadEndsWithTheObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			for _, part := range []string{said[:3], said[3:37], said[37:]} {
				_, _ = io.WriteString(w, part)
			}
		}()
		began := time.Now()
		in, err := hear(r).input() // whose other end stays open
		if err != nil || in.Session != "s" || time.Since(began) != 0 {
			t.Errorf("%+v, %v after %v", in, err, time.Since(began))
		}
		_ = r.Close()
	})
}

func TestReadGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		first   string
		session string
		err     error
	}{
		"nothing":       {"", "", errSilent},
		"a beginning":   {`{"session_id":"s","prompt":"`, "s", nil},
		"no JSON":       {"hello", "", errInput},
		"only a blank":  {"\n", "", errInput},
		"two beginning": {said + said[:5], "s", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go func() { _, _ = io.WriteString(w, tt.first) }()
				began := time.Now()
				in, err := hear(r).input()
				if in.Session != tt.session || !errors.Is(err, tt.err) || time.Since(began) != inputTime {
					t.Errorf("%+v, %v after %v", in, err, time.Since(began))
				}
				_ = r.Close()
				synctest.Wait()
			})
		})
	}
}

// A long input is read to its end, of which only the beginning is taken.
func TestReadALongInput(t *testing.T) {
	r, w := io.Pipe()
	text := `{"session_id":"s","tool_response":"` + strings.Repeat("x", 8<<20) + `","agent_id":"a"}`
	wrote := make(chan error, 1)
	go func() {
		_, err := io.WriteString(w, text)
		wrote <- errors.Join(err, w.Close())
	}()
	h := hear(r)
	in, err := h.input()
	if err != nil || in.Session != "s" || in.Agent != "" {
		t.Errorf("%+v, %v", in, err)
	}
	h.rest(t.Context())
	select {
	case <-h.ended:
	default:
		t.Error("it did not wait for the rest")
	}
	if err := <-wrote; err != nil {
		t.Errorf("its writer: %v", err)
	}
}

// Nobody waits for the rest of what is whole, nor longer than allowed.
func TestReadNoRest(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{said, `{"session_id":"` + strings.Repeat("x", maxInput)} {
		r, w := io.Pipe()
		go func() { _, _ = io.WriteString(w, text) }()
		h := hear(r)
		if _, err := h.input(); err != nil {
			t.Error(err)
		}
		ctx := ended
		if text == said {
			ctx = t.Context()
		}
		h.rest(ctx)
		_ = r.Close()
		<-h.ended
	}
}

func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	if _, err := hear(iotest.ErrReader(broken)).input(); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if in, err := hear(io.MultiReader(strings.NewReader(`{"session_id":"s","x`), iotest.ErrReader(broken))).input(); err != nil || in.Session != "s" {
		t.Errorf("%+v, %v", in, err)
	}
	if _, err := hear(strings.NewReader("")).input(); !errors.Is(err, errSilent) {
		t.Errorf("%v", err)
	}
	if in, err := hear(iotest.OneByteReader(strings.NewReader(said))).input(); err != nil || in.Session != "s" {
		t.Errorf("%+v, %v", in, err)
	}
}
