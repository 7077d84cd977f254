package netns

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/test/harness"
)

// bin is the program under test; empty where there is no network to test it on.
var bin string

// lacking says why there can be no network of our own, or is nil.
var lacking = Possible()

func TestMain(m *testing.M) {
	var clean goleak.Option = goleak.Cleanup(os.Exit)
	if lacking == nil {
		dir, err := build()
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		clean = goleak.Cleanup(func(code int) {
			_ = os.RemoveAll(dir) // a temporary folder
			os.Exit(code)
		})
	}
	goleak.VerifyTestMain(m, clean)
}

func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "cmesh-bin-"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	bin, err = harness.Build(ctx, dir)
	return dir, err
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
	w, err := harness.New(harness.Config{
		Bin: bin, Keep: os.Getenv("CLAUDEMESH_KEEP") == "1", Env: append(slices.Clone(Settings), env...),
		Enter: func() error { return l.Enter(n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the ends of the logs in %s:\n%s", w.Root(), w.Logs())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
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
