package mesh

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/op"
)

// slugForm is what a mesh may be called.
var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,31}$`)

// checkSlug refuses a name that could not be typed everywhere.
func checkSlug(name string) error {
	if !slugForm.MatchString(name) {
		return op.Errorf(op.Invalid, "%q cannot be a mesh's name", name).
			WithHint("use 2 to 32 characters of a-z, 0-9 and -, beginning with a letter or digit")
	}
	return nil
}

// uniqueSlug is name, with a number behind it when another mesh of this node has it.
func uniqueSlug(name string, taken func(string) bool) string {
	slug := name
	for n := 2; taken(slug); n++ {
		slug = fmt.Sprintf("%s-%d", name, n)
	}
	return slug
}

// maxMemberName is the longest member name, in bytes.
const maxMemberName = 64

// checkMember refuses a member name that could be taken for something else.
func checkMember(name string) error {
	bad := name == "" || len(name) > maxMemberName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsAny(name[:1], "@#*-") ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`:"<>`, r) })
	if bad {
		return op.Errorf(op.Invalid, "%q cannot be a member's name", name).
			WithHint(`use 1 to %d bytes of printable characters without : " < and >, not beginning with @, #, * or -`, maxMemberName)
	}
	return nil
}
