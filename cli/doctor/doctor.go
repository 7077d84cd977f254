package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/op"
)

// Status is what a check found, the worst last.
type Status string

// The statuses.
const (
	Pass Status = "pass"
	Skip Status = "skipped" // it could not be found out, which is no fault
	Warn Status = "warn"    // it works, but not as it should
	Fail Status = "fail"
)

// Finding is one thing that a check found.
type Finding struct {
	Status Status `json:"status"`
	Detail string `json:"detail"`
	// Fix is what the user can do about it.
	Fix string `json:"fix,omitempty"`
	// Done is what was done about it; NotDone why that failed.
	Done    string `json:"done,omitempty"`
	NotDone string `json:"not_done,omitempty"`

	mend func(context.Context) (did op.Phrase, err error)
	said said
}

// said is how the texts of a finding were made, so that they can be said in another
// language.
type said struct{ detail, fix, done, notDone op.Phrase }

// In is a finding of Run with its texts as say has them.
func (f Finding) In(say func(format string) string) Finding {
	f.Detail, f.Fix = f.said.detail.In(say), f.said.fix.In(say)
	f.Done, f.NotDone = f.said.done.In(say), f.said.notDone.In(say)
	return f
}

// Result is what one check found.
type Result struct {
	Check    string    `json:"check"`
	Status   Status    `json:"status"` // the worst of the findings that are not done
	Findings []Finding `json:"findings"`
}

// Env is everything a check may look at.
type Env struct {
	// Version is the program's own, Program its file.
	Version, Program string
	// Home is the user's home folder, Temp that for temporary files.
	Home, Temp string
	// Dir is the claudemesh folder; Stale names another one that the environment names
	// and that does not exist.
	Dir, Stale string
	Getenv     func(string) string
	// Alive tells whether a process runs.
	Alive  func(pid int) bool
	Now    func() time.Time
	System probe.System
	Node   Node
	Setup  *setup.Setup
	// Release asks for the newest release, where an address is set.
	Release func(context.Context) (Release, error)
	// Settings reads the settings that hold.
	Settings func() (settings.Settings, error)
}

// Options say how to run.
type Options struct {
	// Fix mends what can be mended without harm.
	Fix bool
	// Limit is how long all checks together may take. Zero is 8 s.
	Limit time.Duration
	// Each gets the results, in the order of the table, as soon as that is known. Nil:
	// nobody needs them so soon.
	Each func(Result)
}

// checkLimit is how long one check may take, if it says nothing else.
const checkLimit = 6 * time.Second

// fixLimit is how long mending may take, all in all.
const fixLimit = 20 * time.Second

// check is one of the table.
type check struct {
	name string
	look func(ctx context.Context, x *exam) []Finding
	// hangs is what a check that does not end in time means.
	hangs op.Phrase
}

// Names lists the checks in their order.
func Names() []string {
	var out []string
	for _, c := range checks() {
		out = append(out, c.name)
	}
	return out
}

// Run runs all checks and returns the results in their order. A check that does not end
// when its time is over is left to itself: a file system that hangs cannot be called
// back.
func Run(ctx context.Context, env Env, opt Options) []Result {
	return run(ctx, env, opt, checks())
}

func run(ctx context.Context, env Env, opt Options, all []check) []Result {
	if opt.Limit <= 0 {
		opt.Limit = 8 * time.Second
	}
	looking, cancel := context.WithTimeout(ctx, opt.Limit)
	defer cancel()
	x := newExam(looking, env)
	defer x.wait()
	found := make([]chan []Finding, len(all))
	for i, c := range all {
		found[i] = make(chan []Finding, 1) // so that one that is late ends
		go func() {
			ctx, cancel := context.WithTimeout(looking, checkLimit)
			defer cancel()
			found[i] <- c.within(ctx, x)
		}()
	}
	var out []Result
	mending, done := context.WithTimeout(ctx, fixLimit)
	defer done()
	for i, c := range all {
		r := Result{Check: c.name, Findings: <-found[i]}
		if opt.Fix {
			for j := range r.Findings {
				r.Findings[j].put(mending)
			}
		}
		r.Status = worst(r.Findings)
		if opt.Each != nil {
			opt.Each(r)
		}
		out = append(out, r)
	}
	return out
}

// within looks until ctx ends.
func (c check) within(ctx context.Context, x *exam) []Finding {
	done := make(chan []Finding, 1)
	go func() { done <- c.look(ctx, x) }()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
	}
	select { // a check that heeds ctx says more
	case f := <-done:
		return f
	case <-time.After(grace):
	}
	hangs := c.hangs
	if hangs.String() == "" {
		hangs = op.Word("something it looks at does not answer: is a network drive away, or the machine very busy? Run it again")
	}
	return []Finding{fail("it did not end in time").hint("%s", hangs)}
}

// grace is how long a check has to say something when its time is over.
const grace = 100 * time.Millisecond

// put mends a finding that can be mended.
func (f *Finding) put(ctx context.Context) {
	if f.mend == nil {
		return
	}
	did, err := f.mend(ctx)
	if err != nil {
		f.said.notDone = op.PhraseOf(err)
		f.NotDone = err.Error()
		return
	}
	f.said.done = did
	f.Done = did.String()
}

// order is how bad each status is.
var order = []Status{Pass, Skip, Warn, Fail}

// worst is the worst of what is left to do.
func worst(all []Finding) Status {
	at := 0
	for i, f := range all {
		s := f.Status
		if f.Done != "" {
			s = Pass
		}
		if n := slices.Index(order, s); i == 0 || n > at {
			at = max(n, at)
		}
	}
	return order[at]
}

func pass(format string, args ...any) Finding {
	return found(Pass, op.Phrasef(format, args...))
}

func skip(format string, args ...any) Finding {
	return found(Skip, op.Phrasef(format, args...))
}

func warn(format string, args ...any) Finding {
	return found(Warn, op.Phrasef(format, args...))
}

func fail(format string, args ...any) Finding {
	return found(Fail, op.Phrasef(format, args...))
}

func found(s Status, detail op.Phrase) Finding {
	return Finding{Status: s, Detail: detail.String(), said: said{detail: detail}}
}

// by says what mends the finding.
func (f Finding) by(mend func(context.Context) (op.Phrase, error)) Finding {
	f.mend = mend
	return f
}

// hint adds what the user can do.
func (f Finding) hint(format string, args ...any) Finding {
	f.said.fix = op.Phrasef(format, args...)
	f.Fix = f.said.fix.String()
	return f
}

// one is the result of a check that found one thing.
func one(f Finding) []Finding { return []Finding{f} }

// once remembers what a function returned, for the checks that share it.
type once[T any] struct {
	do    sync.Once
	value T
	done  chan struct{}
}

// get returns the value, or false when ctx ends first. The first to ask starts fn.
func (o *once[T]) get(ctx context.Context, x *exam, fn func() T) (value T, ok bool) {
	o.do.Do(func() {
		o.done = make(chan struct{})
		x.work.Go(func() { o.value = fn(); close(o.done) })
	})
	select {
	case <-o.done:
		return o.value, true
	case <-ctx.Done():
		return value, false
	}
}
