package hostile

import (
	"testing"

	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// bin is the program under test.
var bin string

func TestMain(m *testing.M) { harnesstest.Main(m, &bin) }
