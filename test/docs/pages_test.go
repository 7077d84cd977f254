package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli"
)

// TestCommandsAreCurrent compares the page of all commands and the published schemas of
// what they print with --json with the table of commands and its types. What is lost from
// a schema breaks scripts.
func TestCommandsAreCurrent(t *testing.T) {
	pages, err := cli.Pages()
	if err != nil {
		t.Fatal(err)
	}
	written(t, "docs", pages, "make docs")
	strays(t, "docs", "schema", pages)
}

// requests are lines of roff that do something; all others are text.
var requests = regexp.MustCompile(`^\.(TH|SH|PP|TP|B|BR|br|nf|fi)( |$)`)

// Each command that is listed has a man page, and no line in one is taken for a request
// that is none.
func TestManPages(t *testing.T) {
	pages := cli.ManPages("1.2.3")
	for _, name := range []string{"claudemesh.1", "claudemesh-send.1", "claudemesh-state-set.1", "claudemesh-profile-set.1"} {
		if pages[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, page := range pages {
		for line := range strings.Lines(page) {
			if (strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'")) && !requests.MatchString(strings.TrimRight(line, "\n")) {
				t.Errorf("%s: %q", name, line)
			}
		}
		for _, part := range []string{".TH CLAUDEMESH", `"claudemesh 1.2.3"`, "\n.SH NAME\n", "\n.SH SYNOPSIS\n", "\n.SH DESCRIPTION\n"} {
			if !strings.Contains(page, part) {
				t.Errorf("%s has no %q", name, part)
			}
		}
	}
}
