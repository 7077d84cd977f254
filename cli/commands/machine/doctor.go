package machine

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/doctor"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// doctorCommand finds out whether everything works, and what to do where it does not.
func (a *app) doctorCommand() *cobra.Command {
	var fix bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong, and what to do about it",
		Long: "Find out what is wrong, and what to do about it: the program, its folder, keys and store,\n" +
			"the node, the network, the meshes, and what your coding agents know of claudemesh. It takes\n" +
			"10 seconds at most. Exit status 1 if something failed; a warning is no failure.\n" +
			"--fix puts right what can be without harm, and says what it did: file modes, a stale\n" +
			"socket, what dead sessions left, entries that `claudemesh install` writes.",
		Example: "claudemesh doctor\nclaudemesh doctor --fix\nclaudemesh doctor --json",
		Args:    run.Words(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), fix) },
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "put right what can be without harm")
	return cmd
}

// doctorDoc is what the doctor found.
type doctorDoc struct {
	OK       bool            `json:"ok"`
	Failed   int             `json:"failed"`
	Warnings int             `json:"warnings"`
	Checks   []doctor.Result `json:"checks"`
}

func (a *app) doctor(ctx context.Context, fix bool) error {
	env, client, err := a.patient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	width := 0
	for _, name := range doctor.Names() {
		width = max(width, len(name))
	}
	doc := doctorDoc{OK: true, Checks: []doctor.Result{}}
	doctor.Run(ctx, env, doctor.Options{Fix: fix, Each: func(r doctor.Result) {
		doc.Checks = append(doc.Checks, r)
		switch r.Status {
		case doctor.Fail:
			doc.OK = false
			doc.Failed++
		case doctor.Warn:
			doc.Warnings++
		}
		a.printResult(r, width)
	}})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := run.Show(a.App, doc, a.printVerdict); err != nil || doc.OK {
		return err
	}
	return run.Verdict(run.ExitCancelled)
}

// patient describes this machine to the doctor. It changes nothing, as that could be what
// is to be found out.
func (a *app) patient(ctx context.Context) (doctor.Env, *local.Client, error) {
	folder, err := settings.Locate(a.Env.Getenv)
	if err != nil {
		return doctor.Env{}, nil, run.NoFolder(err)
	}
	home, err := run.UserHome()
	if err != nil {
		return doctor.Env{}, nil, err
	}
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	ctl := a.Control(folder.Path, slog.New(slog.DiscardHandler))
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(folder.Path)})
	s := a.SetupIn(folder.Path, home, true, false)
	return doctor.Env{
		Version: a.Env.Version, Program: program, Home: home, Temp: os.TempDir(),
		Dir: folder.Path, Stale: folder.Stale, Getenv: a.Env.Getenv, Now: time.Now, Alive: daemon.Alive, System: doctor.Machine(), Setup: s.Setup,
		Release:  func(ctx context.Context) (doctor.Release, error) { return a.newestRelease(ctx, folder.Path) },
		Settings: func() (settings.Settings, error) { return a.Settings(folder.Path, settings.Flags{}) },
		Node: doctor.Node{
			Socket: local.SocketPath(folder.Path), Hello: client.Hello, Absent: run.Absent, Doer: client,
			Start: func(ctx context.Context) error {
				if _, err := a.Dir(); err != nil { // which makes it
					return err
				}
				_, err := ctl.Ensure(ctx)
				return err
			},
			Manual:     a.Env.Getenv(run.EnvAutoStart) == "0",
			Listener:   ctl.Listener,
			Foreign:    ctl.Foreign,
			Explain:    func(err error) *op.Error { return run.AsError(ctx, err) },
			Unfinished: func() ([]string, error) { return node.Unfinished(folder.Path) },
			Forget:     func() error { return node.Forget(folder.Path) },

			Store: func() error { return node.ExamineStore(folder.Path) },
			Key:   func() (string, error) { return node.ExamineKey(folder.Path) },
		},
	}, client, nil
}

// newestRelease asks for the newest release, if there is an address to ask.
func (a *app) newestRelease(ctx context.Context, dir string) (doctor.Release, error) {
	set, err := a.Settings(dir, settings.Flags{})
	if err != nil || set.UpdateURL.Value == "" {
		return doctor.Release{}, err
	}
	up, err := a.Upgrader(set.UpdateURL.Value)
	if err != nil {
		return doctor.Release{Configured: true}, err
	}
	found, err := up.Check(ctx)
	return doctor.Release{Configured: true, Version: strings.TrimPrefix(found.Version, "v"), Newer: found.Newer}, err
}

// findingMarks are how findings are shown.
var findingMarks = map[doctor.Status]term.Styled{
	doctor.Pass: term.Green(term.OK), doctor.Skip: term.Dim(term.Dot), doctor.Warn: term.Yellow(term.Care), doctor.Fail: term.Red(term.Bad),
}

func (a *app) printResult(r doctor.Result, width int) {
	for _, f := range r.Findings {
		f = f.In(a.Say)
		a.Term.Line("%s %s  %s", findingMarks[f.Status], term.Bold(r.Check).Pad(width), f.Detail)
		if f.Fix != "" && f.Done == "" {
			a.Term.Line("  %s %s", term.Cyan(term.To), f.Fix)
		}
		if f.Done != "" {
			a.Term.Line("  %s %s", term.Green(term.OK), f.Done)
		}
		if f.NotDone != "" {
			a.Term.Line("  %s not put right: %s", term.Red(term.Bad), f.NotDone)
		}
	}
}

func (a *app) printVerdict(d doctorDoc) {
	a.Term.Blank()
	switch {
	case !d.OK:
		a.Term.Line("%s %s, %s.", term.Red(term.Bad), a.Count(d.Failed, "check failed", "checks failed"), a.Count(d.Warnings, "warning", "warnings"))
	case d.Warnings > 0:
		a.Term.Line("%s It works, with %s.", term.Green(term.OK), a.Count(d.Warnings, "warning", "warnings"))
	default:
		a.Term.Line("%s Everything works.", term.Green(term.OK))
	}
}
