package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestAnyJSONIsAValueAndComesBackAsItWas(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{`1`, `"x"`, `""`, `null`, `false`, `{"b":1,"a":[1,2]}`, `[]`, `12345678901234567890`, `"<b>\u003c\\u003c & ü"`} {
		_, text, err := do(w, as("s-one"), Set, `{"key":"k","value":`+v+`}`)
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		want := strings.ReplaceAll(v, `<b>\u003c`, `<b><`)
		if text != "k = "+want {
			t.Errorf("set %s says %q", v, text)
		}
		got, text, err := do(w, as("s-two"), Get, GetRequest{Key: "k"})
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if plain(got.JSON) != want || got.Bytes != len(v) {
			t.Errorf("%s came back as %s (%d bytes)", v, got.JSON, got.Bytes)
		}
		if !strings.HasPrefix(text, "k = "+want+" (set by ana at 2026-03-01T12:00:") {
			t.Errorf("get %s says %q", v, text)
		}
	}
}

// Blanks between the words of a value are not kept: what is shown is one line.
func TestAValueIsOneLine(t *testing.T) {
	w := newWorld(t)
	got, _, err := do(w, as("s-one"), Set, "{\"key\":\"k\",\"value\":{ \"a\" :\n 1 }}")
	if err != nil || string(got.JSON) != `{"a":1}` {
		t.Fatalf("%s, %v", got.JSON, err)
	}
}

