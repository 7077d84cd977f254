package plain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// Run asks until the flow is through (nil), a person gives up (flow.ErrCancelled) or ctx
// ends.
func Run(ctx context.Context, t *term.Term, walk *flow.Walk, world flow.World) error {
	looking, cancel := context.WithCancel(ctx)
	newer := make(chan string, 1)
	var looks sync.WaitGroup
	looks.Go(func() { newer <- world.Newer(looking) })
	defer func() { cancel(); looks.Wait() }()
	for {
		select {
		case walk.Session().Newer = <-newer:
			if text := walk.Session().Update(); text != "" {
				t.Note("%s %s", term.To, text)
			}
		default:
		}
		if o, ok := walk.Overlay(); ok {
			if err := overlay(ctx, t, walk, o); err != nil {
				return err
			}
			continue
		}
		e, ok := walk.Step()
		switch {
		case !ok:
			return nil
		case e.IsWork():
			work(ctx, t, walk, world, e)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		default:
			if err := ask(ctx, t, walk, e); err != nil {
				return err
			}
		}
	}
}

func work(ctx context.Context, t *term.Term, walk *flow.Walk, world flow.World, e flow.Step) {
	t.Note("%s …", t.Say(e.Doing(walk.Session())))
	apply, err := e.Do(ctx, world, *walk.Session())
	walk.Done(e, apply, err)
}

// overlay tells what is wrong and asks what to do. What would be tried again by itself
// waits for an answer here: a line that comes by itself confuses who has it read aloud.
func overlay(ctx context.Context, t *term.Term, walk *flow.Walk, o flow.Overlay) error {
	wrong, remedy := o.Failure.In(t.Say)
	t.Warn("%s", wrong)
	if remedy != "" {
		t.Note("  %s", remedy)
	}
	value, err := choose(ctx, t, o.Options, 0)
	if err != nil {
		return err
	}
	return walk.Answer(value)
}

// ask asks one question until it is answered.
func ask(ctx context.Context, t *term.Term, walk *flow.Walk, e flow.Step) error {
	q := e.Ask(walk.Session())
	t.Note("%s", "")
	if q.Rows {
		for _, r := range walk.Session().Rows() {
			t.Note("%s: %s", t.Say(r.Label), r.Value)
		}
		t.Note("%s", "")
	}
	if q.Help != "" {
		t.Note("%s", t.Say(q.Help))
	}
	for {
		value, err := one(ctx, t, q)
		if err != nil {
			return err
		}
		err = walk.Answer(value)
		if err == nil || errors.Is(err, flow.ErrCancelled) {
			return err
		}
		wrong, _ := op.AsError(err).In(t.Say)
		t.Warn("%s", wrong)
	}
}

func one(ctx context.Context, t *term.Term, q flow.Question) (string, error) {
	if len(q.Options) > 0 {
		t.Note("%s", t.Say(q.Title))
		return choose(ctx, t, q.Options, q.At)
	}
	return answered(t.Prompt(ctx, t.Say(q.Title), q.Text))
}

// choose asks for one of several options, by number or by its word.
func choose(ctx context.Context, t *term.Term, options []flow.Option, at int) (string, error) {
	for i, o := range options {
		note := ""
		if o.Note != "" {
			note = ": " + t.Say(o.Note)
		}
		t.Note("  %s", fmt.Sprintf("%d %s%s", i+1, o.In(t.Say), note))
	}
	for {
		said, err := answered(t.Prompt(ctx, t.Say("Choice"), strconv.Itoa(at+1)))
		if err != nil {
			return "", err
		}
		if n, err := strconv.Atoi(said); err == nil && n >= 1 && n <= len(options) {
			return options[n-1].Value, nil
		}
		for _, o := range options {
			if strings.EqualFold(said, o.Value) || strings.EqualFold(said, o.Label) || strings.EqualFold(said, o.In(t.Say)) {
				return o.Value, nil
			}
		}
		t.Warn("type a number from 1 to %d", len(options))
	}
}

// answered takes an end of input for giving up.
func answered(line string, err error) (string, error) {
	if errors.Is(err, term.ErrNoAnswer) {
		return "", flow.ErrCancelled
	}
	return line, err
}
