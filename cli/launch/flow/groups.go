package flow

import (
	"fmt"
	"regexp"
	"strings"
)

// Group is a group that the session starts in, and what it is there.
type Group struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
}

// groupPath is what a group is called: words with slashes between.
var groupPath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$`)

// maxGroups is how many groups a session starts in at most.
const maxGroups = 32

// ParseGroups reads a list as in "frontend:lead,qa,eng/web:member".
func ParseGroups(text string) ([]Group, error) {
	var out []Group
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		name, role, _ := strings.Cut(one, ":")
		g := Group{strings.TrimPrefix(strings.TrimSpace(name), "@"), strings.TrimSpace(role)}
		if !groupPath.MatchString(g.Name) {
			return nil, fmt.Errorf("%q is no group: type name or name:role, with commas between", one)
		}
		out = append(out, g)
	}
	if len(out) > maxGroups {
		return nil, fmt.Errorf("%d groups are more than %d", len(out), maxGroups)
	}
	return out, nil
}

// Modes are the message modes, and what each does.
func Modes() []Option {
	return []Option{
		{"push", "push", "messages enter the session as they come"},
		{"inbox", "inbox", "only a hint that there are some does"},
		{"off", "off", "nothing does; the agent looks by itself"},
	}
}

// checkMode refuses what is no message mode.
func checkMode(mode string) error {
	for _, m := range Modes() {
		if m.Value == mode {
			return nil
		}
	}
	return fmt.Errorf("%q is none of push, inbox, off", mode)
}
