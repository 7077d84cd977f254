package code

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"
)

// MaxPlate is the highest nameplate.
const MaxPlate = 999

// Code is a spoken invite: a number that says which and two words that are secret. It
// prints as its number alone.
type Code struct {
	Plate int
	words [2]string
}

// words is the list, in ascending order. Nobody may change it.
func list() []string { return wordlists.English }

// Make makes a random code with this nameplate.
func Make(plate int) (Code, error) {
	c := Code{Plate: plate}
	for i := range c.words {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(list()))))
		if err != nil {
			return Code{}, fmt.Errorf("make a code: %w", err)
		}
		c.words[i] = list()[n.Int64()]
	}
	return c, nil
}

// Text is the code in full: for the people who speak it, not for logs.
func (c Code) Text() string { return strconv.Itoa(c.Plate) + "-" + c.words[0] + "-" + c.words[1] }

// String hides the words.
func (c Code) String() string { return strconv.Itoa(c.Plate) + "-redacted" }

// Format hides the words under every verb.
func (c Code) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue hides the words from logs.
func (c Code) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Looks tells whether a text is meant as a code, right or wrong, with or without an
// address behind it.
func Looks(text string) bool {
	text, _, _ = strings.Cut(text, "@")
	parts := split(text)
	return len(parts) == 3 && isNumber(parts[0]) && isWord(parts[1]) && isWord(parts[2])
}

// Parse reads a code as people write it: in any case, with blanks or dashes, and
// perhaps an address behind an @. It fails with ErrCode or ErrWord.
func Parse(text string) (c Code, at string, err error) {
	text, at, _ = strings.Cut(text, "@")
	parts := split(text)
	if len(parts) != 3 || len(parts[0]) > 3 || !isNumber(parts[0]) {
		return Code{}, "", ErrCode
	}
	c.Plate, err = strconv.Atoi(parts[0])
	if err != nil || c.Plate < 1 {
		return Code{}, "", ErrCode
	}
	for i, word := range parts[1:] {
		if _, ok := slices.BinarySearch(list(), word); !ok {
			return Code{}, "", wrongWord(word)
		}
		c.words[i] = word
	}
	return c, at, nil
}

// wrongWord says which word it is that no code has. That is no guess at a code: it
// never leaves this machine.
func wrongWord(word string) error {
	const most = 12
	if len(word) > most || !isWord(word) {
		return ErrCode
	}
	if len(word) >= 4 { // the list's words differ in their first four letters
		for _, w := range list() {
			if strings.HasPrefix(w, word[:4]) {
				return fmt.Errorf("%w: %s; did you hear %s?", ErrWord, word, w)
			}
		}
	}
	return fmt.Errorf("%w: %s", ErrWord, word)
}

func split(text string) []string {
	if len(text) > 64 {
		return nil
	}
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == '-' || r == ' ' || r == '\t' })
}

func isNumber(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 'a' || r > 'z' })
}
