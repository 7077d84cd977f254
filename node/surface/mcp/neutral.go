package mcp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the model's client says is marked by tags in the model's input. Text of a
// peer that holds such a tag could pass for the client's word, or end the channel
// element it stands in. So in text from peers the < of a tag that means something
// to a client becomes &lt; and nothing else is touched: <system-reminder> reads
// &lt;system-reminder>, and <div>, a < b or List<string> stay what they are.
//
// A tag is a <, then perhaps a /, then a reserved name that ends there. Blanks and
// invisible characters between these and within the name are passed over, and case
// does not matter, since a model would read past them too.

// reserved are the tag names that mean something to a client.
var reserved = map[string]bool{
	"channel": true, "system": true, "system-reminder": true, "system_reminder": true, "system-message": true,
	"system-prompt": true, "function_calls": true, "function_results": true, "function_result": true, "invoke": true,
	"tool_use": true, "tool_result": true, "tool_use_error": true, "tool_calls": true, "tool_call": true,
	"thinking": true, "antthinking": true, "command-name": true, "command-message": true, "command-args": true,
	"command-contents": true, "local-command-stdout": true, "local-command-stderr": true, "local-command-caveat": true,
	"bash-input": true, "bash-stdout": true, "bash-stderr": true, "user-prompt-submit-hook": true,
	"user-memory-input": true, "session-start-hook": true, "task-notification": true, "teammate-message": true,
	"persisted-output": true, "new-diagnostics": true, "ide_selection": true, "ide_opened_file": true,
	"cross-session-message": true,
}

// reservedPrefix begins names of tags of which all are reserved.
const reservedPrefix = "antml:"

// longestName bounds how far a name is read.
const longestName = 40

// neutral makes reserved tags in s plain text.
func neutral(s string) string {
	if !strings.ContainsRune(s, '<') {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		if opensReserved(s[i+1:]) {
			b.WriteString("&lt;")
		} else {
			b.WriteByte('<')
		}
		s = s[i+1:]
	}
	b.WriteString(s)
	return b.String()
}

// opensReserved tells whether a < in front of s begins a reserved tag.
func opensReserved(s string) bool {
	s = skipBlank(s)
	for strings.HasPrefix(s, "/") {
		s = skipBlank(s[1:])
	}
	var name strings.Builder
	for len(s) > 0 && name.Len() <= longestName {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case invisible(r) || unicode.IsSpace(r):
			if reserved[name.String()] {
				return true // some show a gap there, and others nothing
			}
		case !nameRune(r):
			return isReserved(name.String())
		default:
			name.WriteRune(unicode.ToLower(r))
		}
		s = s[size:]
	}
	return isReserved(name.String())
}

func isReserved(name string) bool {
	return reserved[name] || strings.HasPrefix(name, reservedPrefix)
}

// skipBlank drops blanks and invisible characters in front.
func skipBlank(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || invisible(r) })
}

// invisible tells whether r leaves no mark: format and control characters, and
// variation selectors.
func invisible(r rune) bool {
	return !unicode.IsSpace(r) && (unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector) || r == utf8.RuneError)
}

// nameRune tells whether r may be part of a tag's name.
func nameRune(r rune) bool {
	return r == '-' || r == '_' || r == ':' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// oneLine makes s fit to stand within a line or an attribute: no line ends or
// invisible characters, no double quotes, angle brackets or reserved tags, and at
// most limit characters.
func oneLine(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		switch {
		case n == limit:
			return b.String() + "…"
		case unicode.IsSpace(r):
			r = ' '
		case invisible(r):
			continue
		case r == '"':
			r = '\''
		case r == '<':
			r = '('
		case r == '>':
			r = ')'
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
