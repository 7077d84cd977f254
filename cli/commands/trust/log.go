package trust

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) logCommand() *cobra.Command {
	var in audit.LogRequest
	var once bool
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show what happens, as it happens",
		Long: "Show what happened at this node and what happens now: connections, arrivals, messages sent\n" +
			"and received (never their texts), refusals, grants, changes of members. It goes on until\n" +
			"Ctrl-C. With --json each line is one document. `claudemesh audit` searches the past.",
		Example: "claudemesh log --since 1h\nclaudemesh log -n 100 --no-follow",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in.Mesh = a.Mesh
			switch lines := cmd.Flags().Changed("lines"); {
			case lines && in.Limit < 1 || in.Limit > 500:
				return run.Usage("give --lines a number from 1 to 500", "--lines cannot be %d", in.Limit)
			case in.Since != "" && !lines:
				in.Limit = 500
			}
			return a.follow(cmd.Context(), in, once)
		},
	}
	cmd.Flags().StringVar(&in.Since, "since", "", "begin `when`: 2h, 3d, or a time")
	cmd.Flags().IntVarP(&in.Limit, "lines", "n", 20, "how many of the newest to begin with, at most 500")
	cmd.Flags().BoolVar(&once, "no-follow", false, "end after these")
	return cmd
}

// logAgain is the pause before a node that went away is asked again.
const logAgain = time.Second

// follow prints what happened, and unless once what happens, until ctx ends.
func (a *app) follow(ctx context.Context, in audit.LogRequest, once bool) error {
	out, err := run.Call(ctx, a.App, audit.Log, in)
	gone := false
	for {
		switch {
		case ctx.Err() != nil && !once:
			return nil // Ctrl-C is how this ends
		case op.CodeOf(err) == op.Unavailable && in.Wait:
			if !gone {
				a.Term.Note("%s The node is gone; waiting for it.", term.Yellow(term.Care))
			}
			gone = true
			if !pauseFor(ctx, logAgain) {
				return nil
			}
		case err != nil:
			return err
		default:
			if gone {
				a.Term.Note("%s The node is back.", term.Green(term.OK))
			}
			gone = false
			if err := a.printEvents(out.Entries); err != nil {
				return err
			}
			in.Cursor, in.Wait = out.Cursor, true
		}
		if once {
			return nil
		}
		out, err = a.next(ctx, in)
	}
}

// next waits for what comes behind the cursor. It starts no node: following the log of
// one that was stopped must not bring it back.
func (a *app) next(ctx context.Context, in audit.LogRequest) (audit.LogResponse, error) {
	return audit.Log.Call(ctx, a.Client, op.Caller{}, in)
}

// pauseFor waits and tells whether ctx still lives.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// printEvents prints a line each.
func (a *app) printEvents(all []audit.Entry) error {
	for _, e := range all {
		if a.Term.IsDocument() {
			if err := a.Term.JSONLine(e); err != nil {
				return err
			}
			continue
		}
		hue := term.Bold
		switch {
		case strings.HasPrefix(e.Event, "refused"), strings.HasSuffix(e.Event, "deny"), strings.HasSuffix(e.Event, "forked"):
			hue = term.Red
		case strings.HasPrefix(e.Event, "message"):
			hue = term.Cyan
		}
		a.Term.Line("%s  %s  %s", term.Dim(run.Clock(e.At, time.Now())), hue(strings.ReplaceAll(e.Event, "_", " ")),
			run.Joined(" · ", e.Mesh, e.Actor, facts(e.Data)))
	}
	return a.Term.Err()
}

// facts are what an event says beyond who and where, whole keys and ids shortened.
func facts(data map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		words := strings.Fields(data[name])
		for i, w := range words {
			if len(w) >= 32 && !strings.Contains(w, " ") {
				words[i] = run.Short(w)
			}
		}
		if len(words) > 0 {
			out = append(out, name+" "+strings.Join(words, " "))
		}
	}
	return strings.Join(out, " · ")
}
