package presence

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// A changed name or message mode of the member reaches the sessions that are open.
func TestSessionsFollowTheirMembersProfile(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	c := ana.agent(t, "a")
	if _, err := ana.answerJoinGroup(t.Context(), c, JoinGroupRequest{Name: "core", Role: "lead"}); err != nil {
		t.Fatal(err)
	}
	heard := ana.Listen(c.Session)
	defer heard.Close()
	ana.name, w.members[0].Name = "anna", "anna"
	ana.says = map[ident.PublicKey]Profile{ana.key: {Mode: "off"}}
	gates := w.gates
	if err := ana.Reprofile(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	if w.gates == gates {
		t.Error("nobody looked at what waits for the session")
	}
	l, err := ana.Caller(c, "")
	if err != nil || l.Name != "anna" || l.Mode != "off" {
		t.Errorf("%s in mode %s, %v", l.Name, l.Mode, err)
	}
	var told []op.Self
	for _, e := range heard.Take() {
		var s op.Self
		if e.Topic != op.TopicSelf {
			continue
		}
		if err := json.Unmarshal(e.Data, &s); err != nil {
			t.Fatal(err)
		}
		told = append(told, s)
	}
	if len(told) != 1 || told[0].Name != "anna" || told[0].Mode != "off" || !slices.Equal(told[0].Groups, []string{"core:lead"}) {
		t.Errorf("told %+v", told)
	}
	ana.shoutAll(t.Context())
	if names := bo.Online(w.id, ident.PublicKey{}); !slices.Contains(names, "anna") || slices.Contains(names, "ana") {
		t.Errorf("bo sees %v", names)
	}
}
