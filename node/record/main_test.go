package record

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs properties over whole stores 25 times, and 1,000 times with
// CLAUDEMESH_LONG=1, unless -rapid.checks says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "rapid.checks" })
	checks := "25"
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		checks = "1000"
	}
	if !said {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
