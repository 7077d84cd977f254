package op

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of a member or session, in bytes.
const MaxName = 64

// CheckName refuses a name that a member or session may not have: one that does not
// show as it is, could be taken for an address of another kind, or for markup. The
// admin log and attestations, whose rule is fixed, take every name it passes.
func CheckName(name string) error {
	bad := name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsAny(name[:1], "@#*-") || strings.ContainsFunc(name, unfit)
	if !bad {
		return nil
	}
	return Errorf(Invalid, "%q cannot be a name", name).
		WithHint(`use 1 to %d bytes of printable characters without : " ( ) < and >, not beginning with @, #, * or -`, MaxName)
}

func unfit(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`:"()<>`, r) || unseen(r)
}

// unseen tells of a letter or mark that shows as nothing: with it two names that are not
// the same could look the same.
func unseen(r rune) bool {
	const blankBraille = '\u2800'
	return r == blankBraille || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
