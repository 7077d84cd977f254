package policy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// complaints are what users of earlier programs of this kind complained of, by their
// number. A test that holds one names it, as "catalogue 12: …" in the name of a
// subtest or "Catalogue 12" in its comment, so that whoever changes the test knows
// what it is for. Those that are not here wait for what they are about.
var complaints = map[int]string{
	1:  "send said ok, nobody got it",
	2:  "all kinds of messages can be read",
	3:  "what one sends to oneself never came",
	4:  "a prefix copied from peers was accepted, never delivered",
	5:  "mail to one kind of session vanished",
	6:  "one's own message came back as if from oneself",
	7:  "the inbox was empty though messages lay in the store",
	8:  "wrong sender",
	9:  "no notifications at all: the capability was not declared",
	10: "a number in the meta of a notification had it dropped",
	11: "the welcome came too early",
	12: "a flag ate the next word",
	13: "flags were accepted and ignored",
	14: "what was asked of one mesh was answered from several",
	15: "commands inside a session looked for the node in its temporary folder",
	16: "registration failed silently",
	17: "the node stalled with ten sessions",
	18: "not responding, though healthy",
	19: "another identity after a change of network adapters",
	20: "everybody vanished after half a day, or a restart",
	21: "a live peer looked offline after the node's restart",
	22: "a kick had no effect",
	23: "peers invisible for hours: half-open connections",
	24: "the same peer listed twice",
	25: "a rename did nothing",
	26: "the program said it was another version",
	27: "failed, without saying not found or not allowed",
	28: "JSON lacked what the table showed, and the reverse",
}

var (
	// numbers are one or several, as in "3", "16 and 18", "1, 2 and 4".
	numbers = `(\d+(?:(?:, | and )\d+)*)`
	named   = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\bcatalogue,? (?:lines? )?` + numbers),
		regexp.MustCompile(`(?i)\b(?:lines?|bug) ` + numbers + ` of the (?:bug )?catalogue\b`),
	}
	number  = regexp.MustCompile(`\d+`)
	newline = regexp.MustCompile(`\n\s*(?://|#) ?`) // within a comment
)

// namedIn lists the complaints that a test's source names.
func namedIn(source string) []int {
	var out []int
	source = newline.ReplaceAllString(source, " ")
	for _, form := range named {
		for _, found := range form.FindAllStringSubmatch(source, -1) {
			for _, n := range number.FindAllString(found[1], -1) {
				if i, err := strconv.Atoi(n); err == nil {
					out = append(out, i)
				}
			}
		}
	}
	return out
}

func TestNamedIn(t *testing.T) {
	for text, want := range map[string][]int{
		`t.Run("catalogue 12: a flag", f)`:            {12},
		"// Lines 16 and 18 of the bug\n// catalogue": {16, 18},
		"// Bug catalogue, lines 20 and 21: x":        {20, 21},
		"# Line 15 of the bug catalogue: x":           {15},
		"// Bug 6 of the catalogue: x":                {6},
		"the catalogue of operations has 28 lines":    nil,
	} {
		if got := namedIn(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestEveryComplaintHasATest(t *testing.T) {
	found := map[int][]string{}
	err := filepath.WalkDir(root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root() && strings.HasPrefix(name, ".") || name == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if name == "bugs_test.go" || !strings.HasSuffix(name, "_test.go") && filepath.Ext(name) != ".txtar" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range namedIn(string(text)) {
			found[n] = append(found[n], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, what := range complaints {
		if len(found[n]) == 0 {
			t.Errorf("no test names catalogue %d: %s", n, what)
		}
	}
	for n, paths := range found {
		if _, ok := complaints[n]; !ok {
			t.Errorf("%v name catalogue %d, which is not among the complaints", paths, n)
		}
	}
}
