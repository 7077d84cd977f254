package profile

import (
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Get shows a member's profile.
var Get = op.Spec[GetRequest, GetResponse]{
	ID:    "profile.get",
	Doc:   "Show a member's profile, yours by default: name, role, groups, message mode, and what they say of themselves.",
	Names: op.Names{CLI: "profile"},
}

// Set changes what the own profile shows.
var Set = op.Spec[SetRequest, SetResponse]{
	ID: "profile.set",
	Doc: "Tell the other members who you are: avatar, title, bio and capabilities.\n" +
		"What is left out stays as it is; an empty text or list clears.",
	Names: op.Names{Tool: "set_profile"},
	Needs: op.Profile,
	Core:  true,
}

// Edit changes what a member is known by.
var Edit = op.Spec[EditRequest, EditResponse]{
	ID: "profile.edit",
	Doc: "Change a member's name, role tag, groups or message mode: your own, or as an admin anybody's.\n" +
		"What is left out stays as it is; an empty text or list clears. Live sessions follow at once.",
	Needs: op.Manage,
}

// GetRequest names a member.
type GetRequest struct {
	op.InMesh
	Member string `json:"member,omitempty" jsonschema:"the member, by name or key; default: you"`
}

// GetResponse is a profile and whose it is.
type GetResponse struct {
	Slug string `json:"mesh_slug"`
	Shown
}

// Text shows all that is set.
func (r GetResponse) Text() string { return r.text(r.Slug) }

// SetRequest is what to change; a field that is left out stays.
type SetRequest struct {
	op.InMesh
	Avatar       *string   `json:"avatar,omitempty" jsonschema:"an emoji, or the web address of a picture"`
	Title        *string   `json:"title,omitempty" jsonschema:"a few words, as in Backend, night shift"`
	Bio          *string   `json:"bio,omitempty" jsonschema:"a few sentences"`
	Capabilities *[]string `json:"capabilities,omitempty" jsonschema:"what you can be asked for, a few words each"`
}

// SetResponse tells what was set, what was cleared, and the profile as it is now.
type SetResponse struct {
	Slug    string   `json:"mesh_slug"`
	Set     []string `json:"set"`
	Cleared []string `json:"cleared"`
	Profile Shown    `json:"profile"`
}

// Text tells the same.
func (r SetResponse) Text() string { return changed(r.Set, r.Cleared) + "\n" + r.Profile.text(r.Slug) }

// EditRequest is what to change about a member; a field that is left out stays.
type EditRequest struct {
	op.InMesh
	Member  string   `json:"member,omitempty" jsonschema:"the member, by name or key; default: you"`
	Name    *string  `json:"name,omitempty" jsonschema:"the name to be known by; empty: the one the member was admitted under"`
	RoleTag *string  `json:"role_tag,omitempty" jsonschema:"free text, as in reviewer"`
	Groups  *[]Group `json:"groups,omitempty" jsonschema:"the groups the member's sessions are in from the start"`
	Mode    *string  `json:"message_mode,omitempty" jsonschema:"push, inbox or off; empty: the default of the member's machine"`
}

// EditResponse tells what was set, what was cleared, and the profile as it is now.
type EditResponse struct {
	Slug    string   `json:"mesh_slug"`
	Set     []string `json:"set"`
	Cleared []string `json:"cleared"`
	Profile Shown    `json:"profile"`
}

// Text tells the same.
func (r EditResponse) Text() string { return changed(r.Set, r.Cleared) + "\n" + r.Profile.text(r.Slug) }

// Group is a group somebody is in, and as what.
type Group struct {
	Name string `json:"name" jsonschema:"without the @"`
	Role string `json:"role,omitempty" jsonschema:"free text, as in lead"`
}

// Shown is a profile as clients see it.
type Shown struct {
	Name         string   `json:"displayName"`
	Admitted     string   `json:"admittedAs,omitempty" jsonschema:"the name in the admin log, where it is another"`
	Member       string   `json:"memberId" jsonschema:"the member's key, hex"`
	Access       string   `json:"access" jsonschema:"owner, admin, member or service"`
	RoleTag      string   `json:"roleTag,omitempty"`
	Groups       []Group  `json:"groups"`
	Mode         string   `json:"messageMode,omitempty" jsonschema:"push, inbox or off; absent: the default of the member's machine"`
	Avatar       string   `json:"avatar,omitempty"`
	Title        string   `json:"title,omitempty"`
	Bio          string   `json:"bio,omitempty"`
	Capabilities []string `json:"capabilities"`
	Seen         string   `json:"lastSeen,omitempty" jsonschema:"the day the member's node ran last, as in 2026-01-31"`
	Own          bool     `json:"own,omitempty" jsonschema:"whether it is you"`
}

// text shows what is set, a line each.
func (s Shown) text(slug string) string {
	name := s.Name
	if s.Avatar != "" {
		name = s.Avatar + " " + name
	}
	if s.Own {
		name += " (you)"
	}
	groups := make([]string, 0, len(s.Groups))
	for _, g := range s.Groups {
		groups = append(groups, g.Text())
	}
	admitted := s.Admitted
	if admitted != "" {
		admitted = "as " + admitted
	}
	lines := []string{name + " in " + slug}
	for _, row := range [][2]string{
		{"admitted", admitted}, {"title", s.Title}, {"bio", s.Bio}, {"capabilities", strings.Join(s.Capabilities, ", ")},
		{"role", s.RoleTag}, {"groups", strings.Join(groups, ", ")}, {"messages", s.Mode}, {"access", s.Access},
		{"last seen", s.Seen}, {"member id", s.Member},
	} {
		if row[1] != "" {
			lines = append(lines, fmt.Sprintf("  %-12s %s", row[0], row[1]))
		}
	}
	return strings.Join(lines, "\n")
}

// Text is the group as people write it, as in @eng (lead).
func (g Group) Text() string {
	if g.Role == "" {
		return "@" + g.Name
	}
	return "@" + g.Name + " (" + g.Role + ")"
}

// changed says what was set and what was cleared.
func changed(set, cleared []string) string {
	var parts []string
	if len(set) > 0 {
		parts = append(parts, "Set: "+strings.Join(set, ", ")+".")
	}
	if len(cleared) > 0 {
		parts = append(parts, "Cleared: "+strings.Join(cleared, ", ")+".")
	}
	if len(parts) == 0 {
		return "Nothing was to be changed."
	}
	return strings.Join(parts, " ")
}
