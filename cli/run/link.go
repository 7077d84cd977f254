package run

import (
	"regexp"
	"strings"
)

// webInvite is an invite as a web address: /i/CODE or /join/TOKEN, with or without
// a two-letter language before it.
var webInvite = regexp.MustCompile(`^https?://[^/]+/([a-z]{2}/)?(i|join)/.`)

// IsLink tells whether a word is an invite link or a spoken code, so that the bare
// command joins.
func IsLink(word string) bool {
	return strings.HasPrefix(word, "claudemesh://") || strings.HasPrefix(word, "ic://") ||
		webInvite.MatchString(word) || Spoken.MatchString(word)
}

// bareToken is what a link of ours looks like without its beginning.
var bareToken = regexp.MustCompile(`^[A-Za-z0-9_-]{21,}$`)

// JoinPrefix begins our links.
const JoinPrefix = "claudemesh://join/"

// AsLink completes a bare token and leaves everything else as it is, to be judged
// by the operation. Tokens that begin with eyJ are another kind of invite.
func AsLink(word string) string {
	word = strings.TrimSpace(word)
	if !Spoken.MatchString(word) && bareToken.MatchString(word) && !strings.HasPrefix(word, "eyJ") {
		return JoinPrefix + word
	}
	return word
}

// Spoken is what a code looks like: a number and two words, and perhaps an address.
var Spoken = regexp.MustCompile(`(?i)^[0-9]{1,3}[- ]+[a-z]+[- ]+[a-z]+(@.*)?$`)
