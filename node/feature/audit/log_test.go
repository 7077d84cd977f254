package audit_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/op"
)

// log asks for what happened.
func (w *world) log(in audit.LogRequest) audit.LogResponse {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	out, err := audit.Log.Call(ctx, w.ops(), op.Caller{User: true}, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// events are the names of entries.
func events(all []audit.Entry) (out []string) {
	for _, e := range all {
		out = append(out, e.Event)
	}
	return out
}

// Who goes on from a cursor sees everything once, in order, as it happens.
func TestTheLogGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t, 0)
	for _, name := range []string{"one", "two", "three"} {
		w.f.Note(audit.Event{Mesh: w.mesh.ID, Name: name})
	}
	first := w.log(audit.LogRequest{Limit: 2})
	if got := events(first.Entries); !slices.Equal(got, []string{"two", "three"}) {
		t.Errorf("the newest: %v", got)
	}
	if again := w.log(audit.LogRequest{Cursor: first.Cursor}); len(again.Entries) != 0 {
		t.Errorf("nothing has happened: %v", events(again.Entries))
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	waiting := make(chan audit.LogResponse, 1)
	go func() { waiting <- w.log(audit.LogRequest{Cursor: first.Cursor, Wait: true}) }()
	w.f.Note(audit.Event{Mesh: w.mesh.ID, Name: "four"})
	second := <-waiting
	if got := events(second.Entries); !slices.Equal(got, []string{"four"}) {
		t.Errorf("while waiting: %v", got)
	}
	w.f.Refused(w.mesh.ID, w.mesh.Self, "letter")
	third := w.log(audit.LogRequest{Cursor: second.Cursor, Wait: true})
	if got := events(third.Entries); !slices.Equal(got, []string{"refused"}) {
		t.Errorf("then: %v", got)
	}
}

// What the own member signed is in its own chain, and in the log.
func TestTheLogHasOwnChanges(t *testing.T) {
	w := newWorld(t, 0)
	begin := w.log(audit.LogRequest{})
	w.acts = append(w.acts, audit.Act{ID: [32]byte{1}, Signer: w.mesh.Self, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Event: "invite_made"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	w.f.Follow()
	next := w.log(audit.LogRequest{Cursor: begin.Cursor, Wait: true})
	if got := events(next.Entries); !slices.Equal(got, []string{"invite_made"}) {
		t.Errorf("got %v", got)
	}
	if again := w.log(audit.LogRequest{Cursor: next.Cursor}); len(again.Entries) != 0 {
		t.Errorf("again: %v", events(again.Entries))
	}
}

// Messages of one member are counted, so that nobody floods the account.
func TestMessagesOfOneMemberAreOneEntry(t *testing.T) {
	w := newWorld(t, 0)
	for _, id := range []string{"a", "b", "c"} {
		w.f.Received(audit.Event{Mesh: w.mesh.ID, Actor: w.mesh.Self, Data: map[string]string{"id": id, "session": "robin", "priority": "now"}})
	}
	out := w.log(audit.LogRequest{})
	if len(out.Entries) != 1 || out.Entries[0].Data["times"] != "3" || out.Entries[0].Data["last_id"] != "c" {
		t.Errorf("%+v", out.Entries)
	}
	w.f.Received(audit.Event{Mesh: w.mesh.ID, Actor: w.mesh.Self, Data: map[string]string{"id": "d", "session": "robin", "priority": "now"}})
	out = w.log(audit.LogRequest{Cursor: out.Cursor})
	if len(out.Entries) != 1 || out.Entries[0].Data["id"] != "d" || out.Entries[0].Data["priority"] != "now" {
		t.Errorf("%+v", out.Entries)
	}
}

func FuzzLogCursor(f *testing.F) {
	f.Add("12")
	f.Add("12 abc=3 def=4")
	f.Add("12 =3")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) {
		again, err := audit.ReadCursor(text)
		if err != nil {
			return
		}
		if twice, err := audit.ReadCursor(again); err != nil || twice != again {
			t.Fatalf("%q became %q, then %q: %v", text, again, twice, err)
		}
	})
}
