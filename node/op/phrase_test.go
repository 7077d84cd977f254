package op_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
)

// words is a small language.
func words(pairs ...string) func(string) string {
	return func(text string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == text {
				return pairs[i+1]
			}
		}
		return text
	}
}

func TestPhrases(t *testing.T) {
	gone := errors.New("it is gone")
	say := words(
		"%q is no name", "%q no es un nombre",
		"%s of %d", "de %[2]d, %[1]s",
		"it is gone", "ya no está",
		"cannot read %s: %w", "no se puede leer %s: %w",
		"%d%% done", "hecho el %d%%",
		"none", "ninguno",
		"there is no %s %q", "no hay %s %q",
		"member", "miembro",
		"wrong %s", "mal %s %s",
	)
	for _, c := range []struct {
		name, want string
		phrase     op.Phrase
	}{
		{"quoted", `"a b" no es un nombre`, op.Phrasef("%q is no name", "a b")},
		{"in another order", "de 3, ana", op.Phrasef("%s of %d", "ana", 3)},
		{"a percent sign", "hecho el 5%", op.Phrasef("%d%% done", 5)},
		{"what is typed stays, though it is a word of ours", "no hay miembro \"none\"", op.Phrasef("there is no %s %q", op.Word("member"), "none")},
		{"a wrapped error", "no se puede leer none: ya no está", op.PhraseOf(op.Errorf(op.NotFound, "cannot read %s: %w", "none", gone))},
		{"an error in an unknown sentence", "open 7%: ya no está", op.PhraseOf(fmt.Errorf("open 7%%: %w", gone))},
		{"two causes", "none, ya no está; ya no está", op.PhraseOf(fmt.Errorf("none, %w; %w", gone, gone))},
		{"words that fill in more than there is", "wrong x", op.Phrasef("wrong %s", "x")},
		{"no words for it", "other 1s", op.Phrasef("other %v", time.Second)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.phrase.In(say); got != c.want {
				t.Errorf("said %q, want %q", got, c.want)
			}
			raw, err := json.Marshal(c.phrase)
			if err != nil {
				t.Fatal(err)
			}
			var back op.Phrase
			if err := json.Unmarshal(raw, &back); err != nil {
				t.Fatal(err)
			}
			if back.String() != c.phrase.String() || back.In(say) != c.want {
				t.Errorf("%s came back as %q, said %q", raw, back, back.In(say))
			}
		})
	}
}

func TestErrorsInAnotherLanguage(t *testing.T) {
	say := words("you are in no mesh", "no estás en ninguna malla", "run %s", "ejecuta %s", "%q is no id", "%q no es un id")
	fail := op.Errorf(op.NotFound, "you are in no mesh").WithHint("run %s", "it")
	if m, h := fail.In(say); m != "no estás en ninguna malla" || h != "ejecuta it" || fail.Message != "you are in no mesh" || fail.Hint != "run it" {
		t.Errorf("%q, %q of %+v", m, h, fail)
	}
	// From a node that does not tell how it made its texts.
	old := &op.Error{Code: op.NotFound, Message: "you are in no mesh", Hint: "run it"}
	if m, h := old.In(say); m != "no estás en ninguna malla" || h != "run it" {
		t.Errorf("%q, %q", m, h)
	}
	// What was made otherwise than the text counts for nothing.
	other := op.Errorf(op.Invalid, "%q is no id", "x")
	other.Message = "the truth"
	if m, _ := other.In(say); m != "the truth" {
		t.Errorf("%q", m)
	}
}

// A phrase says in English what fmt says, and travels whole.
func TestPhrasesAreWhatFmtSays(t *testing.T) {
	piece := rapid.SampledFrom([]string{"%s", "%q", "%d", "%v", "%5d", "%%", "%.2f", "%x", " ", "a", "é", "%[1]v"})
	rapid.Check(t, func(r *rapid.T) {
		format := strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(r, "format"), "")
		var args []any
		for range rapid.IntRange(0, 8).Draw(r, "args") {
			args = append(args, rapid.OneOf(rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int(), func(n int) any { return n })).Draw(r, "arg"))
		}
		p := op.Phrasef(format, args...)
		if want := fmt.Sprintf(format, args...); p.String() != want || strings.Contains(want, "%!") {
			if p.String() != want {
				r.Fatalf("%q, want %q", p, want)
			}
			return
		}
		if got := p.In(func(s string) string { return s }); got != p.String() {
			r.Fatalf("filled in anew: %q, want %q", got, p)
		}
	})
}

func FuzzPhrase(f *testing.F) {
	for _, p := range []op.Phrase{{}, op.Word("100%"), op.Phrasef("%[2]s and %[1]q", "a", op.Phrasef("%d", 3))} {
		raw, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"format":"%","args":[]}`))
	f.Add([]byte(strings.Repeat(`{"format":"%s","args":[`, 20) + strings.Repeat(`]}`, 20)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p op.Phrase
		if json.Unmarshal(raw, &p) != nil {
			return
		}
		if got := p.In(func(s string) string { return s }); got != p.String() {
			t.Errorf("%q is said %q", p, got)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}

// A small phrase that repeats its arguments, and theirs, is not made into a huge text.
func TestAPhraseThatGrowsIsLeftOut(t *testing.T) {
	raw := []byte(`{"text":"0123456789"}`)
	for range 4 {
		raw = fmt.Appendf(nil, `{"format":%q,"args":[%s]}`, strings.Repeat("%[1]s", 1000), raw)
	}
	var p op.Phrase
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if got := p.String(); len(got) > 64<<10 {
		t.Errorf("%d bytes of JSON are a text of %d", len(raw), len(got))
	}
	if got := p.In(words()); len(got) > 64<<10 {
		t.Errorf("said, they are %d bytes", len(got))
	}
}
