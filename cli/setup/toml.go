package setup

import (
	"bytes"
	"fmt"
	"strings"
)

// statement is a line of a TOML text that says something: a table's header, or a key
// with its value, which may go over several lines.
type statement struct {
	table    []string // the header's path, or that of the table it is in
	key      []string // nil for a header
	list     bool     // the header is of a list of tables
	from, to int      // with its line end
	value    [2]int   // where its value stands
}

// statements reads as much of a TOML text as is needed to know where a table begins and
// ends, and refuses what is certainly none.
func statements(src []byte) ([]statement, error) {
	s := &tomlScanner{src: src}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.at = 3
	}
	var out []statement
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
		table = st.table
		out = append(out, st)
	}
}

type tomlScanner struct {
	src []byte
	at  int
}

func (s *tomlScanner) wrong(what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrTOML, bytes.Count(s.src[:min(s.at, len(s.src))], []byte("\n"))+1, what)
}

func (s *tomlScanner) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

func (s *tomlScanner) skip(what string) {
	for s.at < len(s.src) && strings.IndexByte(what, s.src[s.at]) >= 0 {
		s.at++
	}
}

// line goes behind the end of the line.
func (s *tomlScanner) line() {
	if i := bytes.IndexByte(s.src[s.at:], '\n'); i >= 0 {
		s.at += i + 1
	} else {
		s.at = len(s.src)
	}
}

// end goes behind the end of a line on which nothing but a comment may follow.
func (s *tomlScanner) end() error {
	s.skip(" \t\r")
	if c := s.peek(); s.at < len(s.src) && c != '\n' && c != '#' {
		return s.wrong("something follows the value")
	}
	s.line()
	return nil
}

func (s *tomlScanner) statement(table []string) (st statement, err error) {
	st.from = s.at
	if s.peek() == '[' {
		s.at++
		if st.list = s.peek() == '['; st.list {
			s.at++
		}
		if st.table, err = s.path(); err != nil {
			return st, err
		}
		for range map[bool]int{false: 1, true: 2}[st.list] {
			if s.peek() != ']' {
				return st, s.wrong("a ] is missing")
			}
			s.at++
		}
	} else {
		st.table = table
		if st.key, err = s.path(); err != nil {
			return st, err
		}
		if s.peek() != '=' {
			return st, s.wrong("a = is missing")
		}
		s.at++
		s.skip(" \t")
		st.value[0] = s.at
		if err := s.value(); err != nil {
			return st, err
		}
		st.value[1] = s.at
	}
	err = s.end()
	st.to = s.at
	return st, err
}

// path reads keys with points between them.
func (s *tomlScanner) path() (out []string, err error) {
	for {
		s.skip(" \t")
		from := s.at
		switch c := s.peek(); c {
		case '"', '\'':
			if err := s.text(); err != nil {
				return nil, err
			}
			out = append(out, string(s.src[from+1:s.at-1]))
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

// value goes behind a value.
func (s *tomlScanner) value() error {
	from, open := s.at, []byte{}
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '"' || c == '\'':
			if err := s.text(); err != nil {
				return err
			}
			continue
		case c == '[' || c == '{':
			open = append(open, c+2) // the closing one is two further
		case c == ']' || c == '}':
			if len(open) == 0 || open[len(open)-1] != c {
				return s.wrong("brackets that do not match")
			}
			open = open[:len(open)-1]
		case len(open) == 0 && (c == '#' || c == '\n' || c == '\r'):
			if len(bytes.TrimSpace(s.src[from:s.at])) == 0 {
				return s.wrong("a value is missing")
			}
			for s.at > from && (s.src[s.at-1] == ' ' || s.src[s.at-1] == '\t') {
				s.at--
			}
			return nil
		case c == '#':
			s.line()
			continue
		}
		s.at++
	}
	if len(open) > 0 || s.at == from {
		return s.wrong("it ends too early")
	}
	return nil
}

// text goes behind a string of whichever form.
func (s *tomlScanner) text() error {
	quote := s.src[s.at]
	three := bytes.Repeat([]byte{quote}, 3)
	long := bytes.HasPrefix(s.src[s.at:], three)
	if long {
		s.at += 3
	} else {
		s.at++
	}
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '\\' && quote == '"':
			s.at += 2
			continue
		case long && bytes.HasPrefix(s.src[s.at:], three):
			for s.peek() == quote { // up to two may stand before the end
				s.at++
			}
			return nil
		case !long && c == quote:
			s.at++
			return nil
		case !long && c == '\n':
			return s.wrong("a string that does not end")
		}
		s.at++
	}
	return s.wrong("a string that does not end")
}
