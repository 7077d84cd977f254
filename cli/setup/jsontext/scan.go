package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Kind is what a value is.
type Kind byte

// The kinds.
const (
	Object Kind = '{'
	Array  Kind = '['
	String Kind = '"'
	Number Kind = '0'
	Word   Kind = 'w' // true, false, null
)

// maxDepth is how deep values may lie in each other.
const maxDepth = 10_000

// node is a value and where it stands: src[from:to].
type node struct {
	kind     Kind
	from, to int
	items    []item // of an object or array
}

// item is a member of an object or an element of an array.
type item struct {
	key   string // decoded; of a member
	from  int    // where its key, or the element, begins
	comma int    // where the comma behind it stands; -1: there is none
	value *node
}

// scanner reads one text.
type scanner struct {
	src      []byte
	at       int
	comments bool // comments and a comma behind the last item are fine
}

var bom = []byte("\xef\xbb\xbf")

// scan reads a text. The node is nil if there is no value in it.
func scan(src []byte, comments bool) (*node, error) {
	s := &scanner{src: src, comments: comments}
	if bytes.HasPrefix(src, bom) {
		s.at = len(bom)
	}
	if err := s.blank(); err != nil {
		return nil, err
	}
	if s.at == len(src) {
		return nil, nil
	}
	n, err := s.value(0)
	if err != nil {
		return nil, err
	}
	if err := s.blank(); err != nil {
		return nil, err
	}
	if s.at < len(src) {
		return nil, s.wrong("something follows the value")
	}
	return n, nil
}

// wrong is a syntax error at the scanner's place.
func (s *scanner) wrong(what string) error {
	before := s.src[:min(s.at, len(s.src))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("%w: line %d, column %d: %s", ErrSyntax, line, column, what)
}

// peek is the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

// blank skips white space and, where allowed, comments.
func (s *scanner) blank() error {
	for s.at < len(s.src) {
		rest := s.src[s.at:]
		switch {
		case isBlank(rest[0]):
			s.at++
		case s.comments && bytes.HasPrefix(rest, []byte("//")):
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			s.at += end
		case s.comments && bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				return s.wrong("a comment that does not end")
			}
			s.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// value reads a value.
func (s *scanner) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, s.wrong("nested too deep")
	}
	n := &node{from: s.at}
	var err error
	switch c := s.peek(); {
	case c == '{':
		n.kind = Object
		n.items, err = s.items('}', depth)
	case c == '[':
		n.kind = Array
		n.items, err = s.items(']', depth)
	case c == '"':
		n.kind = String
		err = s.text()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = Number
		err = s.number()
	default:
		n.kind = Word
		err = s.word()
	}
	n.to = s.at
	return n, err
}

// items reads what is between brackets.
func (s *scanner) items(end byte, depth int) (list []item, err error) {
	s.at++
	for {
		if err := s.blank(); err != nil {
			return nil, err
		}
		if s.peek() == end && (len(list) == 0 || s.comments) {
			s.at++
			return list, nil
		}
		i := item{from: s.at, comma: -1}
		if end == '}' {
			if i.key, err = s.key(); err != nil {
				return nil, err
			}
		}
		if i.value, err = s.value(depth + 1); err != nil {
			return nil, err
		}
		if err := s.blank(); err != nil {
			return nil, err
		}
		switch s.peek() {
		case ',':
			i.comma = s.at
			s.at++
			list = append(list, i)
		case end:
			s.at++
			return append(list, i), nil
		default:
			return nil, s.wrong(fmt.Sprintf("a comma or %q is missing", end))
		}
	}
}

// key reads a member's key and what is between it and the value.
func (s *scanner) key() (string, error) {
	from := s.at
	if s.peek() != '"' {
		return "", s.wrong("a key in double quotes is missing")
	}
	if err := s.text(); err != nil {
		return "", err
	}
	var key string
	if err := json.Unmarshal(s.src[from:s.at], &key); err != nil {
		return "", s.wrong("a key that is no string")
	}
	if err := s.blank(); err != nil {
		return "", err
	}
	if s.peek() != ':' {
		return "", s.wrong("a colon is missing")
	}
	s.at++
	return key, s.blank()
}

// text reads a string.
func (s *scanner) text() error {
	s.at++
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < 0x20:
			return s.wrong("a control character in a string")
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.at++
		}
	}
	return s.wrong("a string that does not end")
}

func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return nil
	case 'u':
		s.at++
		for range 4 {
			if !isHex(s.peek()) {
				return s.wrong("an escape that is none")
			}
			s.at++
		}
		return nil
	}
	return s.wrong("an escape that is none")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number reads a number.
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return s.wrong("a number without digits")
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return s.wrong("a number that ends with its point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return s.wrong("a number without its exponent")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	from := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > from
}

// word reads true, false or null.
func (s *scanner) word() error {
	for _, w := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.src[s.at:], []byte(w)) {
			s.at += len(w)
			return nil
		}
	}
	if s.at == len(s.src) {
		return s.wrong("it ends too early")
	}
	return s.wrong("a value is missing")
}
