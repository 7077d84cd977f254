package doctor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/op"
)

// lookAtHooks looks whether Claude Code tells us of its sessions.
func lookAtHooks(ctx context.Context, x *exam) []Finding {
	c, no := x.readable(ctx)
	if no != nil {
		return no
	}
	if c.HooksOff {
		return one(warn("%s switches all hooks off (disableAllHooks): others do not see whether your sessions work, and messages that are not pushed are not shown", c.Settings).
			hint("take disableAllHooks out of it"))
	}
	ours, others := x.sorted(c.Hooks)
	if len(ours) == 0 && c.Plugin {
		return one(pass("the plugin has them"))
	}
	var out []Finding
	var missing []string
	for _, e := range setup.Events() {
		if _, there := ours[e[0]]; !there {
			missing = append(missing, e[0])
		}
	}
	fix := installFix(claude)
	switch {
	case len(missing) == len(setup.Events()):
		out = append(out, warn("there are no hooks of ours in %s: others do not see whether your sessions work, and messages that are not pushed are not shown", c.Settings).
			hint("%s", fix).by(x.install(claude)))
	case len(missing) > 0:
		out = append(out, warn("hooks are missing in %s: %s", c.Settings, strings.Join(missing, ", ")).hint("%s", fix).by(x.install(claude)))
	}
	gone := make(map[string][]string) // events by the program that is not there
	for _, event := range slices.Sorted(maps.Keys(ours)) {
		program, word, _ := x.Setup.OurHook(ours[event])
		if _, err := x.System.LookPath(program); err != nil {
			gone[program] = append(gone[program], event)
		} else if slices.Contains([]string{"idle", "working", "dnd"}, word) {
			out = append(out, warn("the hook of %s is of an older version: %s", event, ours[event]).hint("%s", fix).by(x.install(claude)))
		}
	}
	for _, program := range slices.Sorted(maps.Keys(gone)) {
		out = append(out, fail("hooks start %s, which does not exist: %s", program, strings.Join(gone[program], ", ")).
			hint("%s", fix).by(x.install(claude)))
	}
	if len(out) > 0 {
		return out
	}
	return one(pass("%s%s", count(len(ours), "event is heard", "events are heard"), foreign(others)))
}

// sorted tells our hooks, one per event, from those of others.
func (x *exam) sorted(hooks map[string][]string) (ours map[string]string, others []string) {
	ours = make(map[string]string)
	for _, event := range slices.Sorted(maps.Keys(hooks)) {
		for _, command := range hooks[event] {
			if _, _, is := x.Setup.OurHook(command); is {
				ours[event] = command
			} else {
				others = append(others, event+": "+command)
			}
		}
	}
	return ours, others
}

// foreign tells of others' hooks, which run beside ours.
func foreign(others []string) op.Phrase {
	if len(others) == 0 {
		return op.Phrase{}
	}
	return op.Phrasef("; %s beside: %s", count(len(others), "hook of another program runs", "hooks of other programs run"), some(others))
}

const (
	// hookSlow is from when a hook holds up an agent noticeably.
	hookSlow = 500 * time.Millisecond
	hookWait = 4 * time.Second
)

// lookAtHookTime starts a hook as Claude Code would, with an event that means nothing.
func lookAtHookTime(ctx context.Context, x *exam) []Finding {
	c, no := x.readable(ctx)
	if no != nil {
		return no
	}
	ours, _ := x.sorted(c.Hooks)
	if len(ours) == 0 {
		return one(skip("there is no hook"))
	}
	program, _, _ := x.Setup.OurHook(ours[slices.Min(slices.Collect(maps.Keys(ours)))])
	path, err := x.System.LookPath(program)
	if err != nil {
		return one(skip("%s does not exist", program))
	}
	ctx, cancel := context.WithTimeout(ctx, hookWait)
	defer cancel()
	took, err := x.fastest(ctx, path)
	fix := op.Word("Claude Code waits for it at every step: is it on a slow or distant disk, or a script around claudemesh? `claudemesh install` registers the program itself")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return one(fail("the hook %s is too slow: it takes more than %s", path, hookWait).hint("%s", fix))
	case err != nil:
		return one(fail("the hook %s fails: %v", path, err).hint("%s", installFix(claude)))
	case took >= hookSlow:
		return one(warn("the hook %s is too slow: it takes %s", path, took.Round(10*time.Millisecond)).hint("%s", fix))
	}
	return one(pass("a hook takes %s", took.Round(time.Millisecond)))
}

// fastest is the shortest of a few runs: one may be held up by the disk, or by what else
// the machine does.
func (x *exam) fastest(ctx context.Context, path string) (best time.Duration, err error) {
	const runs = 3
	for i := range runs {
		_, took, err := x.System.Run(ctx, "{}", path, "hook", "doctor")
		if err != nil && i > 0 && errors.Is(err, context.DeadlineExceeded) {
			break // what was measured before counts
		}
		if err != nil {
			return 0, err
		}
		if i == 0 || took < best {
			best = took
		}
		if best < hookSlow {
			break
		}
	}
	return best, nil
}
