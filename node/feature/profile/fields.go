package profile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits, in bytes where nothing else is said.
const (
	MaxAvatar       = 512
	MaxTitle        = 64  // characters
	MaxBio          = 500 // characters
	MaxCapabilities = 32
	MaxCapability   = 64 // characters
	MaxRoleTag      = 64 // characters
	MaxGroups       = 32
	MaxGroup        = 64
	MaxGroupRole    = 32 // characters
)

// errRecord refuses what is no profile record.
var errRecord = errors.New("no profile record")

// field is the part of a profile that stands under one key.
type field string

// The fields. About is avatar, title, bio and capabilities, which are the member's
// own business.
const (
	about    field = "about"
	fName    field = "name"
	fRoleTag field = "role-tag"
	fGroups  field = "groups"
	fMode    field = "message-mode"
	fSeen    field = "seen"
)

// byAdmins are the fields that an admin may write for somebody else.
var byAdmins = []field{fName, fRoleTag, fGroups, fMode}

// keyOf is the key of a member's field.
func keyOf(member ident.PublicKey, f field) string { return member.String() + "/" + string(f) }

// parseKey reads what keyOf writes.
func parseKey(key string) (ident.PublicKey, field, bool) {
	text, name, _ := strings.Cut(key, "/")
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ident.PublicKey{}, "", false
	}
	member, err := ident.ParsePublicKey(raw)
	f := field(name)
	if err != nil || member.String() != text || !slices.Contains([]field{about, fName, fRoleTag, fGroups, fMode, fSeen}, f) {
		return ident.PublicKey{}, "", false
	}
	return member, f, true
}

// Profile is what is known of a member beyond the admin log. What is not set is
// empty.
type Profile struct {
	Avatar, Title, Bio string
	Capabilities       []string
	// Name is the display name wished for; see Feature.Names for the one that counts.
	Name    string
	RoleTag string
	Groups  []Group
	// Mode is push, inbox or off.
	Mode string
	// Seen is the day the member's node ran last, at its beginning in UTC.
	Seen time.Time
}

// Tags of a record's value.
const (
	tagAvatar       = 2
	tagTitle        = 4
	tagBio          = 6
	tagCapabilities = 8
	tagName         = 10
	tagRoleTag      = 12
	tagGroups       = 14 // each: name, or name, a colon and the role
	tagMode         = 16
	tagSeen         = 18 // days since 1970
)

const day = 24 * time.Hour

// encode writes one field of p.
func (p Profile) encode(f field) []byte {
	var w ident.Fields
	switch f {
	case about:
		w.Text(tagAvatar, p.Avatar)
		w.Text(tagTitle, p.Title)
		w.Text(tagBio, p.Bio)
		w.List(tagCapabilities, raw(p.Capabilities))
	case fName:
		w.Text(tagName, p.Name)
	case fRoleTag:
		w.Text(tagRoleTag, p.RoleTag)
	case fGroups:
		words := make([]string, 0, len(p.Groups))
		for _, g := range p.Groups {
			word := g.Name
			if g.Role != "" {
				word += ":" + g.Role // which may be a colon itself
			}
			words = append(words, word)
		}
		w.List(tagGroups, raw(words))
	case fMode:
		w.Text(tagMode, p.Mode)
	case fSeen:
		w.Uint(tagSeen, uint64(max(p.Seen.Unix(), 0)/int64(day/time.Second)))
	}
	return w.Body()
}

func raw(words []string) [][]byte {
	out := make([][]byte, 0, len(words))
	for _, s := range words {
		out = append(out, []byte(s))
	}
	return out
}

func texts(words [][]byte) []string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

