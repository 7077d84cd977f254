package group

import "strings"

// Target is a message's address that means many.
type Target struct {
	All  bool   // everybody
	Name string // the group, where All is false
}

// ParseTarget reads what somebody typed. ok is false for a target that means one
// peer; an error tells why a group of that name cannot be.
func ParseTarget(text string) (t Target, ok bool, err error) {
	switch {
	case text == "*" || strings.EqualFold(text, "@"+All):
		return Target{All: true}, true, nil
	case strings.HasPrefix(text, "@"):
		name, err := Clean(text)
		return Target{Name: name}, true, err
	}
	return Target{}, false, nil
}

// Means tells whether the target means somebody in these groups.
func (t Target) Means(groups []Group) bool { return t.All || In(groups, t.Name) }

// String is the target as typed.
func (t Target) String() string {
	if t.All {
		return "@" + All
	}
	return "@" + t.Name
}
