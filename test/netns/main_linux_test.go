package netns

import (
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// bin is the program under test; empty where there is no network to test it on.
var bin string

// lacking says why there can be no network of our own, or is nil.
var lacking = Possible()

func TestMain(m *testing.M) {
	if lacking != nil {
		goleak.VerifyTestMain(m) // every test skips itself
		return
	}
	harnesstest.Main(m, &bin)
}

// network makes a network of machines that ends with the test, or skips it.
func network(t *testing.T, machines int) *LAN {
	t.Helper()
	if lacking != nil {
		if os.Getenv("CLAUDEMESH_REQUIRE_NETNS") == "1" {
			t.Fatalf("CLAUDEMESH_REQUIRE_NETNS=1: %s", lacking)
		}
		t.Skip(lacking)
	}
	l, err := New(machines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// user makes a home on machine n whose node starts by itself and has the settings
// that it has without any, but for those given.
func user(t *testing.T, l *LAN, n int, name string, env ...string) *harness.Home {
	t.Helper()
	w := harnesstest.World(t, harness.Config{
		Bin: bin, Env: append(slices.Clone(Settings), env...), Enter: func() error { return l.Enter(n) },
	})
	h, err := w.Home(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Down(h); err != nil {
			t.Error(err)
		}
	})
	return h
}
