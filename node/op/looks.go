package op

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Looks is what a name looks like, to compare: names with one look are taken for each
// other by people and by models. It follows the skeleton of Unicode's UTS #39 for the
// letters of other alphabets that have the form of a Latin one, in small or capital, for
// the digits and letters that many fonts draw alike, and for letters that only have
// another style. Capitals of Latin are small ones: names are found in either.
func Looks(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(name) {
		if latin, ok := forms[r]; ok {
			r = latin
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// SameName tells whether two names are one, for those who read them: in other capitals,
// or with another look-alike.
func SameName(a, b string) bool { return strings.EqualFold(a, b) || Looks(a) == Looks(b) }

// forms are the characters that have the form of a Latin letter: above each, its form.
var forms = sideBySide(
	"ABESlJKMHOPCTYXYDQWhlV", "АВЕЅІЈКМНОРСТУХҮԀԚԜҺӀѴ", // Cyrillic
	"abesijkmhopctyxydqwhlvrb", "авеѕіјкмнорстухүԁԛԝһӏѵгь",
	"ABEZHlKMNOPTYXCF", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϜ", // Greek
	"abyenikvoputxcjwo", "αβγεηικνορυτχϲϳωσ",
	"USOhnugoqj", "ՍՏՕհոսցօզյ", // Armenian
	"ABCDEHJKLMPRSTVWZ", "ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᏔᏃ", // Cherokee
	"olllll", "01|Iıǀ", // a ring, a stroke: many fonts draw them alike
)

// sideBySide reads pairs of strings.
func sideBySide(sides ...string) map[rune]rune {
	out := make(map[rune]rune)
	for i := 0; i+1 < len(sides); i += 2 {
		latin := []rune(sides[i])
		for j, r := range []rune(sides[i+1]) {
			out[r] = latin[j]
		}
	}
	return out
}

// asian are the scripts that are written together, also with Latin letters, and in which
// nothing has the form of one.
var asian = []*unicode.RangeTable{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul}

// mixed tells whether a word of a text has letters of several scripts: what nobody
// writes but to have one word taken for another.
func mixed(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	for _, word := range words {
		var first *unicode.RangeTable
		together := true
		for _, r := range word {
			if first != nil && unicode.Is(first, r) {
				continue
			}
			script := scriptOf(r)
			if script == nil {
				continue // a letter of none, or of all
			}
			together = together && unicode.In(r, asian...)
			if first == nil {
				first = script
			} else if !together {
				return true
			}
		}
	}
	return false
}

// scriptOf finds the script of a letter, nil for one that is of none or of several.
func scriptOf(r rune) *unicode.RangeTable {
	if r < unicode.MaxASCII {
		return unicode.Latin
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return table
		}
	}
	return nil
}
