package completions

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/cli/run"
)

// What peers have named is offered only where it means nothing to a shell: bash puts the
// common beginning of several words on the line as it is, and evaluates the line next.
func TestWordsThatShellsActOnAreNotOffered(t *testing.T) {
	saved := sources["key"]
	defer func() { sources["key"] = saved }()
	sources["key"] = func(*app, string) []string {
		return []string{
			"$(touch x)a", "$(touch x)b", "`id`", "a;b", "a|b", "a&b", "a>b", "{a,b}", "a'b", `a"b`, `a\b`, "!!", "-y", "--yes",
			"_activeHelp_ run this", "a\nb", "a\x1b[31m", "a\u202eb", "", "plain", "with blank", "straße/1.2@x", "a-b",
		}
	}
	got := (&app{&run.App{}}).candidates(place{names: []string{"key"}}, "")
	if want := []string{"a-b", "plain", "straße/1.2@x", "with blank"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
