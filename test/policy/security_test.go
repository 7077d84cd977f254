package policy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testNamed   = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testWritten = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// Every line of the tables in SECURITY.md names tests, and every test that it names is
// there: what is promised to people is shown by something that can fail.
func TestSecurityNamesItsTests(t *testing.T) {
	written := map[string]bool{}
	err := filepath.WalkDir(root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root() && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(d.Name(), "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range testWritten.FindAllStringSubmatch(string(text), -1) {
			written[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root(), "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		named := testNamed.FindAllStringSubmatch(line, -1)
		for _, m := range named {
			if !written[m[1]] {
				t.Errorf("there is no test %s: %s", m[1], line)
			}
		}
		who, row := strings.CutPrefix(line, "| ")
		if !row || strings.HasPrefix(who, "who |") || strings.HasPrefix(who, "what |") {
			continue
		}
		lines++
		if len(named) == 0 && !unshown.MatchString(line) {
			t.Errorf("no test shows this line: %s", line)
		}
	}
	if lines < 12 {
		t.Errorf("only %d lines", lines)
	}
}

// unshown are the lines that promise nothing.
var unshown = regexp.MustCompile(`there is no protection from it|there is no relay in this version`)
