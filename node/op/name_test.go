package op_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"ana", "Ana Müller", "лена", "ある", "ana-2", "🦊", "лена-macbook", "Ana и Лена", "中村さん", "AIくん", "김철수", "μ-lab", "d’Ana", "İnci"} {
		if err := op.CheckName(good); err != nil {
			t.Errorf("%q is refused: %v", good, err)
		}
	}
	unseen := map[string]string{
		"a Hangul filler": "ana\u3164", "a half-width one": "ana\uffa0", "a variation selector": "ana\ufe0f", "a joiner of marks": "a\u034fna",
		"blank Braille": "ana\u2800", "a zero-width space": "ana\u200b", "an override": "\u202eana", "a tag": "ana\U000e0041",
		"a Cyrillic letter": "аna", "a Greek one": "anα", "a word of two scripts behind others": "the вoss", "Cyrillic beside Han": "лена中",
		"brackets": "ana (of ben)", "a quote": `a"b`, "nothing": "", "a group": "@ana", "a blank": "ana ",
	}
	for what, bad := range unseen {
		if op.CheckName(bad) == nil {
			t.Errorf("%s passes: %q", what, bad)
		}
	}
}

func TestNamesThatLookAlike(t *testing.T) {
	for _, alike := range [][2]string{
		{"ana", "ANA"}, {"ana", "аnа"}, {"ana", "αnα"}, {"ana", "ａｎａ"}, {"ana", "𝒂𝒏𝒂"}, {"ana-2", "аnа-2"},
		{"coco", "сосо"}, {"CHEP", "СНЕР"}, {"bob", "b0b"}, {"alice", "aIice"}, {"lena", "1ena"}, {"NIKO", "ΝΙΚΟ"}, {"Ana", "Ꭺna"}, {"nuq", "ոսզ"},
		{"finn", "ﬁnn"},
	} {
		if !op.SameName(alike[0], alike[1]) {
			t.Errorf("%q and %q look like %q and %q", alike[0], alike[1], op.Looks(alike[0]), op.Looks(alike[1]))
		}
	}
	for _, other := range [][2]string{{"ana", "anna"}, {"ana", "ana-2"}, {"ian", "lan"}, {"лена", "lena"}, {"zoe", "zoë"}, {"ada", "eda"}, {"中", "串"}} {
		if op.SameName(other[0], other[1]) {
			t.Errorf("%q and %q are one", other[0], other[1])
		}
	}
}

// What a name looks like looks like itself, and is found by each form of it.
func FuzzLooks(f *testing.F) {
	for _, s := range []string{"ana", "аnа", "ΝΙΚΟΣ", "ﬁ", "\u212a", "İ", "\xff", "ᎪᏴ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !op.SameName(s, s) || op.CheckName(s) == nil && op.Looks(s) == "" {
			t.Fatalf("%q looks like %q", s, op.Looks(s))
		}
	})
}

// A list of recipients is split at its commas, so nobody chooses a name with one; who has it
// from before keeps it.
func TestNewNamesHaveNoComma(t *testing.T) {
	for name, fits := range map[string]bool{"ben": true, "ben,ana": false, "ben, ana": false, ",": false, "b@d:": false} {
		if err := op.CheckNewName(name); (err == nil) != fits {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := op.CheckName("ben,ana"); err != nil {
		t.Errorf("from before: %v", err)
	}
}