// Catalogue line 27: not found, not allowed, too large and wrong are told apart.
func TestEachRefusalHasItsOwnCode(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("k", MaxKey+1)
	big, err := json.Marshal(strings.Repeat("v", MaxValue-1))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call func() error
		code op.Code
		want []string
	}{
		"absent":      {func() error { _, _, err := do(w, as("s-one"), Get, GetRequest{Key: "k"}); return err }, op.NotFound, []string{`"k"`, "not set"}},
		"no value":    {func() error { _, _, err := do(w, as("s-one"), Set, `{"key":"k"}`); return err }, op.Invalid, []string{"`value` required"}},
		"no key":      {func() error { _, _, err := do(w, as("s-one"), Set, `{"value":1}`); return err }, op.Invalid, []string{"`key` required"}},
		"empty key":   {func() error { _, _, err := do(w, as("s-one"), Set, `{"key":"","value":1}`); return err }, op.Invalid, []string{"`key` required"}},
		"control":     {func() error { _, _, err := do(w, as("s-one"), Set, `{"key":"a\nb","value":1}`); return err }, op.Invalid, []string{`"a\nb"`}},
		"long key":    {func() error { _, _, err := do(w, as("s-one"), Set, `{"key":"`+long+`","value":1}`); return err }, op.TooLarge, []string{"257", "256"}},
		"large value": {func() error { _, _, err := do(w, as("s-one"), Set, `{"key":"k","value":`+string(big)+`}`); return err }, op.TooLarge, []string{fmt.Sprint(MaxValue + 1), fmt.Sprint(MaxValue)}},
		"no session":  {func() error { _, _, err := do(w, as("nobody"), Set, `{"key":"k","value":1}`); return err }, op.NotFound, nil},
		"no such name": {func() error {
			_, _, err := do(w, op.Caller{User: true}, Writers, WritersRequest{Writers: []string{"zed"}})
			return err
		}, op.NotFound, []string{"zed"}},
		"nonsense": {func() error {
			_, _, err := do(w, op.Caller{User: true}, Writers, WritersRequest{Writers: []string{everyone, "bo"}})
			return err
		}, op.Invalid, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call()
			if op.CodeOf(err) != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestASessionWithoutTheRightMayNotWrite(t *testing.T) {
	w := newWorld(t)
	w.mayWrite = false
	_, _, err := do(w, as("s-one"), Set, `{"key":"k","value":1}`)
	if op.CodeOf(err) != op.Denied || !strings.Contains(err.Error(), "session") {
		t.Fatal(err)
	}
	if _, _, err := do(w, as("s-one"), List, ListRequest{}); err != nil {
		t.Errorf("and may not read: %v", err)
	}
}

func TestAdminsSayWhoMayWrite(t *testing.T) {
	w := newWorld(t)
	user := op.Caller{User: true}
	out, text, err := do(w, user, Writers, WritersRequest{})
	if err != nil || !out.Everyone || !strings.Contains(text, "Everyone") {
		t.Fatalf("%+v, %q, %v", out, text, err)
	}
	out, text, err = do(w, user, Writers, WritersRequest{Writers: []string{"BO", w.bo.String()[:12]}})
	if err != nil || out.Everyone || len(out.Writers) != 1 || out.Writers[0] != (Writer{"bo", w.bo.String()}) || !strings.Contains(text, "bo") {
		t.Fatalf("%+v, %q, %v", out, text, err)
	}
	_, _, err = do(w, as("s-one"), Set, `{"key":"k","value":1}`)
	if op.CodeOf(err) != op.Denied || !strings.Contains(op.AsError(err).Hint, "bo") {
		t.Errorf("ana wrote: %v", err)
	}
	kind := w.f.Kinds()[0]
	if kind.Writes(w.team, w.ana, "k") || !kind.Writes(w.team, w.bo, "k") {
		t.Error("the setting is not judged at reading")
	}
	w.admin = false
	if _, _, err = do(w, user, Writers, WritersRequest{Writers: []string{everyone}}); op.CodeOf(err) != op.Denied {
		t.Errorf("one who is no admin changed it: %v", err)
	}
	w.admin = true
	if out, _, err = do(w, user, Writers, WritersRequest{Writers: []string{everyone}}); err != nil || !out.Everyone {
		t.Errorf("%+v, %v", out, err)
	}
	if _, _, err = do(w, as("s-one"), Set, `{"key":"k","value":1}`); err != nil {
		t.Error(err)
	}
}

// Whatever an admin's program wrote as the setting, it takes nobody's key for
// another's and lets nobody in whom it does not name.
func TestAnOddSettingLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	for text, boMay := range map[string]bool{
		",": false, "everyone": false, "zz": false, w.ana.String()[:62]: false, strings.ToUpper(w.bo.String()): true,
		"x," + w.bo.String() + ",": true, strings.Repeat("00", 32): false,
	} {
		w.settings[setting] = text
		if w.f.mayWrite(w.team, w.bo, "k") != boMay {
			t.Errorf("%q: bo may %v", text, !boMay)
		}
	}
	if w.f.mayWrite(w.team, w.bo, "a\x00b") {
		t.Error("a key that does not show may be written")
	}
}

func TestAListIsOrderedBoundedAndSaysSo(t *testing.T) {
	w := newWorld(t)
	out, text, err := do(w, as("s-one"), List, ListRequest{})
	if err != nil || len(out.Entries) != 0 || text != "No shared state in team yet." {
		t.Fatalf("%+v, %q, %v", out, text, err)
	}
	for i := range maxListed + 1 {
		key := fmt.Sprintf("key-%04d", (i*7)%(maxListed+1))
		if _, err := w.Put(t.Context(), w.team, kind, key, content{value: json.RawMessage(`1`), name: "ana", session: w.ana}.encode()); err != nil {
			t.Fatal(err)
		}
	}
	out, text, err = do(w, as("s-one"), List, ListRequest{})
	if err != nil || len(out.Entries) != maxListed || !out.More || out.Total != maxListed+1 {
		t.Fatalf("%d entries of %d, more %v, %v", len(out.Entries), out.Total, out.More, err)
	}
	last := out.Entries[maxListed-1].Key
	if last != "key-0499" || !strings.HasPrefix(text, "key-0000 = 1 (set by ana at ") || !strings.HasSuffix(text, `ask again for those after "key-0499".`) {
		t.Errorf("last %s, text ends %q", last, text[len(text)-80:])
	}
	out, _, err = do(w, as("s-one"), List, ListRequest{After: last})
	if err != nil || len(out.Entries) != 1 || out.More || out.Entries[0].Key != "key-0500" {
		t.Errorf("the rest: %+v, %v", out.Entries, err)
	}
	out, _, err = do(w, as("s-one"), List, ListRequest{Prefix: "key-000"})
	if err != nil || out.Total != 10 || len(out.Entries) != 10 {
		t.Errorf("by prefix: %d of %d, %v", len(out.Entries), out.Total, err)
	}
	if keys, total, err := w.f.Keys(w.team, 3); err != nil || total != maxListed+1 || fmt.Sprint(keys) != "[key-0000 key-0001 key-0002]" {
		t.Errorf("keys %v of %d, %v", keys, total, err)
	}
}

// A list with the largest values there can be fits into an answer.
func TestAListOfLargeValuesIsCut(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		size := maxInline - 2
		if i == 0 {
			size = maxInline
		}
		value, err := json.Marshal(strings.Repeat("v", size))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Put(t.Context(), w.team, kind, fmt.Sprintf("k%02d", i), content{value: value, name: "ana", session: w.ana}.encode()); err != nil {
			t.Fatal(err)
		}
	}
	out, text, err := do(w, as("s-one"), List, ListRequest{})
	if err != nil || !out.More || len(out.Entries) < 50 || len(out.Entries) > 70 {
		t.Fatalf("%d entries, more %v, %v", len(out.Entries), out.More, err)
	}
	if e := out.Entries[0]; e.JSON != nil || e.Bytes != maxInline+2 || !strings.HasPrefix(text, "k00 = … (4098 bytes: read it by its key)") {
		t.Errorf("the long one: %+v", e)
	}
}

