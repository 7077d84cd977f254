package op_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"ana", "Ana Müller", "лена", "ある", "ana-2", "🦊"} {
		if err := op.CheckName(good); err != nil {
			t.Errorf("%q is refused: %v", good, err)
		}
	}
	unseen := map[string]string{
		"a Hangul filler": "ana\u3164", "a half-width one": "ana\uffa0", "a variation selector": "ana\ufe0f", "a joiner of marks": "a\u034fna",
		"blank Braille": "ana\u2800", "a zero-width space": "ana\u200b", "an override": "\u202eana", "a tag": "ana\U000e0041",
		"brackets": "ana (of ben)", "a quote": `a"b`, "nothing": "", "a group": "@ana", "a blank": "ana ",
	}
	for what, bad := range unseen {
		if op.CheckName(bad) == nil {
			t.Errorf("%s passes: %q", what, bad)
		}
	}
}
