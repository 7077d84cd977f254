package safety

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/safety-number.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			A, B   string
			AKey   string `json:"a_public_hex"`
			BKey   string `json:"b_public_hex"`
			Digits string
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 6 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		if got := Number(key(t, c.AKey), key(t, c.BKey)); got != c.Digits {
			t.Errorf("%s and %s: %s, want %s", c.A, c.B, got, c.Digits)
		}
	}
}

func key(t *testing.T, text string) (k ident.PublicKey) {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(k) {
		t.Fatalf("key %q: %v", text, err)
	}
	return ident.PublicKey(raw)
}

var form = regexp.MustCompile(`^\d{5}( \d{5}){5}$`)

func TestBothSidesSeeTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) ident.PublicKey {
			return ident.PublicKey(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		here, there := Number(a, b), Number(b, a)
		if here != there || !form.MatchString(here) {
			t.Fatalf("%q and %q", here, there)
		}
		if c != a && c != b && Number(a, c) == here {
			t.Fatal("another key has the same number")
		}
	})
}
