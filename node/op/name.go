package op

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of a member or session, in bytes.
const MaxName = 64

// CheckName refuses a name that a member or session may not have: one that does not
// show as it is, could be taken for an address of another kind, or for markup, or has a
// word in letters of several scripts. What else looks like another name, [Looks] tells. The
// admin log and attestations, whose rule is fixed, take every name it passes.
func CheckName(name string) error {
	bad := name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsAny(name[:1], "@#*-") || strings.ContainsFunc(name, unfit)
	if !bad && mixed(name) {
		return Errorf(Invalid, "%q cannot be a name: a word of it has letters of several scripts, which look alike", name).
			WithHint("write each word in one script: a Latin a and a Cyrillic а are two letters")
	}
	if !bad {
		return nil
	}
	return Errorf(Invalid, "%q cannot be a name", name).
		WithHint(`use 1 to %d bytes of printable characters without : " ( ) < and >, not beginning with @, #, * or -`, MaxName)
}

// CheckNewName is CheckName for a name that somebody chooses now. It has no comma, as a list
// of recipients would be split there; who has one from before is addressed by their key.
func CheckNewName(name string) error {
	if strings.Contains(name, ",") {
		return Errorf(Invalid, "%q cannot be a name: recipients are separated by commas", name).
			WithHint("leave the comma out")
	}
	return CheckName(name)
}

func unfit(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`:"()<>`, r) || Unseen(r)
}

// Unseen tells of a letter or mark that shows as nothing: with it two names that are not
// the same could look the same.
func Unseen(r rune) bool {
	const blankBraille = '\u2800'
	return r == blankBraille || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Alike tells of a character that no name of something shared has, as it looks like
// another or like nothing: what is unseen, marks that are put onto the letter before (a
// letter with its mark in one character is fine), and wide forms of plain characters.
func Alike(r rune) bool {
	combining := r >= 0x0300 && r <= 0x036F || r >= 0x1AB0 && r <= 0x1AFF || r >= 0x1DC0 && r <= 0x1DFF || r >= 0x20D0 && r <= 0x20FF
	wide := r >= 0xFF01 && r <= 0xFF5E || r == 0x3000
	return combining || wide || Unseen(r)
}
