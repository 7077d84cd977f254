package term

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// SchemaVersion is the version of the documents' common shape. Added keys keep it.
const SchemaVersion = "1.0"

// Failure is what went wrong, as people and programs are told.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Shown and ShownHint are the two in a person's language; empty: as they are.
	Shown     string `json:"-"`
	ShownHint string `json:"-"`
}

// JSON prints v, which must encode as an object, as the one document of this
// command: schema_version first, two blanks per level.
func (t *Term) JSON(v any) error {
	text, err := document(v)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
	return t.put(text)
}

// JSONLine prints v as JSON does, on one line: one of the documents of a command that
// goes on.
func (t *Term) JSONLine(v any) error {
	text, err := document(v)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return fmt.Errorf("compact document: %w", err)
	}
	line.WriteByte('\n')
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
	return t.put(line.Bytes())
}

// Failed is the document of a failure.
type Failed struct {
	OK    bool    `json:"ok"`
	Error Failure `json:"error"`
}

// Fail reports a failure: on stderr for people, as a document on stdout otherwise.
// A document that cannot be written leaves stderr.
func (t *Term) Fail(f Failure) {
	if t.IsDocument() && t.JSON(Failed{Error: f}) == nil {
		return
	}
	text := indent + Red(Bad).render(t.errHue) + " " + oneLine(cmp.Or(f.Shown, f.Message)) + "\n"
	if hint := cmp.Or(f.ShownHint, f.Hint); hint != "" {
		text += block(2, hint)
	}
	t.write(false, text)
}

// document puts schema_version before the keys of v.
func document(v any) ([]byte, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	body := bytes.TrimSpace(raw.Bytes())
	if len(body) < 2 || body[0] != '{' {
		return nil, fmt.Errorf("encode document: %T is no object", v)
	}
	whole := []byte(`{"schema_version":"` + SchemaVersion + `"`)
	if rest := bytes.TrimSpace(body[1:]); rest[0] != '}' {
		whole = append(whole, ',')
	}
	whole = append(whole, body[1:]...)
	var out bytes.Buffer
	if err := json.Indent(&out, whole, "", "  "); err != nil {
		return nil, fmt.Errorf("indent document: %w", err)
	}
	return append(escape(out.Bytes()), '\n'), nil
}

// escape writes the characters that JSON allows raw but a terminal obeys as \u
// escapes. They only occur inside strings.
func escape(text []byte) []byte {
	if bytes.IndexFunc(text, obeyed) < 0 {
		return text
	}
	var out bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if obeyed(r) {
			_, _ = fmt.Fprintf(&out, `\u%04x`, r) // a Buffer never fails
		} else {
			out.Write(text[:n])
		}
		text = text[n:]
	}
	return out.Bytes()
}

func obeyed(r rune) bool { return r != '\n' && steers(r) }
