package nodes

import (
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// What a node has on disk and cannot open can be put right there.
func TestFailuresOnDiskSayTheNextStep(t *testing.T) {
	for _, c := range []struct {
		err  error
		code op.Code
		hint string
	}{
		{errors.New("the node key is damaged"), op.Unavailable, "put that right"},
		{store.ErrLocked, op.Conflict, ""},
	} {
		if e := op.AsError(onDisk(c.err)); e.Code != c.code || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%v: %s, %q", c.err, e.Code, e.Hint)
		}
	}
}