// Catalogue line 14: what is asked of one mesh comes from that mesh alone.
func TestReadingIsOfOneMesh(t *testing.T) {
	w := newWorld(t)
	for mesh, v := range map[string]string{"": `"here"`, "other": `"there"`} {
		if _, _, err := do(w, as("s-one"), Set, `{"key":"k","value":`+v+`,"mesh_slug":"`+mesh+`"}`); err != nil {
			t.Fatal(err)
		}
	}
	for mesh, want := range map[string]string{"": `"here"`, "other": `"there"`} {
		got, _, err := do(w, as("s-one"), Get, GetRequest{Key: "k", InMesh: op.InMesh{Mesh: mesh}})
		if err != nil || string(got.JSON) != want {
			t.Errorf("%q: got %s, %v", mesh, got.JSON, err)
		}
		list, _, err := do(w, as("s-one"), List, ListRequest{InMesh: op.InMesh{Mesh: mesh}})
		if err != nil || list.Total != 1 || string(list.Entries[0].JSON) != want {
			t.Errorf("%q: list %+v, %v", mesh, list, err)
		}
	}
}

// Catalogue line 28: what the text shows is what the JSON has.
func TestTextAndJSONAgree(t *testing.T) {
	w := newWorld(t)
	if _, _, err := do(w, as("s-two"), Set, `{"key":"build","value":{"green":true}}`); err != nil {
		t.Fatal(err)
	}
	got, text, err := do(w, as("s-one"), Get, GetRequest{Key: "build"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{got.Key, string(got.JSON), got.By, got.At} {
		if part == "" || !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
	if got.By != "ana-2" || got.Member != w.ana.String() || got.Slug != "team" {
		t.Errorf("%+v", got)
	}
	list, listed, err := do(w, as("s-one"), List, ListRequest{})
	if err != nil || listed != text || fmt.Sprint(list.Entries[0]) != fmt.Sprint(got.Value) {
		t.Errorf("the list says %q, %+v, %v", listed, list.Entries, err)
	}
}

// Bug 6 of the catalogue: who writes does not hear of it, the others do, a member's
// own other sessions among them.
func TestAChangeIsToldToAllButTheWriter(t *testing.T) {
	w := newWorld(t)
	if _, _, err := do(w, as("s-one"), Set, `{"key":"k","value":null}`); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.fed("s-one"); len(got) != 0 {
		t.Errorf("the writer was told %+v", got)
	}
	for _, id := range []string{"s-two", "user"} {
		got, _ := w.fed(id)
		if len(got) != 1 || got[0].Key != "k" || string(got[0].Value) != "null" || got[0].UpdatedBy != "ana" || got[0].At == "" {
			t.Errorf("%s was told %+v", id, got)
		}
	}
	// Another member that gives a session of ana's for its own silences nobody.
	text := content{value: json.RawMessage(`2`), name: "ana", session: w.sessions[1].Session}
	if _, err := w.write(t.Context(), w.team, w.bo, "k", text.encode(), true); err != nil {
		t.Fatal(err)
	}
	got, _ := w.fed("s-one")
	if len(got) != 1 || string(got[0].Value) != "2" || got[0].UpdatedBy != "ana (of bo)" {
		t.Errorf("ana was told %+v", got)
	}
}

func TestWhatChangedLongAgoIsToldInOneSentence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that no slow write parts what belongs together
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.f.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		text := content{value: json.RawMessage(`1`), name: "bo", session: w.bo}.encode()
		more := w.db.Feed().Wait()
		for i := range 200 {
			if _, err := w.write(ctx, w.team, w.bo, fmt.Sprintf("k%03d", i), text, false); err != nil {
				t.Fatal(err)
			}
		}
		<-more
		for _, id := range []string{"s-one", "s-two", "user"} {
			states, systems := w.fed(id)
			if len(states) != 0 || len(systems) != 1 || systems[0].Event != "state_changed" || !strings.HasPrefix(systems[0].Text, "200 shared key(s) changed in the meantime: k000, k001,") {
				t.Errorf("%s was told %+v and %+v", id, states, systems)
			}
		}
	})
}

