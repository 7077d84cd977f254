package flow

import (
	"context"
)

// Step is one entry of a flow: a question to a person, or work.
type Step struct {
	// ID names the step.
	ID string
	// Flag is what answers it on the command line, with its value; empty: nothing does.
	Flag string
	// Show tells whether it is part of the flow at all; nil: always.
	Show func(*Session) bool
	// Complete tells whether there is nothing left to ask or do.
	Complete func(*Session) bool

	// Ask is what a person is asked; nil for work.
	Ask func(*Session) Question
	// Answer writes what was answered into the session, or refuses it.
	Answer func(s *Session, value string) error
	// Otherwise is the answer where nobody can be asked, if there is one that is no
	// guess; nil: there is none.
	Otherwise func(*Session) string

	// Doing says what work is under way.
	Doing func(*Session) string
	// Do does it. It gets a copy of the session and returns what it changes there.
	Do func(ctx context.Context, w World, s Session) (func(*Session), error)
	// Failed says what a person can do about a failure of Do.
	Failed func(err error) Overlay
}

// IsWork tells work from a question.
func (s Step) IsWork() bool { return s.Do != nil }

// Question is what a person is asked: one of several options, or a line of text.
type Question struct {
	Title string
	// Help is one line more; may be empty.
	Help string
	// Options are there to choose from; none: a text is asked for. At is the one chosen
	// beforehand.
	Options []Option
	At      int
	// Text is what stands in the line beforehand.
	Text string
	// Rows tells that the whole session is to be shown above.
	Rows bool
}

// Option is one of several answers. A label that is the value is a name, the same in every
// language.
type Option struct {
	Value, Label string
	// Note is what it means; may be empty.
	Note string
}

// In is the label in the person's language.
func (o Option) In(tell func(string) string) string {
	if o.Label == o.Value {
		return o.Label
	}
	return tell(o.Label)
}

// Flow is an ordered list of steps.
type Flow []Step

// Next is the first step that shows and is not complete, and whether there is one.
func (f Flow) Next(s *Session) (Step, bool) {
	for _, e := range f {
		if (e.Show == nil || e.Show(s)) && !e.Complete(s) {
			return e, true
		}
	}
	return Step{}, false
}
