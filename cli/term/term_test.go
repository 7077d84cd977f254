package term_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/term"
)

func newTerm(in string) (*term.Term, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	t := term.New(term.Config{
		In: strings.NewReader(in), Out: &out, Err: &err,
		Getenv: func(string) string { return "" },
	})
	return t, &out, &err
}

func TestNoTerminalNoColour(t *testing.T) {
	tm, out, _ := newTerm("")
	tm.Line("%s %s", term.Green(term.OK), term.Bold("ana"))
	if out.String() != "  ✔ ana\n" {
		t.Fatalf("%q", out)
	}
}

func TestPeersCannotSteerTheTerminal(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		evil := rapid.StringOf(rapid.OneOf(
			rapid.Rune(), rapid.RuneFrom([]rune("\x1b\r\n\t\u009b\u202e\u2028\x7f\x07"))),
		).Draw(r, "text")
		tm, out, errs := newTerm("")
		tm.Line("%s %s", evil, term.Bold(evil))
		if n := strings.Count(out.String(), "\n"); n != 1 {
			r.Fatalf("%d lines", n)
		}
		tm.Block(1, evil)
		tm.Fail(term.Failure{Code: "x", Message: evil, Hint: evil})
		if err := tm.JSON(map[string]string{"k": evil}); err != nil {
			r.Fatal(err)
		}
		for _, c := range out.String() + errs.String() {
			if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
				r.Fatalf("%q got through", c)
			}
		}
	})
}

func TestDocuments(t *testing.T) {
	for name, c := range map[string]struct {
		v    any
		want string
	}{
		"empty":  {struct{}{}, "{\n  \"schema_version\": \"1.0\"\n}\n"},
		"keys":   {struct{ B, A int }{1, 2}, "{\n  \"schema_version\": \"1.0\",\n  \"B\": 1,\n  \"A\": 2\n}\n"},
		"raw":    {json.RawMessage(`{"a":[1,{"b":2}]}`), "{\n  \"schema_version\": \"1.0\",\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ]\n}\n"},
		"escape": {map[string]string{"a": "<&>\u009b"}, "{\n  \"schema_version\": \"1.0\",\n  \"a\": \"<&>\\u009b\"\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			tm, out, _ := newTerm("")
			if err := tm.JSON(c.v); err != nil || out.String() != c.want {
				t.Fatalf("%q, %v", out, err)
			}
		})
	}
	tm, _, _ := newTerm("")
	if err := tm.JSON([]int{1}); err == nil {
		t.Error("an array passed for a document")
	}
}

func TestWithDocumentsNothingElseIsOnStdout(t *testing.T) {
	tm, out, errs := newTerm("")
	tm.Document(true)
	tm.Line("text")
	tm.Bare("text")
	tm.Block(1, "text")
	tm.Warn("care")
	tm.Fail(term.Failure{Code: "not_found", Message: "no.", Hint: "look"})
	var doc struct {
		Version string `json:"schema_version"`
		OK      bool
		Error   term.Failure
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Version != "1.0" || doc.Error.Hint != "look" {
		t.Fatalf("%s: %+v, %v", out, doc, err)
	}
	if errs.String() != "  ⚠ care\n" {
		t.Errorf("stderr: %q", errs)
	}
}

func TestQuiet(t *testing.T) {
	tm, _, errs := newTerm("")
	tm.Quiet(true)
	tm.Note("note")
	tm.Warn("care")
	if errs.String() != "  ⚠ care\n" {
		t.Fatalf("%q", errs)
	}
}

func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	tm, _, errs := newTerm("2\n")
	if _, err := tm.Choose(t.Context(), "which?", []string{"a", "b"}); err == nil || errs.Len() > 0 {
		t.Fatalf("%v, %q", err, errs)
	}
}

func TestReadAllHasALimit(t *testing.T) {
	tm, _, _ := newTerm("12345")
	if _, err := tm.ReadAll(4); err == nil {
		t.Fatal("read beyond the limit")
	}
	tm, _, _ = newTerm("1234")
	if text, err := tm.ReadAll(4); err != nil || string(text) != "1234" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestAProgressLineOnlyShowsForWhatTakesLong(t *testing.T) {
	tm, _, errs := newTerm("")
	stop := tm.Progress("starting")
	stop()
	stop()
	if errs.Len() > 0 {
		t.Fatalf("%q", errs)
	}
}

func TestWhatAlwaysTakesLongIsToldAtOnce(t *testing.T) {
	tm, out, errs := newTerm("")
	stop := tm.Working("deriving the key")
	if got := errs.String(); got != "  deriving the key …\n" || out.Len() > 0 {
		t.Fatalf("%q, %q", got, out)
	}
	stop()
	stop()
}

// narrow is a stdout that takes a number of writes.
type narrow int

func (n *narrow) Write(p []byte) (int, error) {
	if *n--; *n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestTheFirstFailedWriteIsRemembered(t *testing.T) {
	for name, write := range map[string]func(*term.Term){
		"line":  func(tm *term.Term) { tm.Line("x") },
		"block": func(tm *term.Term) { tm.Block(1, "x") },
		"bare":  func(tm *term.Term) { tm.Bare("x") },
		"blank": func(tm *term.Term) { tm.Blank() },
		"json":  func(tm *term.Term) { _ = tm.JSON(struct{}{}) },
		"copy":  func(tm *term.Term) { _ = tm.Copy(strings.NewReader("x\n")) },
	} {
		room := narrow(1)
		var errs bytes.Buffer
		tm := term.New(term.Config{Out: &room, Err: &errs, Getenv: func(string) string { return "" }})
		tm.Line("fits")
		if tm.Err() != nil || tm.Shown() != nil {
			t.Fatalf("%s: failed too early: %v", name, tm.Err())
		}
		write(tm)
		if err := tm.Shown(); !errors.Is(err, term.ErrWrite) || !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
		room = 5
		tm.Line("room again")
		if room != 5 || tm.Err() == nil {
			t.Errorf("%s: it went on after a gap", name)
		}
		tm.Document(true)
		tm.Fail(term.Failure{Message: "gone"})
		if errs.String() != "  ✘ gone\n" {
			t.Errorf("%s: stderr %q", name, errs.String())
		}
	}
}
