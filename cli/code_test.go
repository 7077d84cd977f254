package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/join/code"
)

// exampleCode is a code in a text, as the documents and the help have it.
var exampleCode = regexp.MustCompile(`\b4[- ][a-z]+[- ]harbor\b`)

// The code that help, messages and documents give as an example is one that could be.
func TestTheExampleIsACode(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".md", ".json"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, example := range exampleCode.FindAllString(string(text), -1) {
			found++
			if _, _, err := code.Parse(example); err != nil {
				t.Errorf("%s: %s: %v", path, example, err)
			}
		}
		return err
	})
	if err != nil || found < 5 {
		t.Errorf("%d examples, %v", found, err)
	}
}
