package grant

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

func TestAlarms(t *testing.T) {
	bo := func(name string) map[ident.PublicKey]mark {
		return map[ident.PublicKey]mark{keyOf(1): {Name: name, At: time.Unix(1, 0)}}
	}
	for name, c := range map[string]struct {
		verified map[ident.PublicKey]mark
		members  []Member
		want     []byte // keys that are warned of
	}{
		"as it was":                  {bo("bo"), []Member{{keyOf(1), "bo"}, {keyOf(2), "cy"}}, nil},
		"it has left":                {bo("bo"), []Member{{keyOf(2), "cy"}}, nil},
		"another took its place":     {bo("bo"), []Member{{keyOf(2), "bo"}}, []byte{2}},
		"in another case":            {bo("bo"), []Member{{keyOf(2), "BO"}}, []byte{2}},
		"in another alphabet":        {bo("bo"), []Member{{keyOf(2), "во"}}, []byte{2}},
		"another has the name, too":  {bo("bo"), []Member{{keyOf(1), "bo"}, {keyOf(2), "bo"}}, []byte{2}},
		"it is called otherwise now": {bo("bo"), []Member{{keyOf(1), "bobby"}}, nil},
		"another took the old name":  {bo("bo"), []Member{{keyOf(1), "bobby"}, {keyOf(2), "bo"}}, []byte{2}},
		"another took the new name":  {bo("bo"), []Member{{keyOf(1), "bobby"}, {keyOf(2), "Bobby"}}, []byte{2}},
		"two took it":                {bo("bo"), []Member{{keyOf(3), "bo"}, {keyOf(2), "bo"}}, []byte{2, 3}},
		"both were compared": {
			map[ident.PublicKey]mark{keyOf(1): {Name: "bo"}, keyOf(2): {Name: "bo-desk"}},
			[]Member{{keyOf(2), "bo"}}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			for _, a := range alarms(c.verified, c.members) {
				got = append(got, a.Key[1])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("warned of %v, want %v", got, c.want)
			}
		})
	}
}

// An alarm is told once, to every session, and again only after it was over.
func TestAlarmsAreToldOnce(t *testing.T) {
	s := newStage(t)
	if err := s.mark(t.Context(), team, Member{keyOf(1), "bo"}, false); err != nil {
		t.Fatal(err)
	}
	if s.Warning(team, keyOf(1)) != "" || len(s.events(t)) != 0 {
		t.Fatal("warned of nothing")
	}
	s.members = []Member{{keyOf(0), "ana"}, {keyOf(5), "bo"}}
	for range 3 {
		if err := s.Check(t.Context(), team); err != nil {
			t.Fatal(err)
		}
		s.reopen(t)
	}
	got := s.events(t)
	if len(got) != 2 || got[0].Event != "key_changed" || got[0].Text != "WARNING: "+s.Warning(team, keyOf(5)) {
		t.Fatalf("told %+v", got)
	}
	s.members = s.members[:1]
	if err := s.Check(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	s.members = []Member{{keyOf(0), "ana"}, {keyOf(5), "bo"}}
	if err := s.Check(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	if got := s.events(t); len(got) != 4 {
		t.Errorf("told %d times in all", len(got))
	}
	// The other key was compared, too: the old mark is gone, and so is the alarm.
	if err := s.mark(t.Context(), team, Member{keyOf(5), "bo"}, false); err != nil {
		t.Fatal(err)
	}
	_, old := s.Verified(team, keyOf(1))
	_, now := s.Verified(team, keyOf(5))
	if old || !now || s.Warning(team, keyOf(5)) != "" {
		t.Errorf("old %v, new %v, %q", old, now, s.Warning(team, keyOf(5)))
	}
}

// events are the warnings in the feed.
func (s *stage) events(t *testing.T) (out []op.System) {
	t.Helper()
	changes, _, _, err := s.db.Feed().Resume(s.db.ID(), 0, func(store.Change) bool { return true }, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		var e op.Event
		var data op.System
		if err := json.Unmarshal(c.Data, &e); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}
