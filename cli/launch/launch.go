package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/launch/claude"
	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/launch/plain"
	"github.com/claudemesh/claudemesh/cli/launch/screen"
	"github.com/claudemesh/claudemesh/cli/term"
)

// Way is how questions are asked.
type Way int

// The ways.
const (
	// Nobody is asked: what is missing is a failure.
	Nobody Way = iota
	// Lines asks line by line.
	Lines
	// Screens asks full-screen.
	Screens
)

// Config says what is to be launched. All fields but Servers, Remember and Started are needed.
type Config struct {
	Term  *term.Term
	World flow.World
	Flow  flow.Flow
	// Session is what is known beforehand.
	Session *flow.Session
	Way     Way
	// Plan says how Claude Code is to be started, Claude is its program.
	Plan   claude.Plan
	Claude string
	// Servers is our own program where Claude Code is not set up with it: then this session
	// alone is.
	Servers string
	// Dir is the user's claudemesh folder, Tmp where the session's folder is made.
	Dir, Tmp string
	Environ  []string
	// Files are stdin, stdout and stderr.
	Files [3]*os.File
	// Banner tells whether to say what is started.
	Banner bool
	// Alive tells whether a process runs, Used whether one does whose session's folder that is.
	Alive func(pid int) bool
	Used  func(folder string) bool
	// Remember is told what was started, and the conversation's id where it is known.
	Remember func(s flow.Session, id string)
	// Started is called when no more questions come; nil: nobody wants to know.
	Started func()
	Log     *slog.Logger
}

// Run asks what must be asked, runs Claude Code and returns when it has ended: with nil,
// a *claude.Ended, flow.ErrCancelled, or why it was not started. The terminal is then as it
// was, and nothing is left of the session's folder.
func Run(ctx context.Context, c Config) (err error) {
	guard := c.Term.Guard()
	defer guard.Reset(false)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while launching: %v\n%s", r, debug.Stack())
		}
	}()
	walk := flow.New(c.Flow, c.Session)
	if err := c.ask(ctx, guard, walk); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.start(guard)
}

// ask goes through the flow.
func (c Config) ask(ctx context.Context, guard *term.Guard, walk *flow.Walk) error {
	switch c.Way {
	case Screens:
		guard.Full()
		return screen.Run(ctx, screen.Config{
			Walk: walk, World: c.World, In: c.Files[0], Out: c.Files[1], Environ: c.Environ, Hue: c.Term.Hue(),
		})
	case Lines:
		return plain.Run(ctx, c.Term, walk, c.World)
	}
	return walk.Through(ctx, c.World)
}

// start runs Claude Code in the session's folder.
func (c Config) start(guard *term.Guard) (err error) {
	if err := claude.Sweep(c.Tmp, c.Alive, c.Used); err != nil {
		c.Log.Warn("folders of old sessions not removed", "error", err)
	}
	folder, err := claude.NewFolder(c.Tmp, c.launched())
	if err != nil {
		return err
	}
	defer func() {
		if gone := folder.Remove(); gone != nil && err == nil {
			err = fmt.Errorf("remove the session's folder: %w", gone)
		}
	}()
	if c.Servers != "" {
		if c.Plan.Servers, err = folder.Servers(c.Servers); err != nil {
			return err
		}
	}
	args, id := c.Plan.Args()
	guard.Reset(true)
	if c.Started != nil {
		c.Started()
	}
	if c.Banner {
		c.banner()
	}
	if c.Remember != nil {
		c.Remember(*c.Session, id)
	}
	identity := claude.Identity{
		Config: c.Dir, Folder: folder.Path(), ID: id,
		Name: c.Session.Name.Value, Role: c.Session.Role.Value, Mode: c.Session.Mode.Value,
	}
	return claude.Command{Path: c.Claude, Args: args, Environ: identity.Environ(c.Environ), Files: c.Files}.Run()
}

// launched is what the session's MCP server is told.
func (c Config) launched() agent.Launched {
	s := c.Session
	l := agent.NewLaunched(os.Getpid())
	l.Mesh, l.Name, l.Role, l.Mode = s.Mesh, s.Name.Value, s.Role.Value, s.Mode.Value
	groups, _ := flow.ParseGroups(s.Groups.Value) // judged when it was answered
	for _, g := range groups {
		l.Groups = append(l.Groups, agent.LaunchedGroup(g))
	}
	return l
}

// banner says what is started, and what that means.
func (c Config) banner() {
	s := c.Session
	t := c.Term
	who := term.Bold(s.Name.Value)
	role, groups, mode := "", "", "messages as set"
	if s.Role.Value != "" {
		role = " (" + s.Role.Value + ")"
	}
	if s.Groups.Value != "" {
		groups = " [" + s.Groups.Value + "]"
	}
	for _, m := range flow.Modes() {
		if m.Value == s.Mode.Value {
			mode = m.Value + ": " + m.Note
		}
	}
	t.Note("%s %s%s on %s%s", term.Green(term.OK), who, role, term.Bold(s.Mesh), groups)
	t.Note("  %s", term.Dim(mode))
	t.Note("  %s", term.Dim("Its members see its name, role, groups, folder and status, and can write to it."))
	if s.Unasked {
		t.Note("%s %s", term.Yellow(term.Care), "Claude Code will not ask before it acts, also on what others write.")
	}
	if c.Servers != "" {
		t.Note("  %s", term.Dim("Set up for this session alone; `claudemesh install` does it for all, with hooks."))
	}
	if c.Plan.Dropped() {
		t.Warn("--dangerously-skip-permissions was left out: give it before the --, as a flag of launch")
	}
	t.Note("  %s", term.Dim("settings: "+c.Dir))
}

// Cancelled tells whether a launch ended because a person gave it up.
func Cancelled(err error) bool { return errors.Is(err, flow.ErrCancelled) }
