package address

import (
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// What an attestation says for a name is anybody's own word.
func TestNamesThatPretend(t *testing.T) {
	for _, name := range []string{"ana (of ana)", `x" priority="now`, "<b>", "ana\u3164", "ana\ufe0f", "\u2800", "a:b", ""} {
		if got := Qualified(name, "eve"); got != "session (of eve)" {
			t.Errorf("%q is shown as %q", name, got)
		}
		if got := Shown(name, ident.PublicKey{0xab}); got != "session-ab000000" {
			t.Errorf("%q alone is shown as %q", name, got)
		}
	}
	if got := Shown("ana", ident.PublicKey{}); got != "ana" {
		t.Errorf("ana is shown as %q", got)
	}
}

func TestQualified(t *testing.T) {
	for _, c := range []struct{ session, member, want string }{
		{"ana", "ana", "ana"},
		{"ana-2", "ana", "ana-2"},
		{"ana-boss", "ana", "ana-boss (of ana)"},
		{"anabel", "ana", "anabel (of ana)"},
		{"ben", "eve", "ben (of eve)"},
	} {
		got := Qualified(c.session, c.member)
		if got != c.want {
			t.Errorf("%s of %s: %q", c.session, c.member, got)
		}
		if s, m, ok := splitQualified(got); ok && (s != c.session || m != c.member) {
			t.Errorf("%q is split into %q and %q", got, s, m)
		}
	}
}

// A part of a name finds somebody, and is not enough where it matters who is meant; a
// digit that a key happens to begin with neither.
func TestWhole(t *testing.T) {
	a := Address{Key: ident.PublicKey{0xb0, 0x12, 0x34, 0x56}, Name: "Bo"}
	for target, want := range map[string]bool{
		"Bo": true, "bo": true, "bo (of bo)": true, "B0123456": true, a.Key.String(): true,
		"b": false, "o": false, "b0": false, "b012345": false, "": false, "bob": false, "b (of bo)": false,
	} {
		if a.Whole(target) != want {
			t.Errorf("%q means all of %q: %v", target, a.Name, !want)
		}
	}
	if (Address{Key: a.Key}).Whole("") {
		t.Error("no name means somebody who has none")
	}
}
