//go:build !linux

package powercut

import (
	"runtime"
	"testing"
)

func record(t testing.TB, _ Config) recording {
	t.Helper()
	unavailable(t, "not made for "+runtime.GOOS)
	return recording{}
}
