package group

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/claudemesh/claudemesh/node/op"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"frontend": "frontend", "@frontend": "frontend", "a/b/c": "a/b/c", "my group": "my group", "été": "été", "allies": "allies",
		"": "", "@": "", "@@x": "", "all": "", "@ALL": "", "all/x": "", "a//b": "", "/a": "", "a/": "", "a/ b": "", `a"b`: "", "a'b": "", "a\nb": "",
		"a\x00": "", "a:b": "", "*": "", "#x": "", "\xff": "", "<b>": "", strings.Repeat("x", MaxName+1): "",
	} {
		got, err := Clean(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", name, got, err)
		}
		if err != nil && (op.CodeOf(err) != op.Invalid || op.AsError(err).Hint == "") {
			t.Errorf("%q: %v has no next step", name, err)
		}
	}
}

func TestAGroupReachesThoseBelowIt(t *testing.T) {
	for _, c := range []struct {
		want, have string
		covers     bool
	}{
		{"a", "a", true}, {"a", "a/b/c", true}, {"a/b", "a/b/c", true}, {"a/b", "a", false}, {"a", "ab", false}, {"a/b", "a/bc", false},
	} {
		if got := Covers(c.want, c.have); got != c.covers {
			t.Errorf("@%s to somebody in %s: %v", c.want, c.have, got)
		}
	}
}

func TestTargets(t *testing.T) {
	in := []Group{{Name: "a/b"}}
	for text, want := range map[string]string{"*": "@all", "@all": "@all", "@All": "@all", "@a": "@a", "@a/b": "@a/b"} {
		got, ok, err := ParseTarget(text)
		if !ok || err != nil || got.String() != want || !got.Means(in) {
			t.Errorf("%q: %v %v %v", text, got, ok, err)
		}
	}
	if got, ok, err := ParseTarget("@c"); !ok || err != nil || got.Means(in) {
		t.Errorf("@c: %v %v %v", got, ok, err)
	}
	if _, ok, err := ParseTarget("bo"); ok || err != nil {
		t.Errorf("a name is many: %v", err)
	}
	if _, ok, err := ParseTarget(`@a"b`); !ok || err == nil {
		t.Error("a bad name passed")
	}
}

func TestJoinAndLeave(t *testing.T) {
	var list []Group
	var err error
	for _, g := range []Group{{"b", ""}, {"a", "lead"}, {"b", "observer"}, {"a", ""}} {
		if list, err = Join(list, g); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"@a", "@b:observer"}; !slices.Equal(Strings(list), want) {
		t.Errorf("%v, want %v", Strings(list), want)
	}
	if left := Leave(Leave(list, "a"), "a"); !slices.Equal(Strings(left), []string{"@b:observer"}) || len(list) != 2 {
		t.Errorf("left %v of %v", left, list)
	}
	for i := len(list); i < MaxCount; i++ {
		if list, err = Join(list, Group{Name: string(rune('c' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Join(list, Group{Name: "zz"}); op.CodeOf(err) != op.TooLarge {
		t.Errorf("one too many: %v", err)
	}
	long := []Group{}
	for i := 0; err == nil; i++ {
		long, err = Join(long, Group{Name: strings.Repeat(string(rune('a'+i)), MaxName), Role: strings.Repeat("r", MaxRole)})
	}
	if op.CodeOf(err) != op.TooLarge || Size(long) > MaxBytes {
		t.Errorf("%d bytes: %v", Size(long), err)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a/b", "@all", "ALL/x", "a\u202eb", " a", "a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Clean(s)
		if err != nil {
			return
		}
		if again, err := Clean(name); err != nil || again != name || len(name) > MaxName || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsAny(name, "\"':") {
			t.Fatalf("%q became %q: %v", s, name, err)
		}
		if tg, ok, err := ParseTarget("@" + name); !ok || err != nil || tg.Name != name {
			t.Fatalf("@%s means %+v", name, tg)
		}
	})
}

func TestNoGroupLooksLikeAnother(t *testing.T) {
	for _, bad := range []string{"ａｌｌ", "team\u200b", "te\u2800am", "cafe\u0301", "a\u034fll"} {
		if _, err := Clean(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := Clean("café"); err != nil {
		t.Error(err)
	}
}
