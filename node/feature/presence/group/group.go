package group

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/op"
)

// Limits of a session's groups in one mesh. All of them stand in each beacon.
const (
	MaxName  = 64  // bytes of a name, with its slashes
	MaxRole  = 64  // bytes of a role
	MaxCount = 16  // groups of a session
	MaxBytes = 400 // of all names and roles of a session together
)

// All is the name that means everybody and that no group has.
const All = "all"

// Group is a group that somebody is in, and what they are in it.
type Group struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"` // free text: lead, member, observer …
}

// String is the group as people are shown it: @name or @name:role.
func (g Group) String() string {
	if g.Role == "" {
		return "@" + g.Name
	}
	return "@" + g.Name + ":" + g.Role
}

// Clean checks a group's name and takes one leading @ off. Names are case sensitive
// and lie in each other like folders: a/b is in a.
func Clean(name string) (string, error) {
	clean := strings.TrimPrefix(name, "@")
	bad := clean == "" || len(clean) > MaxName || !utf8.ValidString(clean) || strings.ContainsFunc(clean, unfit) ||
		slices.ContainsFunc(strings.Split(clean, "/"), func(part string) bool { return part == "" || part != strings.TrimSpace(part) })
	if bad {
		return "", op.Errorf(op.Invalid, "%q cannot be a group's name", name).
			WithHint("use 1 to %d bytes of printable characters without quotes, brackets and : , ; @ # *; a/b is a group in a", MaxName)
	}
	if strings.EqualFold(clean, All) || strings.EqualFold(strings.Split(clean, "/")[0], All) {
		return "", op.Errorf(op.Invalid, "@all means everybody in the mesh: no group can have that name").
			WithHint("choose another name")
	}
	return clean, nil
}

func unfit(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r) || op.Alike(r) || strings.ContainsRune("\"'`:,;@#*()<>\\", r)
}

// CheckRole refuses a role that would not show as it is. An empty one is none.
func CheckRole(role string) error {
	odd := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune("\"'`<>", r)
	}
	if len(role) > MaxRole || !utf8.ValidString(role) || strings.ContainsFunc(role, odd) {
		return op.Errorf(op.Invalid, "%q cannot be a role in a group", role).
			WithHint("use at most %d bytes of printable characters without quotes, < and >", MaxRole)
	}
	return nil
}

// Covers tells whether somebody in the group have gets what is written to want: the
// group itself and all groups above it do.
func Covers(want, have string) bool {
	return have == want || strings.HasPrefix(have, want+"/")
}

// In tells whether one of list is the group want or below it.
func In(list []Group, want string) bool {
	return slices.ContainsFunc(list, func(g Group) bool { return Covers(want, g.Name) })
}

// Join returns list with g in it; joining again replaces the role. The list is
// sorted by name. It fails where the session would be in too many.
func Join(list []Group, g Group) ([]Group, error) {
	out := append(Leave(list, g.Name), g)
	slices.SortFunc(out, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	if len(out) > MaxCount {
		return list, op.Errorf(op.TooLarge, "a session can be in %d groups, this would be its %dth", MaxCount, len(out)).
			WithHint("leave one: %s", Names(list))
	}
	if size := Size(out); size > MaxBytes {
		return list, op.Errorf(op.TooLarge, "the names and roles of this session's groups would take %d bytes, the limit is %d", size, MaxBytes).
			WithHint("leave a group or use shorter roles: %s", Names(list))
	}
	return out, nil
}

// Leave returns a copy of list without the group of that name.
func Leave(list []Group, name string) []Group {
	return slices.DeleteFunc(slices.Clone(list), func(g Group) bool { return g.Name == name })
}

// Size is the bytes of all names and roles.
func Size(list []Group) int {
	n := 0
	for _, g := range list {
		n += len(g.Name) + len(g.Role)
	}
	return n
}

// Names lists groups for people, @name with a comma between.
func Names(list []Group) string { return strings.Join(Strings(list), ", ") }

// Strings lists groups as they are shown: @name or @name:role each.
func Strings(list []Group) []string {
	out := make([]string, 0, len(list))
	for _, g := range list {
		out = append(out, g.String())
	}
	return out
}
