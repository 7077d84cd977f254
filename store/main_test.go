package store

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// envChild makes the test binary a child that writes to the store named there.
const envChild = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(envChild); path != "" {
		writeForEver(path)
	}
	goleak.VerifyTestMain(m)
}