// decode reads what encode writes; which field it is is said by the key. It checks
// every limit: values come from other nodes.
func decode(value []byte) (Profile, error) {
	r, err := ident.ReadFields(value, tagAvatar, tagTitle, tagBio, tagCapabilities, tagName, tagRoleTag, tagGroups, tagMode, tagSeen)
	if err != nil {
		return Profile{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	const character = utf8.UTFMax
	p := Profile{
		Avatar: r.Text(tagAvatar, MaxAvatar), Title: r.Text(tagTitle, MaxTitle*character), Bio: r.Text(tagBio, MaxBio*character),
		Capabilities: texts(r.List(tagCapabilities, MaxCapabilities, MaxCapability*character)),
		Name:         r.Text(tagName, op.MaxName), RoleTag: r.Text(tagRoleTag, MaxRoleTag*character),
		Mode: r.Text(tagMode, 8),
	}
	groups := texts(r.List(tagGroups, MaxGroups, MaxGroup+1+MaxGroupRole*character))
	days := r.Uint(tagSeen)
	if err := r.Err(); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	const lastDay = 200 * 366 // far beyond any clock that is set
	if days > lastDay {
		return Profile{}, fmt.Errorf("%w: day %d", errRecord, days)
	}
	if days > 0 {
		p.Seen = time.Unix(int64(days)*int64(day/time.Second), 0).UTC()
	}
	for _, g := range groups {
		name, role, _ := strings.Cut(g, ":")
		p.Groups = append(p.Groups, Group{Name: name, Role: role})
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return p, nil
}

// checkValue is the record kind's look at a value.
func checkValue(value []byte) error {
	_, err := decode(value)
	return err
}

// check refuses what does not show as it is, or is too much.
func (p Profile) check() error {
	for _, t := range []struct {
		what, text string
		most       int
	}{
		{"title", p.Title, MaxTitle}, {"bio", p.Bio, MaxBio}, {"role tag", p.RoleTag, MaxRoleTag}, {"avatar", p.Avatar, MaxAvatar},
	} {
		if err := checkText(t.what, t.text, t.most); err != nil {
			return err
		}
	}
	if err := checkAvatar(p.Avatar); err != nil {
		return err
	}
	if n := len(p.Capabilities); n > MaxCapabilities {
		return op.Errorf(op.TooLarge, "there are %d capabilities, the limit is %d", n, MaxCapabilities).WithHint("name fewer")
	}
	for _, c := range p.Capabilities {
		if c == "" {
			return op.Errorf(op.Invalid, "a capability is empty").WithHint("leave it out; an empty list clears them all")
		}
		if err := checkText("capability", c, MaxCapability); err != nil {
			return err
		}
	}
	if p.Name != "" {
		if err := op.CheckNewName(p.Name); err != nil {
			return err
		}
	}
	if p.Mode != "" && !slices.Contains([]string{"push", "inbox", "off"}, p.Mode) {
		return op.Errorf(op.Invalid, "there is no message mode %q", p.Mode).WithHint("use push, inbox or off")
	}
	return checkGroups(p.Groups)
}

// checkText refuses what is too long or does not show. U+200D joins emoji.
func checkText(what, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return op.Errorf(op.TooLarge, "the %s has %d characters, the limit is %d", what, n, most).WithHint("make it shorter")
	}
	const joiner = '\u200d'
	bad := !utf8.ValidString(text) || strings.TrimSpace(text) != text ||
		strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || r != joiner && !unicode.IsPrint(r) })
	if bad {
		return op.Errorf(op.Invalid, "%q cannot be a %s", text, what).
			WithHint("use printable characters on one line, with no blank at the beginning or end")
	}
	return nil
}

// checkAvatar takes an emoji, or something as short that is no address, or a web address.
func checkAvatar(text string) error {
	const short = 40
	if len(text) > MaxAvatar {
		return op.Errorf(op.TooLarge, "the avatar has %d bytes, the limit is %d", len(text), MaxAvatar).WithHint("use an emoji, or a shorter address of a picture")
	}
	if len(text) <= short && !strings.Contains(text, ":") {
		return nil
	}
	rest, plain := strings.CutPrefix(text, "http://")
	if !plain {
		rest, plain = strings.CutPrefix(text, "https://")
	}
	if !plain || rest == "" || rest[0] == '/' || strings.ContainsAny(text, " \"'<>") {
		return op.Errorf(op.Invalid, "%q cannot be an avatar", text).WithHint("use an emoji, or an address that begins with https://")
	}
	return nil
}

func checkGroups(groups []Group) error {
	if n := len(groups); n > MaxGroups {
		return op.Errorf(op.TooLarge, "there are %d groups, the limit is %d", n, MaxGroups).WithHint("name fewer")
	}
	seen := make(map[string]bool)
	for _, g := range groups {
		bad := g.Name == "" || len(g.Name) > MaxGroup || strings.EqualFold(g.Name, "all") || !utf8.ValidString(g.Name) ||
			strings.ContainsFunc(g.Name, unfit) || strings.HasPrefix(g.Name, "/") || strings.HasSuffix(g.Name, "/") || strings.Contains(g.Name, "//")
		if bad {
			return op.Errorf(op.Invalid, "%q cannot be a group", g.Name).
				WithHint("use 1 to %d bytes of letters, digits, - _ . and / between the parts; the name all is taken", MaxGroup)
		}
		if seen[g.Name] {
			return op.Errorf(op.Invalid, "the group %q is named twice", g.Name).WithHint("name each group once")
		}
		seen[g.Name] = true
		if err := checkText("group role", g.Role, MaxGroupRole); err != nil {
			return err
		}
	}
	return nil
}

// unfit tells of a character that no group's name has.
func unfit(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./", r)
}
