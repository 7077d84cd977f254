package mesh

import (
	"fmt"
	"regexp"

	"github.com/claudemesh/claudemesh/node/op"
)

// slugForm is what a mesh may be called.
var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,31}$`)

// checkSlug refuses a name that could not be typed everywhere.
func checkSlug(name string) error {
	if !slugForm.MatchString(name) {
		return op.Errorf(op.Invalid, "%q cannot be a mesh's name", name).
			WithHint("use 2 to 32 characters of a-z, 0-9 and -, beginning with a letter or digit")
	}
	return nil
}

// uniqueSlug is name, with a number behind it when another mesh of this node has it.
func uniqueSlug(name string, taken func(string) bool) string {
	slug := name
	for n := 2; taken(slug); n++ {
		slug = fmt.Sprintf("%s-%d", name, n)
	}
	return slug
}
