package address

import "testing"

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
