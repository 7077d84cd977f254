package card

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestCardsThatCouldNotBeShown(t *testing.T) {
	for _, bad := range []string{``, `{}`, `{"name":"x"}`, `{"name":"` + strings.Repeat("x", 65) + `"}`, strings.Repeat(" ", MaxSize+1)} {
		if _, err := Decode([]byte(bad)); !errors.Is(err, ErrCard) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"x","open":true,"groups":[{"name":"a/b","role":"lead"}],"consent":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}`))
	f.Add([]byte(`{"name":"x","groups":[{"name":"all"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Decode(raw)
		if err != nil {
			return
		}
		if c.Name == "" || len(c.Name) > roster.MaxWord || len(c.Summary) > 4*roster.MaxSummary || len(c.Consent) != ConsentSize {
			t.Fatalf("limits: %+v", c)
		}
	})
}

func TestAConsentIsForOneMemberOfOneMesh(t *testing.T) {
	session, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	mesh, member := ident.MeshID{1}, ident.PublicKey{2}
	sig := Consent(mesh, member, session)
	for name, good := range map[string]bool{
		"itself":         Consents(mesh, member, session.Public(), sig[:]),
		"another mesh":   !Consents(ident.MeshID{3}, member, session.Public(), sig[:]),
		"another member": !Consents(mesh, ident.PublicKey{3}, session.Public(), sig[:]),
		"another's":      !Consents(mesh, member, ident.PublicKey{3}, sig[:]),
		"cut":            !Consents(mesh, member, session.Public(), sig[1:]),
	} {
		if !good {
			t.Error(name)
		}
	}
}

func TestDue(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	open := Facts{Name: "x", Open: true, Visible: true, Seen: now}
	closed := func(at time.Time) Facts { return Facts{Name: "x", Visible: true, Seen: at} }
	seen := func(c Facts, at time.Time) Facts { c.Seen = at; return c }
	hidden := func(c Facts, name string) Facts { c.Visible, c.Name = false, name; return c }
	for name, c := range map[string]struct {
		own     *Own
		shown   *Facts
		pending bool
		write   *Facts
		drop    bool
	}{
		"new":                               {own: &Own{Facts: open}, write: &open},
		"written just now":                  {own: &Own{Facts: open}, pending: true},
		"nothing changed":                   {own: &Own{Facts: open}, shown: new(seen(open, ago(Again-1)))},
		"not said for a day":                {own: &Own{Facts: open}, shown: new(seen(open, ago(Again))), write: &open},
		"closed":                            {own: &Own{Facts: closed(now)}, shown: &open, write: new(closed(now))},
		"closed, and known":                 {own: &Own{Facts: closed(ago(Again))}, shown: new(closed(ago(Again)))},
		"closed before there were cards":    {own: &Own{Facts: closed(now), Unknown: true}},
		"closed long ago":                   {own: &Own{Facts: closed(ago(Keep))}, shown: new(closed(ago(Keep))), drop: true},
		"closed long ago, without a card":   {own: &Own{Facts: closed(ago(Keep))}},
		"what one that hides does":          {own: &Own{Facts: hidden(open, "y")}, shown: new(hidden(open, "x"))},
		"one that hides closes":             {own: &Own{Facts: hidden(closed(now), "y")}, shown: new(hidden(open, "x")), write: new(hidden(closed(now), "x"))},
		"forgotten while it was open":       {shown: &open, write: new(closed(now))},
		"forgotten, closed lately":          {shown: new(closed(ago(Keep - 1)))},
		"forgotten, closed a long time ago": {shown: new(closed(ago(Keep))), drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			own, shown := make(map[string]Own), make(map[string]Facts)
			if c.own != nil {
				own["k"] = *c.own
			}
			if c.shown != nil {
				shown["k"] = *c.shown
			}
			write, drop := Due(own, shown, func(string, Facts) bool { return c.pending }, now)
			got, writes := write["k"]
			if writes != (c.write != nil) || writes && !(Same(got, *c.write) && got.Seen.Equal(c.write.Seen)) {
				t.Errorf("written: %v %+v", writes, got)
			}
			if slices.Equal(drop, []string{"k"}) != c.drop || len(drop) > 1 {
				t.Errorf("dropped: %v", drop)
			}
		})
	}
}

// Of more cards than there is room for those of sessions that closed first go, and none
// that goes is written.
func TestDueKeepsTheNewest(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	own, shown := make(map[string]Own), make(map[string]Facts)
	own["open"] = Own{Facts: Facts{Name: "x", Open: true, Visible: true, Seen: now.Add(-time.Hour)}}
	for i := range Most + 1 {
		key := fmt.Sprintf("k%03d", i)
		own[key] = Own{Facts: Facts{Name: key, Visible: true, Seen: now.Add(-time.Duration(i) * time.Minute)}}
		if i == Most {
			shown[key] = own[key].Facts
		}
	}
	write, drop := Due(own, shown, func(string, Facts) bool { return false }, now)
	gone := []string{fmt.Sprintf("k%03d", Most-1), fmt.Sprintf("k%03d", Most)}
	if !slices.Equal(drop, gone[1:]) {
		t.Errorf("dropped %v", drop)
	}
	if len(write) != Most || !maps.Equal(map[string]bool{gone[0]: false, gone[1]: false, "open": true}, has(write, gone[0], gone[1], "open")) {
		t.Errorf("%d written, of those %v", len(write), has(write, gone[0], gone[1], "open"))
	}
}

func has(cards map[string]Facts, keys ...string) map[string]bool {
	out := make(map[string]bool)
	for _, key := range keys {
		_, out[key] = cards[key]
	}
	return out
}
