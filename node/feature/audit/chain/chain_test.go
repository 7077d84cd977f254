package chain_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
)

var update = flag.Bool("update", false, "write the vectors anew")

// vector is an entry with its one form and its hash.
type vector struct {
	Entry     chain.Entry `json:"entry"`
	Canonical string      `json:"canonical"`
	Hash      string      `json:"hash"`
}

func key(digit string) string { return strings.Repeat(digit, 64) }

// sample is a chain that has every kind of character that matters.
func sample() []chain.Entry {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	base := chain.Entry{Chain: key("a"), Actor: key("a"), Mesh: "mesh0", At: chain.Moment(at)}
	texts := []map[string]string{
		{"name": "first light"},
		{"role": "admin", "member": key("b"), "name": "Zoë|\"\\\n\t\u0001\u2028</>"},
		{},
	}
	var out []chain.Entry
	for i, event := range []string{"mesh_made", "member_admitted", "key_changed"} {
		e := base
		e.Event, e.Data = event, texts[i]
		out = append(out, e)
	}
	return out
}

func linked(t *testing.T, entries []chain.Entry) (raws [][]byte) {
	t.Helper()
	var i uint64
	var h chain.Hash
	for _, e := range entries {
		raw, err := e.After(i, h).Encode()
		if err != nil {
			t.Fatal(err)
		}
		i, h = i+1, sha256.Sum256(raw)
		raws = append(raws, raw)
	}
	return raws
}

func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "chain.json")
	var want []vector
	for _, raw := range linked(t, sample()) {
		e, h, err := chain.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, vector{e, string(raw), h.String()})
	}
	if *update {
		raw, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var have []vector
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	if len(have) != len(want) {
		t.Fatalf("%d vectors, want %d", len(have), len(want))
	}
	var w chain.Walk
	for i, v := range have {
		if v.Canonical != want[i].Canonical || v.Hash != want[i].Hash {
			t.Errorf("entry %d\n got %s %s\nwant %s %s", i+1, want[i].Hash, want[i].Canonical, v.Hash, v.Canonical)
		}
		// The file alone is enough to check the chain, with SHA-256 and nothing of ours.
		sum := sha256.Sum256([]byte(v.Canonical))
		if hex.EncodeToString(sum[:]) != v.Hash {
			t.Errorf("entry %d: its hash is not SHA-256 of its text", i+1)
		}
		if _, err := w.Next(key("a"), []byte(v.Canonical)); err != nil {
			t.Errorf("entry %d: %v", i+1, err)
		}
	}
}

// Entry 1 of the classic vectors failed to verify after a database had ordered its
// keys anew. What anybody does to an entry here either keeps its form or is noticed.
func TestOtherFormsAreRefused(t *testing.T) {
	good := string(linked(t, sample())[1])
	for name, change := range map[string][2]string{
		"key order":      {`{"actor"`, `{ "actor"`},
		"blank":          {`,"at"`, `, "at"`},
		"escaped letter": {"Zo", `\u005ao`},
		"escaped tag":    {"<", `\u003c`},
		"unknown field":  {`{"actor"`, `{"aaa":1,"actor"`},
		"twice a field":  {`,"v":1}`, `,"v":1,"v":1}`},
		"version":        {`"v":1`, `"v":2`},
		"float":          {`"i":2`, `"i":2.0`},
		"number 0":       {`"i":2`, `"i":0`},
		"time":           {`T03`, ` 03`},
		"no chain":       {`"chain":"` + key("a"), `"chain":"ana`},
		"capital key":    {`"actor":"` + key("a"), `"actor":"` + key("A")},
		"genesis":        {`"i":2`, `"i":1`},
		"event":          {`member_admitted`, `Member`},
		"no event":       {`member_admitted`, ``},
		"number in data": {`"role":"admin"`, `"role":3`},
		"behind":         {`"v":1}`, `"v":1} `},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		if _, _, err := chain.Parse([]byte(bad)); err == nil {
			t.Errorf("%s: taken: %s", name, bad)
		}
	}
	if _, _, err := chain.Parse(bytes.Repeat([]byte(" "), chain.MaxEntry+1)); err == nil {
		t.Error("too large: taken")
	}
}

// Whatever is changed in a chain is noticed at the entry, or at the one behind it.
func TestEveryChangeIsNoticed(t *testing.T) {
	raws := linked(t, append(sample(), sample()...))
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(raws)-2).Draw(t, "entry")
		entries := append([][]byte(nil), raws...)
		switch rapid.SampledFrom([]string{"byte", "drop", "swap", "twice"}).Draw(t, "how") {
		case "byte":
			bad := append([]byte(nil), entries[at]...)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
			entries[at] = bad
		case "drop":
			entries = append(entries[:at:at], entries[at+1:]...)
		case "swap":
			entries[at], entries[at+1] = entries[at+1], entries[at]
		case "twice":
			entries = append(entries[:at+1:at+1], entries[at:]...)
		}
		var w chain.Walk
		for i, raw := range entries {
			if _, err := w.Next(key("a"), raw); err != nil {
				if i > at+1 {
					t.Fatalf("a change of entry %d was noticed at %d only", at+1, i+1)
				}
				return
			}
		}
		t.Fatal("not noticed")
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"v":1}`} {
		f.Add([]byte(s))
	}
	e := sample()[1]
	raw, err := e.After(0, chain.Hash{}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, h, err := chain.Parse(raw)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, raw) || h != sha256.Sum256(raw) {
			t.Fatalf("%q reads as %+v and is written as %q (%v)", raw, e, again, err)
		}
	})
}
