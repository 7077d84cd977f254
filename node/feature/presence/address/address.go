package address

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Address is what a target resolves to: one session, or one member of whose
// sessions one takes the message.
type Address struct {
	Key       ident.PublicKey
	IsSession bool
	Member    ident.PublicKey
	Name      string
	Online    bool
}

// minPrefix is how many hex digits of a key name whose it is.
const minPrefix = 8

// Whole tells whether target names a with all of its name, or by its key. Find is
// content with a part of a name, which is not enough where somebody is to be removed,
// blocked or trusted.
func (a Address) Whole(target string) bool {
	if len(target) >= minPrefix && strings.HasPrefix(a.Key.String(), strings.ToLower(target)) {
		return true
	}
	if name, _, ok := splitQualified(target); ok {
		target = name
	}
	return target != "" && strings.EqualFold(a.Name, target)
}

// Session is one addressable session.
type Session struct {
	Address
	Cwd    string // told where a name is ambiguous
	Hidden bool   // found by its key alone
	Here   bool   // online now
}

// Find finds whom a target means: a key or a prefix of one, a session's name, a
// member's name, or a part of a name that only one peer has. A name that a session
// is online under means that session; else the member of that name, so that mail
// for somebody away waits for whichever session comes next. No session takes a name
// that is another member's. The asking session is never found. ok is false if nobody is meant; several candidates are an error that
// lists them.
func Find(sessions []Session, members []Address, asking ident.PublicKey, target string) (a Address, ok bool, err error) {
	if a, ok, err := byKey(sessions, members, asking, target); ok || err != nil {
		return a, ok, err
	}
	return byName(sessions, members, asking, target)
}

// byKey finds a full key or an unambiguous prefix of 8 or more hex digits.
func byKey(sessions []Session, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	text := strings.ToLower(target)
	if len(text) < minPrefix || len(text) > 64 {
		return Address{}, false, nil
	}
	if _, err := hex.DecodeString(text[:len(text)&^1]); err != nil {
		return Address{}, false, nil
	}
	var found []Session
	for _, s := range sessions {
		if strings.HasPrefix(s.Key.String(), text) {
			found = append(found, s)
		}
	}
	for _, m := range members {
		if strings.HasPrefix(m.Key.String(), text) {
			found = append(found, Session{Address: m})
		}
	}
	return one(found, asking, target)
}

// byName follows the order of names: online session, member, known session, part. A
// member's name is that member's alone: another member's session of the same name is
// found by its key, or by its name with the member's behind it.
func byName(sessions []Session, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	if name, member, ok := splitQualified(target); ok {
		return byName(ofMember(sessions, members, member), nil, asking, name)
	}
	if slices.ContainsFunc(members, func(m Address) bool { return strings.EqualFold(m.Name, target) }) {
		sessions = ofMember(sessions, members, target)
	}
	online := func(s Session) bool { return s.Here && !s.Hidden }
	listed := func(s Session) bool { return !s.Hidden }
	equal := func(name string) bool { return strings.EqualFold(name, target) }
	if a, ok, err := one(filter(sessions, online, equal, asking), asking, target); ok || err != nil {
		return a, ok, err
	}
	var named []Session
	for _, m := range members {
		if equal(m.Name) {
			named = append(named, Session{Address: m})
		}
	}
	if a, ok, err := one(named, asking, target); ok || err != nil {
		return a, ok, err
	}
	if a, ok, err := one(filter(sessions, listed, equal, asking), asking, target); ok || err != nil {
		return a, ok, err
	}
	return byPart(sessions, members, asking, target)
}

// Qualified is a session's name as recipients are shown it: alone where it is the
// member's own or one with a number behind it, else with the member's name, so that
// nobody can be taken for another. Find understands both.
func Qualified(session, member string) string {
	rest, own := strings.CutPrefix(session, member)
	if own && (rest == "" || isNumbered(rest)) {
		return session
	}
	if op.CheckName(session) != nil {
		session = unfitName
	}
	return session + qualifier + member + ")"
}

// unfitName stands for a session's name that no honest program gives one: it could
// hold markup, or brackets that name another member.
const unfitName = "session"

// Shown is the name of another's session where it stands alone.
func Shown(session string, key ident.PublicKey) string {
	if op.CheckName(session) != nil {
		return unfitName + "-" + key.String()[:8]
	}
	return session
}

const qualifier = " (of "

// isNumbered tells whether s is a dash and digits.
func isNumbered(s string) bool {
	return len(s) > 1 && s[0] == '-' && strings.Trim(s[1:], "0123456789") == ""
}

// splitQualified is the reverse of Qualified. Names hold no brackets.
func splitQualified(target string) (session, member string, ok bool) {
	session, rest, ok := strings.Cut(target, qualifier)
	member, closed := strings.CutSuffix(rest, ")")
	return session, member, ok && closed
}

// ofMember keeps the sessions of the members of that name.
func ofMember(sessions []Session, members []Address, name string) []Session {
	var out []Session
	for _, s := range sessions {
		if slices.ContainsFunc(members, func(m Address) bool { return m.Key == s.Member && strings.EqualFold(m.Name, name) }) {
			out = append(out, s)
		}
	}
	return out
}

// byPart finds the only peer whose name holds the target.
func byPart(sessions []Session, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	part := func(name string) bool {
		return target != "" && strings.Contains(strings.ToLower(name), strings.ToLower(target))
	}
	found := filter(sessions, func(s Session) bool { return s.Here && !s.Hidden }, part, asking)
	for _, m := range members {
		covered := slices.ContainsFunc(found, func(s Session) bool { return s.Member == m.Key })
		if part(m.Name) && !covered {
			found = append(found, Session{Address: m})
		}
	}
	return one(found, asking, target)
}

// filter picks the sessions other than the asking one.
func filter(all []Session, keep func(Session) bool, name func(string) bool, asking ident.PublicKey) []Session {
	var out []Session
	for _, s := range all {
		if s.Key != asking && keep(s) && name(s.Name) {
			out = append(out, s)
		}
	}
	return out
}

// one takes the only candidate. Several are an error that lists them.
func one(found []Session, asking ident.PublicKey, target string) (Address, bool, error) {
	switch {
	case len(found) == 0:
		return Address{}, false, nil
	case len(found) > 1:
		lines := make([]string, 0, len(found))
		for _, c := range found {
			line := c.Name + " " + c.Key.String()[:16]
			if c.Cwd != "" {
				line += " " + c.Cwd
			}
			lines = append(lines, line)
		}
		slices.Sort(lines)
		return Address{}, false, op.Errorf(op.Ambiguous, "%q could be any of %d peers", target, len(found)).
			WithHint("use a key: %s", strings.Join(lines, "; "))
	case found[0].Key == asking:
		return Address{}, false, op.Errorf(op.Invalid, "%q is this very session", target).
			WithHint("name another session or member; list_peers (`claudemesh peers`) shows them")
	default:
		return found[0].Address, true, nil
	}
}
