package scheme

import "regexp"

// Name is the scheme, without what follows it.
const Name = "claudemesh"

// maxLink is how long a link may be, in bytes.
const maxLink = 4200

// link is all that may be opened: nothing in it means anything to a shell, to a
// terminal or to a program's flags.
var link = regexp.MustCompile(`^claudemesh://(?:(?:join|i)/)?[A-Za-z0-9_-]+$`)

// Check refuses a text that is no link. It takes nothing off and adds nothing: what it
// lets through is used as it stands.
func Check(text string) error {
	if len(text) > maxLink || !link.MatchString(text) {
		return ErrLink
	}
	return nil
}
