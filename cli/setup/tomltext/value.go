package tomltext

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth is how deep values may lie in each other.
const maxDepth = 1000

// bare are values without quotes or brackets: words, numbers, dates and times.
var bare = regexp.MustCompile(`^(true|false|[+-]?(inf|nan)` +
	`|[+-]?(0|[1-9](_?\d)*)(\.\d(_?\d)*)?([eE][+-]?\d(_?\d)*)?` +
	`|0x[0-9A-Fa-f](_?[0-9A-Fa-f])*|0o[0-7](_?[0-7])*|0b[01](_?[01])*` +
	`|\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?)?` +
	`|\d\d:\d\d(:\d\d(\.\d+)?)?)$`)

// Text is a string as it is written, decoded, unless it goes over several lines.
func Text(written []byte) (string, bool) {
	if len(written) < 2 || written[0] != written[len(written)-1] || bytes.HasPrefix(written, []byte(`"""`)) || bytes.HasPrefix(written, []byte("'''")) {
		return "", false
	}
	switch written[0] {
	case '"':
		s, err := strconv.Unquote(string(written)) // its escapes are among those of Go
		return s, err == nil
	case '\'':
		return string(written[1 : len(written)-1]), true
	}
	return "", false
}

// quotedKey reads a part of a path in quotes.
func (s *scanner) quotedKey() (string, error) {
	from := s.at
	if err := s.text(); err != nil {
		return "", err
	}
	key, ok := Text(s.src[from:s.at])
	if !ok {
		return "", s.wrong("a key that is no string of one line")
	}
	return key, nil
}

// value goes behind a value.
func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return s.wrong("nested too deep")
	}
	switch s.peek() {
	case '"', '\'':
		return s.text()
	case '[':
		return s.items(']', func() error { return s.value(depth + 1) })
	case '{':
		return s.items('}', func() error { return s.pair(depth + 1) })
	}
	from := s.at
	for s.at < len(s.src) && strings.IndexByte(" \t\r\n,]}#", s.src[s.at]) < 0 {
		s.at++
		// The blank of a date and its time.
		if s.at == from+len("1979-05-27") && s.peek() == ' ' && s.at+1 < len(s.src) && s.src[s.at+1] >= '0' && s.src[s.at+1] <= '9' {
			s.at++
		}
	}
	if !bare.Match(s.src[from:s.at]) {
		return s.wrong("a value is missing or none")
	}
	return nil
}

// items goes behind a list or an inline table.
func (s *scanner) items(end byte, item func() error) error {
	s.at++
	for {
		s.blank()
		if s.peek() == end {
			s.at++
			return nil
		}
		if err := item(); err != nil {
			return err
		}
		s.blank()
		switch s.peek() {
		case ',':
			s.at++
		case end:
			s.at++
			return nil
		default:
			return s.wrong("a comma or " + string(end) + " is missing")
		}
	}
}

// pair goes behind a key and its value in an inline table.
func (s *scanner) pair(depth int) error {
	if _, err := s.path(); err != nil {
		return err
	}
	if s.peek() != '=' {
		return s.wrong("a = is missing")
	}
	s.at++
	s.skip(" \t")
	return s.value(depth)
}

// blank goes behind blanks, line ends and comments.
func (s *scanner) blank() {
	for {
		s.skip(" \t\r\n")
		if s.peek() != '#' {
			return
		}
		s.line()
	}
}

// text goes behind a string of whichever form.
func (s *scanner) text() error {
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
			s.at++
			if c := s.peek(); s.at == len(s.src) || strings.IndexByte(`btnfre"\uUx`, c) < 0 && !(long && strings.IndexByte(" \t\r\n", c) >= 0) {
				return s.wrong("an escape that is none")
			}
		case long && bytes.HasPrefix(s.src[s.at:], three):
			s.at += 3
			for range 2 { // up to two may stand before the end
				if s.peek() == quote {
					s.at++
				}
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
