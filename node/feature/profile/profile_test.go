package profile

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestWhatIsLeftOutStaysAndWhatIsEmptyClears(t *testing.T) {
	w := newWorld(t)
	out, text, err := do(w, Set, `{"avatar":"👩‍🚀","title":"Backend","bio":"Night shift.","capabilities":["go","sql"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(out.Set, out.Cleared) != "[avatar title bio capabilities] []" || !strings.HasPrefix(text, "Set: avatar, title, bio, capabilities.\n👩‍🚀 ana (you) in team") {
		t.Errorf("%+v\n%s", out, text)
	}
	out, text, err = do(w, Set, `{"title":"","bio":"Day shift."}`)
	if err != nil {
		t.Fatal(err)
	}
	p := out.Profile
	if fmt.Sprint(out.Set, out.Cleared) != "[bio] [title]" || p.Avatar != "👩‍🚀" || p.Title != "" || p.Bio != "Day shift." || len(p.Capabilities) != 2 {
		t.Errorf("%+v", out)
	}
	if !strings.HasPrefix(text, "Set: bio. Cleared: title.") {
		t.Error(text)
	}
	if out, _, err = do(w, Set, `{"capabilities":[]}`); err != nil || fmt.Sprint(out.Cleared) != "[capabilities]" || len(out.Profile.Capabilities) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	before := w.writes
	if out, text, err = do(w, Set, `{}`); err != nil || !strings.HasPrefix(text, "Nothing was to be changed.") || w.writes != before {
		t.Errorf("%+v, %q, %v", out, text, err)
	}
}

func TestAMemberEditsItself(t *testing.T) {
	w := newWorld(t)
	out, text, err := do(w, Edit, `{"name":"Anna","role_tag":"lead","groups":[{"name":"@core","role":"lead"},{"name":"a/b"}],"message_mode":"inbox"}`)
	if err != nil {
		t.Fatal(err)
	}
	p := out.Profile
	if p.Name != "Anna" || p.Admitted != "ana" || p.RoleTag != "lead" || fmt.Sprint(p.Groups) != "[{core lead} {a/b }]" || p.Mode != "inbox" || !p.Own {
		t.Errorf("%+v", p)
	}
	for _, part := range []string{"Anna (you) in team", "admitted     as ana", "role         lead", "groups       @core (lead), @a/b", "messages     inbox", "access       owner", "member id    " + w.ana.String()} {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q:\n%s", part, text)
		}
	}
	// Line 25 of the catalogue: it is the name everywhere.
	if w.f.Names(w.team.Mesh)[w.ana] != "Anna" {
		t.Error("the name is not the member's")
	}
	if out, _, err = do(w, Edit, `{"name":"","message_mode":"","groups":[]}`); err != nil || out.Profile.Name != "ana" || out.Profile.Mode != "" || out.Profile.RoleTag != "lead" {
		t.Errorf("%+v, %v", out, err)
	}
}

// Catalogue line 27: each refusal has its own code and says both numbers.
func TestEachRefusalHasItsOwnCode(t *testing.T) {
	w := newWorld(t)
	for in, want := range map[string]struct {
		code op.Code
		text string
	}{
		`{"title":"` + strings.Repeat("t", 65) + `"}`: {op.TooLarge, "65 characters, the limit is 64"},
		`{"bio":"` + strings.Repeat("ü", 501) + `"}`:  {op.TooLarge, "501 characters, the limit is 500"},
		`{"bio":"a\nb"}`:                                              {op.Invalid, `"a\nb"`},
		`{"title":"a\u202eb"}`:                                        {op.Invalid, "cannot be a title"},
		`{"avatar":"javascript://x"}`:                                 {op.Invalid, "cannot be an avatar"},
		`{"avatar":"javascript:x"}`:                                   {op.Invalid, "cannot be an avatar"},
		`{"avatar":"` + strings.Repeat("x", 41) + `"}`:                {op.Invalid, "cannot be an avatar"},
		`{"avatar":"https://e.org/` + strings.Repeat("x", 600) + `"}`: {op.TooLarge, "614 characters, the limit is 512"},
		`{"capabilities":[""]}`:                                       {op.Invalid, "empty"},
		`{"capabilities":["` + strings.Repeat(`a","`, 32) + `a"]}`:    {op.TooLarge, "33 capabilities, the limit is 32"},
		`{"capabilities":"go"}`:                                       {op.Invalid, "capabilities"},
		`{"name":"x"}`:                                                {op.Invalid, "name"},
		`{"mesh_slug":"nowhere"}`:                                     {op.NotFound, "nowhere"},
	} {
		if _, _, err := do(w, Set, in); op.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("set %.60s: %v", in, err)
		}
	}
	for in, want := range map[string]struct {
		code op.Code
		text string
	}{
		`{"name":"@x"}`:                                  {op.Invalid, "@x"},
		`{"name":"BO"}`:                                  {op.Conflict, "bo is the name of another member"},
		`{"message_mode":"loud"}`:                        {op.Invalid, "loud"},
		`{"groups":[{"name":"all"}]}`:                    {op.Invalid, "all"},
		`{"groups":[{"name":"a'b"}]}`:                    {op.Invalid, "a'b"},
		`{"groups":[{"name":"a"},{"name":"a"}]}`:         {op.Invalid, "twice"},
		`{"groups":[{"name":"/a"}]}`:                     {op.Invalid, "/a"},
		`{"member":"zed","name":"x"}`:                    {op.NotFound, "zed"},
		`{"role_tag":"` + strings.Repeat("r", 65) + `"}`: {op.TooLarge, "65"},
	} {
		if _, _, err := do(w, Edit, in); op.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("edit %.60s: %v", in, err)
		}
	}
	w.admins = nil
	if _, _, err := do(w, Edit, `{"member":"bo","role_tag":"x"}`); op.CodeOf(err) != op.Denied {
		t.Errorf("one who is no admin: %v", err)
	}
	if _, _, err := do(w, Edit, `{"member":"ana","role_tag":"x"}`); err != nil {
		t.Errorf("oneself by name: %v", err)
	}
}

// Of a member's own word and an admin's the last one counts, field by field.
func TestAnAdminAndTheMemberWriteOneField(t *testing.T) {
	w := newWorld(t)
	own := func(f field, p Profile) {
		t.Helper()
		if _, err := w.write(w.team.Mesh, w.bo, keyOf(w.bo, f), p.encode(f)); err != nil {
			t.Fatal(err)
		}
	}
	own(fRoleTag, Profile{RoleTag: "mine"})
	own(fGroups, Profile{Groups: []Group{{Name: "g"}}})
	if _, _, err := do(w, Edit, `{"member":"`+w.bo.String()[:16]+`","role_tag":"given","name":"Bob"}`); err != nil {
		t.Fatal(err)
	}
	if p := w.f.Profile(w.team.Mesh, w.bo); p.RoleTag != "given" || p.Name != "Bob" || len(p.Groups) != 1 {
		t.Errorf("%+v", p)
	}
	own(fRoleTag, Profile{RoleTag: "mine again"})
	if p := w.f.Profile(w.team.Mesh, w.bo); p.RoleTag != "mine again" || p.Name != "Bob" {
		t.Errorf("%+v", p)
	}
	// Who is an admin is asked when it is read.
	w.admins = nil
	w.rejudge()
	if p := w.f.Profile(w.team.Mesh, w.bo); p.Name != "" || p.RoleTag != "mine again" {
		t.Errorf("what no admin wrote: %+v", p)
	}
}

func TestWhoMayWriteWhat(t *testing.T) {
	w := newWorld(t)
	w.admins[w.cy] = true
	for key, may := range map[string][3]bool{ // bo, ana (admin), cy (admin)
		keyOf(w.bo, about):                       {true, false, false},
		keyOf(w.bo, fSeen):                       {true, false, false},
		keyOf(w.bo, fName):                       {true, true, true},
		keyOf(w.bo, fMode):                       {true, true, true},
		keyOf(w.ana, fName):                      {false, true, true},
		keyOf(w.bo, "odd"):                       {},
		w.bo.String():                            {},
		strings.ToUpper(w.bo.String()) + "/name": {},
		"zz/name":                                {},
		strings.Repeat("0", 64) + "/name":        {},
		keyOf(w.bo, fName) + "/more":             {},
	} {
		for i, author := range []ident.PublicKey{w.bo, w.ana, w.cy} {
			if w.f.mayWrite(w.team.Mesh, author, key) != may[i] {
				t.Errorf("%s by %d: %v", key, i, !may[i])
			}
		}
	}
}

// Whoever wishes for another's name does not get it, whatever program wrote the wish;
// of two who wish for one name neither does.
func TestNobodyTakesAnothersName(t *testing.T) {
	w := newWorld(t)
	wish := func(who ident.PublicKey, name string) {
		t.Helper()
		if _, err := w.write(w.team.Mesh, who, keyOf(who, fName), Profile{Name: name}.encode(fName)); err != nil {
			t.Fatal(err)
		}
	}
	is := func(ana, bo, cy string) {
		t.Helper()
		n := w.f.Names(w.team.Mesh)
		if n[w.ana] != ana || n[w.bo] != bo || n[w.cy] != cy || len(n) != 3 {
			t.Errorf("%v", n)
		}
	}
	wish(w.bo, "ANA")
	is("ana", "bo", "Cy")
	wish(w.bo, "zoe")
	is("ana", "zoe", "Cy")
	wish(w.cy, "Zoe")
	is("ana", "bo", "Cy")
	wish(w.bo, "")
	is("ana", "bo", "Zoe")
	wish(w.cy, "CY") // one's own in other letters
	is("ana", "bo", "CY")
	wish(w.cy, "")
	for _, alike := range []string{"во", "B0", "ｂｏ", "𝐛𝐨"} { // the first in Cyrillic
		wish(w.cy, alike)
		is("ana", "bo", "Cy")
	}
	if _, _, err := do(w, Edit, `{"name":"B0"}`); op.CodeOf(err) != op.Conflict {
		t.Errorf("ana took a name that looks like bo's: %v", err)
	}
}

// An admin with a modified client can admit somebody under a name that looks like
// another's. It does not stand alone.
func TestANameThatLooksLikeAnothersIsMarked(t *testing.T) {
	w := newWorld(t)
	const cyrillic = "во"
	w.renamed = map[ident.PublicKey]string{w.cy: cyrillic}
	if n := w.f.Names(w.team.Mesh); n[w.bo] != "bo" || n[w.cy] != cyrillic+"-"+w.cy.String()[:8] {
		t.Errorf("beside bo: %v", n)
	}
	w.renamed[w.bo] = "ben"
	if n := w.f.Names(w.team.Mesh); n[w.cy] != cyrillic {
		t.Errorf("alone: %v", n)
	}
}

// Catalogue line 14: a profile is of one mesh.
func TestAProfileIsOfOneMesh(t *testing.T) {
	w := newWorld(t)
	if _, _, err := do(w, Set, `{"title":"here"}`); err != nil {
		t.Fatal(err)
	}
	for mesh, want := range map[string]string{"team": "here", "other": ""} {
		out, _, err := do(w, Get, `{"mesh_slug":"`+mesh+`"}`)
		if err != nil || out.Title != want || out.Slug != mesh {
			t.Errorf("%s: %+v, %v", mesh, out, err)
		}
	}
	if _, _, err := do(w, Get, `{"mesh_slug":"other","member":"bo"}`); op.CodeOf(err) != op.NotFound {
		t.Errorf("bo in other: %v", err)
	}
	out, _, err := do(w, Get, `{"member":"cy"}`)
	if err != nil || out.Member != w.cy.String() || out.Own {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestChangesAreToldAndTheDayIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.f.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	told := func(want ident.PublicKey) {
		t.Helper()
		late := time.After(30 * time.Second)
		for {
			select {
			case got := <-w.changed:
				if got == want {
					return
				} // the own one changes by itself, too: once a day
			case <-late:
				t.Fatalf("nobody was told of %s", want)
			}
		}
	}
	if _, _, err := do(w, Edit, `{"message_mode":"off"}`); err != nil {
		t.Fatal(err)
	}
	told(w.ana)
	if _, _, err := do(w, Edit, `{"member":"bo","role_tag":"x"}`); err != nil {
		t.Fatal(err)
	}
	told(w.bo)
	w.mu.Lock()
	w.admins = nil
	w.mu.Unlock()
	w.rejudge()
	told(w.bo)
	// By now the day is there, in every mesh, and is written once a day.
	today := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, m := range []Self{w.team, w.other} {
		if got := w.f.Profile(m.Mesh, w.ana).Seen; !got.Equal(today) {
			t.Errorf("%s: seen %s", m.Slug, got)
		}
	}
	w.mu.Lock()
	before := w.writes
	w.mu.Unlock()
	if err := w.f.beSeen(ctx); err != nil || w.writes != before {
		t.Errorf("written again: %v", err)
	}
	w.mu.Lock()
	w.clock = w.clock.Add(2 * time.Minute)
	w.mu.Unlock()
	if err := w.f.beSeen(ctx); err != nil || w.writes != before+2 || w.f.Profile(w.team.Mesh, w.ana).Seen.Equal(today) {
		t.Errorf("the next day: %v", err)
	}
}

func TestProfilesOutliveARestart(t *testing.T) {
	w := newWorld(t)
	if _, _, err := do(w, Set, `{"title":"Backend"}`); err != nil {
		t.Fatal(err)
	}
	again := New(w.f.cfg)
	again.Start()
	if got := again.Profile(w.team.Mesh, w.ana); got.Title != "Backend" {
		t.Errorf("%+v", got)
	}
}

func TestEachFieldComesBack(t *testing.T) {
	text := rapid.StringMatching(`[a-zA-Zü0-9][a-zü0-9 ]{0,20}[a-z]`)
	rapid.Check(t, func(t *rapid.T) {
		p := Profile{
			Avatar: text.Draw(t, "avatar"), Title: text.Draw(t, "title"), Bio: text.Draw(t, "bio"),
			Capabilities: rapid.SliceOfN(text, 1, 4).Draw(t, "capabilities"), Name: text.Draw(t, "name"), RoleTag: text.Draw(t, "role"),
			Groups: []Group{{Name: rapid.StringMatching(`[a-z]{1,8}(/[a-z]{1,8})?`).Filter(func(s string) bool { return s != "all" }).Draw(t, "group"), Role: text.Draw(t, "group role")}},
			Mode:   rapid.SampledFrom([]string{"push", "inbox", "off"}).Draw(t, "mode"),
			Seen:   time.Unix(rapid.Int64Range(1, 30000).Draw(t, "day")*86400, 0).UTC(),
		}
		var back Profile
		for _, f := range []field{about, fName, fRoleTag, fGroups, fMode, fSeen} {
			got, err := decode(p.encode(f))
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			back = back.with(f, got)
		}
		if !reflect.DeepEqual(back, p) {
			t.Fatalf("%+v came back as %+v", p, back)
		}
	})
}

func FuzzDecode(f *testing.F) {
	p := Profile{
		Avatar: "x", Title: "t", Bio: "b", Capabilities: []string{"c"}, Name: "n", RoleTag: "r",
		Groups: []Group{{Name: "g", Role: "lead"}, {Name: "h"}}, Mode: "push", Seen: time.Unix(86400*20000, 0),
	}
	fields := []field{about, fName, fRoleTag, fGroups, fMode, fSeen}
	for _, what := range fields {
		f.Add(p.encode(what))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := decode(raw)
		if err != nil {
			return
		}
		if err := p.check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
		for _, what := range fields {
			again, err := decode(p.encode(what))
			if err != nil || !bytes.Equal(again.encode(what), p.encode(what)) {
				t.Errorf("%s of %+v came back as %+v, %v", what, p, again, err)
			}
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyOf(newKey(f), fName))
	f.Add("x/name")
	f.Fuzz(func(t *testing.T, key string) {
		if member, what, ok := parseKey(key); ok && keyOf(member, what) != key {
			t.Errorf("%q is %q", key, keyOf(member, what))
		}
	})
}
