package tomltext

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax means that a text is no TOML, or not as far as it was understood. The error
// says where.
var ErrSyntax = errors.New("not valid TOML")

// Statement is a line of a TOML text that says something: a table's header, or a key
// with its value, which may go over several lines.
type Statement struct {
	Table    []string // the header's path, or that of the table it is in
	Key      []string // nil for a header
	List     bool     // the header is of a list of tables
	From, To int      // where it stands, with its line end
	Value    [2]int   // where its value does
}

// Scan reads as much of a TOML text as is needed to know where a table begins and
// ends, and refuses what is certainly none.
func Scan(src []byte) ([]Statement, error) {
	s := &scanner{src: src}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.at = 3
	}
	var out []Statement
	var table []string
	for {
		s.skip(" \t\r\n")
		if s.at >= len(src) {
			return out, nil
		}
		if src[s.at] == '#' {
			s.line()
			continue
		}
		st, err := s.statement(table)
		if err != nil {
			return nil, err
		}
		table = st.Table
		out = append(out, st)
	}
}

type scanner struct {
	src []byte
	at  int
}

func (s *scanner) wrong(what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrSyntax, bytes.Count(s.src[:min(s.at, len(s.src))], []byte("\n"))+1, what)
}

func (s *scanner) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

func (s *scanner) skip(what string) {
	for s.at < len(s.src) && strings.IndexByte(what, s.src[s.at]) >= 0 {
		s.at++
	}
}

// line goes behind the end of the line.
func (s *scanner) line() {
	if i := bytes.IndexByte(s.src[s.at:], '\n'); i >= 0 {
		s.at += i + 1
	} else {
		s.at = len(s.src)
	}
}

// end goes behind the end of a line on which nothing but a comment may follow.
func (s *scanner) end() error {
	s.skip(" \t\r")
	if c := s.peek(); s.at < len(s.src) && c != '\n' && c != '#' {
		return s.wrong("something follows the value")
	}
	s.line()
	return nil
}

func (s *scanner) statement(table []string) (st Statement, err error) {
	st.From = s.at
	if s.peek() == '[' {
		s.at++
		if st.List = s.peek() == '['; st.List {
			s.at++
		}
		if st.Table, err = s.path(); err != nil {
			return st, err
		}
		for range map[bool]int{false: 1, true: 2}[st.List] {
			if s.peek() != ']' {
				return st, s.wrong("a ] is missing")
			}
			s.at++
		}
	} else {
		st.Table = table
		if st.Key, err = s.path(); err != nil {
			return st, err
		}
		if s.peek() != '=' {
			return st, s.wrong("a = is missing")
		}
		s.at++
		s.skip(" \t")
		st.Value[0] = s.at
		if err := s.value(0); err != nil {
			return st, err
		}
		st.Value[1] = s.at
	}
	err = s.end()
	st.To = s.at
	return st, err
}

// path reads keys with points between them.
func (s *scanner) path() (out []string, err error) {
	for {
		s.skip(" \t")
		from := s.at
		switch c := s.peek(); c {
		case '"', '\'':
			key, err := s.quotedKey()
			if err != nil {
				return nil, err
			}
			out = append(out, key)
		default:
			for isKeyByte(s.peek()) {
				s.at++
			}
			if s.at == from {
				return nil, s.wrong("a key is missing")
			}
			out = append(out, string(s.src[from:s.at]))
		}
		s.skip(" \t")
		if s.peek() != '.' {
			return out, nil
		}
		s.at++
	}
}

func isKeyByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
