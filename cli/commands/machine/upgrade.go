package machine

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/cli/upgrade"
	"github.com/claudemesh/claudemesh/cli/upgrade/release"
	"github.com/claudemesh/claudemesh/node/op"
)

// upgradeDoc says what upgrade found and did.
type upgradeDoc struct {
	// Configured tells whether there is an address to ask.
	Configured bool   `json:"configured"`
	Current    string `json:"current"`
	Latest     string `json:"latest,omitempty"`
	Newer      bool   `json:"newer"`
	// Changed tells whether another program stands in place now, Installed its version.
	Changed   bool   `json:"changed"`
	Installed string `json:"installed,omitempty"`
	// Previous is where the program before it is kept.
	Previous string `json:"previous,omitempty"`
	// NodeRestarted tells that the node runs with it.
	NodeRestarted bool `json:"node_restarted"`
	// Reason is why the address could not be asked.
	Reason string `json:"reason,omitempty"`
}

func (a *app) upgradeCommand() *cobra.Command {
	var check, back bool
	cmd := &cobra.Command{
		Use: "upgrade", Aliases: []string{"update"},
		Short: "Replace this program by the newest release",
		Long: "Replace this program by the newest release, if the setting updateUrl (or CLAUDEMESH_UPDATE_URL)\n" +
			"names the address of one; without it nothing is asked for. The release must be signed by the key\n" +
			"built into this program. The node is restarted if it runs; sessions connect again by themselves.\n" +
			"The program before is kept: --back exchanges the two.",
		Example: "claudemesh upgrade --check\nclaudemesh upgrade --back",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check && back {
				return run.Usage("give one of them", "--check and --back do not go together")
			}
			_, set, err := a.Loaded()
			if err != nil {
				return err
			}
			doc := upgradeDoc{Configured: set.UpdateURL.Value != "", Current: a.Env.Version}
			if back {
				return a.goBack(cmd.Context(), doc)
			}
			return a.upgrade(cmd.Context(), set, doc, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only say whether there is a newer one")
	cmd.Flags().BoolVar(&back, "back", false, "put the program before this one back in its place")
	return cmd
}

func (a *app) upgrade(ctx context.Context, set settings.Settings, doc upgradeDoc, check bool) error {
	if !doc.Configured {
		return run.Show(a.App, doc, func(upgradeDoc) {
			a.Term.Line("This is claudemesh v%s. No address of releases is set, so nothing was asked for.", doc.Current)
			a.Term.Line("%s Set one: %s", term.To, term.Cyan("claudemesh config set updateUrl https://…"))
		})
	}
	up, err := a.Upgrader(set.UpdateURL.Value)
	if err != nil {
		return err
	}
	stop := a.Term.Progress("asking for the newest release")
	found, err := up.Check(ctx)
	stop()
	if errors.Is(err, upgrade.ErrUnreachable) && ctx.Err() == nil {
		doc.Reason = err.Error()
		a.Term.Warn("%s", "Nothing was changed: "+err.Error())
		return run.Show(a.App, doc, func(upgradeDoc) {})
	}
	if err != nil {
		return upgradeError(ctx, err)
	}
	doc.Latest, doc.Newer = strings.TrimPrefix(found.Version, "v"), found.Newer
	if check || !found.Newer {
		return run.Show(a.App, doc, a.printUpgrade)
	}
	if err := a.Sure(ctx, op.Phrasef("Replace claudemesh v%s by v%s?", doc.Current, doc.Latest)); err != nil {
		return err
	}
	stop = a.Term.Progress("fetching claudemesh " + found.Version)
	err = up.Install(ctx, found)
	stop()
	if err != nil {
		return upgradeError(ctx, err)
	}
	doc.Changed, doc.Installed, doc.Previous = true, doc.Latest, up.Previous()
	return a.withNode(ctx, up, doc)
}

// goBack exchanges the program with the one before it.
func (a *app) goBack(ctx context.Context, doc upgradeDoc) error {
	up, err := a.Upgrader("")
	if err != nil {
		return err
	}
	if err := a.Sure(ctx, op.Phrasef("Put the program before this one back in its place?")); err != nil {
		return err
	}
	version, err := up.Back(ctx)
	if err != nil {
		return upgradeError(ctx, err)
	}
	doc.Changed, doc.Installed, doc.Previous = true, strings.TrimPrefix(version, "v"), up.Previous()
	return a.withNode(ctx, up, doc)
}

// withNode restarts a running node with the program that stands there now, and says
// what was done. If that program's node does not start, all is put back.
func (a *app) withNode(ctx context.Context, up *upgrade.Upgrader, doc upgradeDoc) error {
	dir, err := a.Dir()
	if err != nil {
		return err
	}
	ctl := a.Control(dir, slog.New(slog.DiscardHandler))
	if _, err := ctl.State(ctx); err != nil {
		return run.Show(a.App, doc, a.printUpgrade)
	}
	if a.Env.Getenv(run.EnvAutoStart) == "0" {
		a.Term.Note("The running node is the old one: restart the service that runs it.")
		return run.Show(a.App, doc, a.printUpgrade)
	}
	if _, err := ctl.Down(ctx, false); err != nil {
		a.Term.Warn("The program is replaced, but the old node still runs.")
		return err
	}
	if _, _, err := ctl.Up(ctx); err != nil {
		_, backErr := up.Back(ctx)
		if backErr == nil {
			_, _, backErr = ctl.Up(ctx)
		}
		if backErr != nil {
			return errors.Join(err, backErr)
		}
		return op.Errorf(op.Unavailable, "the node of v%s does not start, so v%s is back and runs: %w", doc.Installed, doc.Current, err).
			WithHint("`claudemesh node logs` tells why it did not; report it")
	}
	doc.NodeRestarted = true
	return run.Show(a.App, doc, a.printUpgrade)
}

func (a *app) printUpgrade(d upgradeDoc) {
	switch {
	case d.Changed:
		a.Term.Line("%s claudemesh v%s is in place; v%s is kept as %s.", term.Green(term.OK), d.Installed, d.Current, d.Previous)
		if d.NodeRestarted {
			a.Term.Line("  The node runs with it. Sessions connect again by themselves.")
		}
	case d.Newer:
		a.Term.Line("%s claudemesh v%s is there; this is v%s.", term.To, term.Bold(d.Latest), d.Current)
		a.Term.Line("  Install it: %s", term.Cyan("claudemesh upgrade"))
	case strings.TrimPrefix(d.Latest, "v") == d.Current:
		a.Term.Line("%s claudemesh v%s is the newest release.", term.Green(term.OK), d.Current)
	default:
		a.Term.Line("%s This is v%s; the newest release, v%s, is not newer.", term.Green(term.OK), d.Current, d.Latest)
	}
}

// upgradeError gives what went wrong a code and a next step.
func upgradeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	for _, c := range []struct {
		is   error
		code op.Code
		hint op.Phrase
	}{
		{release.ErrUnsigned, op.Denied, op.Phrasef("nothing was changed; do not install it, and tell whoever publishes it")},
		{release.ErrSum, op.Denied, op.Phrasef("nothing was changed; try again, and if it stays so, tell whoever publishes it")},
		{release.ErrForm, op.Invalid, op.Phrasef("nothing was changed; check the setting updateUrl")},
		{release.ErrNotListed, op.NotFound, op.Phrasef("nothing was changed; build it from the source for this system")},
		{upgrade.ErrNone, op.NotFound, op.Phrasef("nothing was changed; check the setting updateUrl")},
		{upgrade.ErrTooLarge, op.Denied, op.Phrasef("nothing was changed; check the setting updateUrl")},
		{upgrade.ErrUnreachable, op.Unavailable, op.Phrasef("nothing was changed; try again later")},
		{upgrade.ErrManaged, op.Denied, op.Phrasef("upgrade it with that package manager")},
		{upgrade.ErrPlace, op.Denied, op.Phrasef("run it as whoever owns the folder, or install claudemesh in a folder of yours")},
		{upgrade.ErrBroken, op.Unavailable, op.Phrasef("nothing was changed; report it")},
		{upgrade.ErrNoPrevious, op.NotFound, op.Phrasef("only what `claudemesh upgrade` has replaced can come back")},
	} {
		if errors.Is(err, c.is) {
			return op.Errorf(c.code, "%w", err).WithHint("%s", c.hint)
		}
	}
	return op.Errorf(op.Unavailable, "%w", err).WithHint("nothing was changed; free some space if the disk is full, then try again")
}
