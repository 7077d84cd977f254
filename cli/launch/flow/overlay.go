package flow

import (
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// Overlay lies above the flow until somebody answers it, or its time has come.
type Overlay struct {
	// ID names the kind of overlay.
	ID string
	// Failure is what is wrong, with what to do about it as its hint.
	Failure *op.Error
	// Retry is after which time what failed is tried again; 0: not by itself.
	Retry time.Duration
	// Options are what a person can choose; the first one is what Retry does.
	Options []Option
	// Choose does what was chosen.
	Choose func(s *Session, value string)
}

// What an overlay offers. Quit ends the flow.
const (
	again   = "again"
	another = "another"
	Quit    = "quit"
)

// optionQuit is what every overlay and most questions offer.
func optionQuit() Option { return Option{Quit, "Cancel", ""} }

// unreachable are the codes of failures that may pass by themselves.
var unreachable = []op.Code{op.Unavailable, op.Offline}

// lost is for a node that does not answer. It is tried again, each time a little later.
func lost(err error) Overlay {
	return problem("lost", err, Option{again, "Try again now", ""}, func(s *Session) { s.Looked = false })
}

// problem is an overlay with one way out beside giving up.
func problem(id string, err error, way Option, do func(*Session)) Overlay {
	return Overlay{
		ID: id, Failure: op.AsError(err), Options: []Option{way, optionQuit()},
		Choose: func(s *Session, _ string) { do(s) },
	}
}

// noSuchMesh is for a mesh that was named and is not there.
func noSuchMesh(err error) Overlay {
	return problem("mesh-not-found", err, Option{another, "Choose a mesh", ""}, func(*Session) {})
}

// notJoined is for an invite that did not lead into a mesh.
func notJoined(err error) Overlay {
	o := problem("invite", err, Option{another, "Give another link", ""}, func(s *Session) { s.Link, s.Start, s.Confirmed = "", Join, false })
	switch code := op.CodeOf(err); {
	case code == op.RateLimited:
		o.ID, o.Retry = "rate-limited", busyFirst
	case slices.Contains(unreachable, code):
		o.ID = "inviter"
	default:
		return o
	}
	retype := o.Choose
	o.Options = append([]Option{{again, "Try again", ""}}, o.Options...)
	o.Choose = func(s *Session, value string) {
		if value == another {
			retype(s, value)
		}
	}
	return o
}

// notMade is for a mesh that could not be made.
func notMade(err error) Overlay {
	if slices.Contains(unreachable, op.CodeOf(err)) {
		return lost(err)
	}
	return problem("new", err, Option{another, "Give another name", ""}, func(s *Session) { s.NewMesh, s.Start, s.Confirmed = "", Create, false })
}

// Times until something is tried again: the first, doubled each time, and the longest.
const (
	lostFirst = time.Second
	busyFirst = 5 * time.Second
	retryMost = 16 * time.Second
)
