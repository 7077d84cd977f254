package trust

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/op"
)

// auditCommand is about who did what.
func (a *app) auditCommand() *cobra.Command {
	var in audit.QueryRequest
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what, and what this node did and refused",
		Long: "Show who changed what in the meshes, and what this node did and refused, newest first.\n" +
			"Changes of members, rights and settings are shared by all members; connections, messages\n" +
			"(never their texts), arrivals, refusals and decisions of the policy stay on this machine.",
		Example: "claudemesh audit --since 2d --kind 'member_*'",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in.Mesh = a.Mesh
			out, err := run.Call(cmd.Context(), a.App, audit.Query, in)
			if err != nil {
				return err
			}
			return run.Show(a.App, out, run.ItsText[audit.QueryResponse](a.App))
		},
	}
	cmd.Flags().StringVar(&in.Since, "since", "", "not older than `when`: 2h, 3d, or a time")
	cmd.Flags().StringVar(&in.Kind, "kind", "", "only this `event`; with * at its end, all that begin so")
	cmd.Flags().StringVar(&in.Member, "member", "", "only what this `member` did, or what was done to it")
	cmd.Flags().IntVar(&in.Limit, "limit", 50, "how many, at most 500")
	cmd.Flags().IntVar(&in.Offset, "offset", 0, "how many of the newest to leave out")
	cmd.AddCommand(a.auditVerify())
	return cmd
}

func (a *app) auditVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing in it was changed; exit status 1 if something was",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			slug, err := a.OneMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, audit.Verify, audit.VerifyRequest{InMesh: op.InMesh{Mesh: slug}})
			if err != nil {
				return err
			}
			if err := run.Show(a.App, out, a.printChains); err != nil || out.Valid {
				return err
			}
			return run.Verdict(run.ExitCancelled)
		},
	}
}

func (a *app) printChains(r audit.VerifyResponse) {
	for _, c := range r.Chains {
		hue := term.Green
		if c.State != audit.Valid {
			hue = term.Red
		}
		a.Term.Line("%s %s  %s  %s", hue(term.Dot), term.Bold(c.Name), c.State, a.Count(int(c.Entries), "entry", "entries"))
		if c.State != audit.Valid {
			a.Term.Line("    at %d: %s", c.At, c.Why)
		}
	}
}
