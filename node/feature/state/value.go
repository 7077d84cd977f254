package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits.
const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 256
	// MaxValue is the longest value, in bytes of compact JSON.
	MaxValue = 60 << 10
	// MaxKeys is how many keys of a mesh may hold a value of one and the same member.
	MaxKeys = 10_000
)

// errValue refuses what is no value of shared state.
var errValue = errors.New("no value of shared state")

// Tags of a record's value.
const (
	tagValue   = 2 // compact JSON
	tagName    = 4 // the writing session's name; not there: its member's will do
	tagSession = 6 // its key
)

// content is what a record of shared state holds.
type content struct {
	value   json.RawMessage
	name    string
	session ident.PublicKey
}

func (c content) encode() []byte {
	var f ident.Fields
	f.Bytes(tagValue, c.value)
	if c.name != "" {
		f.Text(tagName, c.name)
	}
	f.Bytes(tagSession, c.session[:])
	return f.Body()
}

// decode reads what encode writes. The value is one line of JSON and the name one
// that a session may have: both are shown to people and models.
func decode(raw []byte) (content, error) {
	r, err := ident.ReadFields(raw, tagValue, tagName, tagSession)
	if err != nil {
		return content{}, fmt.Errorf("%w: %w", errValue, err)
	}
	r.Need(tagValue, tagSession)
	c := content{value: r.Bytes(tagValue, MaxValue), name: r.Text(tagName, op.MaxName), session: r.Key(tagSession)}
	if err := r.Err(); err != nil {
		return content{}, fmt.Errorf("%w: %w", errValue, err)
	}
	if c.name != "" && op.CheckName(c.name) != nil {
		return content{}, fmt.Errorf("%w: the name %q", errValue, c.name)
	}
	tight, err := compact(c.value)
	if err != nil {
		return content{}, fmt.Errorf("%w: %w", errValue, err)
	}
	if !bytes.Equal(tight, c.value) {
		return content{}, fmt.Errorf("%w: its JSON has blanks between words", errValue)
	}
	return c, nil
}

// check is the record kind's look at a value.
func check(raw []byte) error {
	_, err := decode(raw)
	return err
}

// compact checks JSON and removes the blanks between its words.
func compact(raw []byte) (json.RawMessage, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("the JSON is not UTF-8")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// checkKey refuses a key that does not show as it is.
func checkKey(key string) error {
	bad := key == "" || len(key) > MaxKey || !utf8.ValidString(key) || strings.TrimSpace(key) != key ||
		strings.ContainsFunc(key, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) || op.Alike(r) })
	if !bad {
		return nil
	}
	if len(key) > MaxKey {
		return op.Errorf(op.TooLarge, "the key has %d bytes, the limit is %d", len(key), MaxKey).WithHint("make it shorter, and put the rest into the value")
	}
	return op.Errorf(op.Invalid, "%q cannot be a key", key).
		WithHint("use 1 to %d bytes of printable characters, with no blank at the beginning or end", MaxKey)
}

// plain writes JSON with the characters that encoding/json escapes for web pages as
// they are: nobody here puts it into one.
func plain(raw json.RawMessage) string {
	if !bytes.Contains(raw, []byte(`\u00`)) {
		return string(raw)
	}
	var b strings.Builder
	for s := string(raw); s != ""; {
		n := 1
		if s[0] == '\\' && len(s) > 1 {
			n = 2
		}
		if c, ok := unescape(s); ok {
			b.WriteByte(c)
			s = s[len(`\u0000`):]
			continue
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

// unescape reads one of the escapes at the beginning of s.
func unescape(s string) (byte, bool) {
	for esc, c := range map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'} {
		if strings.HasPrefix(s, esc) {
			return c, true
		}
	}
	return 0, false
}
