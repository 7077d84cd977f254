package messages

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

// A hint of the operation stays; what it leaves to its surface is told here.
func TestHintsOfSend(t *testing.T) {
	for message, hint := range map[string]string{
		`expires_in: "x" is no duration`:    "30m",
		`id: "x" is no UUID`:                "UUID",
		`reply_to: "x" is no message id: y`: "inbox",
		"something else":                    "",
	} {
		if e := op.AsError(sendHint(op.Errorf(op.Invalid, "%s", message))); !strings.Contains(e.Hint, hint) || (e.Hint == "") != (hint == "") {
			t.Errorf("%s: %q", message, e.Hint)
		}
	}
}