func TestWhatIsDueAndWhen(t *testing.T) {
	b := &burst{keys: map[string]bool{"a": true}, first: 0, last: time.Second}
	f := &Feature{bursts: map[ident.MeshID]*burst{{1}: b}}
	if told, wait := f.due(time.Second); len(told) != 0 || wait != burstQuiet {
		t.Errorf("at once: %v, %s", told, wait)
	}
	b.last = 14 * time.Second
	if _, wait := f.due(14 * time.Second); wait != time.Second {
		t.Errorf("while more comes: %s", wait)
	}
	if told, wait := f.due(burstMost); len(told) != 1 || wait != 0 {
		t.Errorf("in the end: %v, %s", told, wait)
	}
	if told, _ := f.due(burstMost); len(told) != 0 {
		t.Errorf("twice: %v", told)
	}
}

func TestEachMemberHasItsOwnShareOfKeys(t *testing.T) {
	if most := newWorld(t).f.Kinds()[0].Most; most != MaxKeys {
		t.Errorf("the book is to keep %d keys of a member", most)
	}
}

func TestPlainUndoesOnlyWhatWasEscaped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune(`<>&\u03ceab"`))).Draw(t, "text")
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(text); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSuffix(b.String(), "\n")
		escaped, err := json.Marshal(json.RawMessage(want))
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(escaped); got != want {
			t.Fatalf("%s became %s", want, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	key := newKey(f)
	for _, c := range []content{
		{value: json.RawMessage(`null`), session: key},
		{value: json.RawMessage(`{"a":[1,"\u003c"]}`), name: "ana", session: key},
	} {
		f.Add(c.encode())
	}
	f.Add([]byte{})
	f.Add(content{value: json.RawMessage("{ }"), session: key}.encode())
	f.Add(content{value: json.RawMessage("\"\xff\""), session: key}.encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decode(raw)
		if err != nil {
			return
		}
		if !json.Valid(c.value) || strings.ContainsAny(string(c.value), "\n\r") {
			t.Errorf("value %q", c.value)
		}
		again, err := decode(c.encode())
		if err != nil || string(again.value) != string(c.value) || again.name != c.name || again.session != c.session {
			t.Errorf("%+v came back as %+v, %v", c, again, err)
		}
	})
}

// TestAFloodOfChangesIsToldTogether has one member change very many keys at once.
func TestAFloodOfChangesIsToldTogether(t *testing.T) {
	w := newWorld(t)
	text := content{value: json.RawMessage(`1`), name: "bo", session: w.bo}.encode()
	for i := range 4 * tellBurst {
		if _, err := w.write(t.Context(), w.team, w.bo, fmt.Sprintf("k%03d", i), text, true); err != nil {
			t.Fatal(err)
		}
	}
	if states, _ := w.fed("s-one"); len(states) < tellBurst || len(states) > 2*tellBurst {
		t.Errorf("%d were told one by one", len(states))
	}
	if told, wait := w.f.due(w.f.cfg.Mono()); wait == 0 && len(told) == 0 {
		t.Error("nothing is told of the others")
	}
	if _, err := w.write(t.Context(), w.team, w.ana, "mine", text, true); err != nil {
		t.Fatal(err)
	}
	states, _ := w.fed("s-one")
	if n := len(states); n == 0 || states[n-1].Key != "mine" {
		t.Error("another member's change is not told at once")
	}
}

func TestNoKeyLooksLikeAnother(t *testing.T) {
	for _, bad := range []string{"ｋｅｙ", "key\u2800", "key\ufe0f", "cafe\u0301"} {
		if err := checkKey(bad); op.CodeOf(err) != op.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := checkKey("café"); err != nil {
		t.Error(err)
	}
}
