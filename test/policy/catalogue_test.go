package policy_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const golden = "testdata/operations.golden"

// The catalogue is what outside clients rely on: each change of it is to be seen by
// a reviewer. `make golden` rewrites it.
func TestOperationsAreThoseReviewed(t *testing.T) {
	var b strings.Builder
	b.WriteString("# id | place | needs | tool | command | request schema | response schema\n")
	for _, k := range node.Catalogue() {
		fmt.Fprintf(&b, "%s | %s | %s | %s | %s | %s | %s\n", k.ID, k.Place, k.Needs,
			orDash(k.Names.Tool), orDash(k.Names.CLI), hash(t, k.Input), hash(t, k.Output))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the operations are no longer those of %s; if that is meant, run `make golden` and have the difference reviewed\ngot:\n%s", golden, &b)
	}
}

func TestEveryOperationExplainsItself(t *testing.T) {
	for _, k := range node.Catalogue() {
		first, _, _ := strings.Cut(k.Doc, "\n")
		if len(first) < 20 || !strings.HasSuffix(first, ".") {
			t.Errorf("%s: the first line of its help must explain it alone, as a sentence: %q", k.ID, first)
		}
		if family, verb, ok := strings.Cut(k.ID, "."); !ok || family == "" || verb == "" {
			t.Errorf("%s: an id is FAMILY.VERB", k.ID)
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// hash is the beginning of the SHA-256 of a schema.
func hash(t *testing.T, schema func() (*jsonschema.Schema, error)) string {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%x", sum[:6])
}
