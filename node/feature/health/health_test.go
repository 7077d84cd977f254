package health

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

// fakeNode has one session.
type fakeNode struct{}

func (fakeNode) Self() ShowResponse { return ShowResponse{Peer: "12D3", User: 1000, Program: "/bin/x"} }
func (fakeNode) Network() ([]Port, LAN) {
	return []Port{{Wanted: "/ip4/0.0.0.0/tcp/0", Actual: []string{"/ip4/0.0.0.0/tcp/7"}}, {Wanted: "/ip4/0.0.0.0/tcp/80"}}, LAN{State: LANOn, Found: 2}
}
func (fakeNode) Meshes() []Mesh { return []Mesh{{ID: "m", Slug: "team", Offset: 5, Clocks: 1}} }
func (fakeNode) Sessions() []Session {
	return []Session{{ID: "s-1", Name: "ana", Attached: true}, {ID: "s-2"}}
}

func show(t *testing.T, f *Feature) ShowResponse {
	t.Helper()
	out, err := f.answerShow(t.Context(), op.Caller{User: true}, ShowRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a session reports is shown as its own, and nobody else reports for it.
func TestReportsOfSessionsAreShown(t *testing.T) {
	f := New(fakeNode{})
	if s := show(t, f).Sessions; s[0].Protocol != "" || s[0].Arrived {
		t.Errorf("before any report: %+v", s)
	}
	said := Speech{Protocol: "2025-11-25", Client: "claude-code 2.1.330", Server: "1.0"}
	if _, err := f.answerSpeak(t.Context(), op.Caller{Session: "s-1"}, SpeakRequest{said}); err != nil {
		t.Fatal(err)
	}
	f.Arrived("s-2")
	s := show(t, f).Sessions
	if s[0].Speech != said || s[0].Arrived || s[1].Protocol != "" || !s[1].Arrived {
		t.Errorf("%+v", s)
	}
	if _, err := f.answerSpeak(t.Context(), op.Caller{User: true}, SpeakRequest{said}); op.CodeOf(err) != op.Denied {
		t.Errorf("a person reports: %v", err)
	}
}

// What is reported is bounded, in length and in number.
func TestReportsAreBounded(t *testing.T) {
	f := New(fakeNode{})
	for i := range 3 * maxSessions {
		id := strings.Repeat("x", i)
		if _, err := f.answerSpeak(t.Context(), op.Caller{Session: "s" + id}, SpeakRequest{Speech{Client: strings.Repeat("c", 1000)}}); err != nil {
			t.Fatal(err)
		}
		f.Arrived(id)
	}
	if len(f.speeches) > maxSessions || len(f.arrived) > maxSessions {
		t.Errorf("%d and %d are kept", len(f.speeches), len(f.arrived))
	}
	for id, s := range f.speeches {
		if len(s.Client) > maxWord {
			t.Fatalf("%s: %d bytes are kept", id, len(s.Client))
		}
	}
}

// The text for people has every fact.
func TestTextHasTheFacts(t *testing.T) {
	f := New(fakeNode{})
	text := show(t, f).Text()
	for _, want := range []string{"12D3", "/ip4/0.0.0.0/tcp/7", "/ip4/0.0.0.0/tcp/80: could not be had", "found 2", "team: others' clocks 5 ms", "session s-1 ana"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
