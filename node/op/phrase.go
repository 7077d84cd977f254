package op

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Phrase is a text for people that remembers how it was made: an English format and what
// was filled in. So whoever shows it can say it in another language. Programs and agents
// read the English, which String returns. The zero Phrase is the empty text.
type Phrase struct {
	text   string
	format string   // empty: a text that is the same in every language, as what somebody typed
	args   []Phrase // by their place among the arguments
}

const (
	// deepest is how many phrases may lie in one another.
	deepest = 8
	// mostPhrase is the longest phrase that is read, and the longest text it makes, in bytes.
	mostPhrase = 64 << 10
)

// Phrasef makes a Phrase as fmt.Sprintf makes a text. An argument that is a Phrase itself
// or an error is said in the other language, too; all others stay as they are.
func Phrasef(format string, args ...any) Phrase {
	return phrased(fmt.Sprintf(format, args...), format, args)
}

// Word makes a Phrase of a text of the program without anything to fill in.
func Word(text string) Phrase { return Phrase{text: text, format: escape(text)} }

// phrased is the phrase of a text that was made of a format.
func phrased(text, format string, args []any) Phrase {
	p := Phrase{text: text, format: format, args: make([]Phrase, len(args))}
	filled, ok := scan(format, func(verb string, i int) (string, bool) {
		if i >= len(args) {
			return "", false
		}
		p.args[i] = argument(verb, args[i])
		return p.args[i].text, true
	})
	if !ok || filled != text || p.In(english) != text { // one argument in two forms
		return Phrase{text: text}
	}
	return p
}

// argument renders one argument by its verb.
func argument(verb string, arg any) Phrase {
	if last := verb[len(verb)-1]; len(verb) == 2 && strings.IndexByte("swv", last) >= 0 {
		switch a := arg.(type) {
		case Phrase:
			return a
		case error:
			return PhraseOf(a)
		}
	}
	if verb == "%w" {
		verb = "%v"
	}
	return Phrase{text: fmt.Sprintf(verb, arg)}
}

// PhraseOf is the text of an error, with those of its causes that were wrapped.
func PhraseOf(err error) Phrase {
	var inner []error
	switch e := err.(type) {
	case nil:
		return Phrase{}
	case *Error:
		return e.phrase()
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	}
	p, rest := Phrase{text: err.Error()}, err.Error()
	for _, cause := range inner {
		if cause == nil || cause.Error() == "" {
			continue
		}
		before, after, found := strings.Cut(rest, cause.Error())
		if !found {
			continue
		}
		p.format += escape(before) + "%s"
		p.args = append(p.args, PhraseOf(cause))
		rest = after
	}
	p.format += escape(rest)
	return p
}

// String is the English text.
func (p Phrase) String() string { return p.text }

// In says the phrase by the formats that say knows. One that fills in otherwise is not
// used.
func (p Phrase) In(say func(format string) string) string {
	if p.format == "" {
		return p.text
	}
	args := make([]string, len(p.args)) // each once, however often the format names it
	for i, a := range p.args {
		args[i] = a.In(say)
	}
	text, ok := scan(say(p.format), func(_ string, i int) (string, bool) {
		if i >= len(args) {
			return "", false
		}
		return args[i], true
	})
	if !ok {
		return p.text
	}
	return text
}

// wording is how a Phrase travels: with a text alone, or with a format.
type wording struct {
	Text   string   `json:"text,omitempty"`
	Format string   `json:"format,omitempty"`
	Args   []Phrase `json:"args,omitempty"`
}

// MarshalJSON writes how the phrase was made.
func (p Phrase) MarshalJSON() ([]byte, error) {
	if p.format == "" {
		return json.Marshal(wording{Text: p.text})
	}
	return json.Marshal(wording{Format: p.format, Args: p.args})
}

// UnmarshalJSON reads what MarshalJSON writes. Of what is too large, too deep or does not
// fit together the empty phrase is left, never an error: the English text beside it counts.
func (p *Phrase) UnmarshalJSON(raw []byte) error {
	*p = Phrase{}
	var w wording
	if len(raw) > mostPhrase || json.Unmarshal(raw, &w) != nil {
		return nil
	}
	read := Phrase{text: w.Text, format: w.Format, args: w.Args}
	if read.depth() > deepest {
		return nil
	}
	if read.format != "" {
		text, ok := scan(read.format, func(_ string, i int) (string, bool) {
			if i >= len(read.args) {
				return "", false
			}
			return read.args[i].text, true
		})
		if !ok {
			return nil
		}
		read.text = text
	}
	*p = read
	return nil
}

func (p Phrase) depth() int {
	most := 0
	for _, a := range p.args {
		most = max(most, a.depth())
	}
	return most + 1
}

// english is how the source says it.
func english(format string) string { return format }

// escape makes a format of a text with nothing to fill in.
func escape(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// scan fills a format in: value gives the text for a verb, as in %q, and the place of its
// argument. It fails when value does, at verbs that fmt does not have, and when the text
// grows too long.
func scan(format string, value func(verb string, i int) (string, bool)) (string, bool) {
	var b strings.Builder
	next := 0
	for {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		if !found {
			return b.String(), true
		}
		flags, index, letter, after, ok := verbAt(rest)
		if !ok {
			return "", false
		}
		format = after
		if letter == '%' {
			b.WriteByte('%')
			continue
		}
		if index >= 0 {
			next = index
		}
		filled, ok := value("%"+flags+string(letter), next)
		if !ok {
			return "", false
		}
		b.WriteString(filled)
		if b.Len() > mostPhrase {
			return "", false
		}
		next++
	}
}

// verbAt reads a verb behind its %: its flags, the place of its argument if it names one,
// else -1, its letter, and what follows.
func verbAt(s string) (flags string, index int, letter byte, after string, ok bool) {
	index = -1
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.IndexByte("+-# 0123456789.", c) >= 0:
			flags += string(c)
		case c == '[':
			digits, _, closed := strings.Cut(s[i+1:], "]")
			n, err := strconv.Atoi(digits)
			if !closed || err != nil || n < 1 || n > 99 {
				return "", 0, 0, "", false
			}
			index = n - 1
			i += len(digits) + 1
		case c == '%' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return flags, index, c, s[i+1:], true
		default:
			return "", 0, 0, "", false
		}
	}
	return "", 0, 0, "", false
}
