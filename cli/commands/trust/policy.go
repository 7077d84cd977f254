package trust

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/policy"
)

// policyCommand is about what may be done here.
func (a *app) policyCommand() *cobra.Command {
	cmd := a.Holder("policy", "What may be done here without asking, and what not at all", "")
	cmd.AddCommand(a.policyShow(), a.policySet(), a.policyTest())
	return cmd
}

func (a *app) policyShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the rules, in the order they are tried",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := run.Call(cmd.Context(), a.App, policy.Show, policy.ShowRequest{})
			if err != nil {
				return err
			}
			return run.Show(a.App, out, run.ItsText[policy.ShowResponse](a.App))
		},
	}
}

func (a *app) policySet() *cobra.Command {
	var in policy.SetRequest
	cmd := &cobra.Command{
		Use:   "set [<operation> <allow|prompt|deny|none>]",
		Short: "Say what becomes of an operation, or in which mode",
		Long: "Say what becomes of an operation: allow it, prompt (ask a person first), deny it, or none to\n" +
			"remove the rule. An operation may be a pattern as in mesh.*, @changes or @destroys; --mesh\n" +
			"limits the rule. The newest rule comes first. Agents follow the same rules.",
		Example: "claudemesh policy set @destroys prompt\nclaudemesh policy set --mode read-only",
		Args:    run.Words(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 1:
				return run.Usage("add allow, prompt, deny or none", "what is to become of %s?", args[0])
			case 2:
				in.Operation, in.Decision, in.Mesh = args[0], args[1], a.Mesh
			}
			a.Asks = op.Phrasef("Change the policy?")
			out, err := run.Call(cmd.Context(), a.App, policy.Set, in)
			if err != nil {
				return err
			}
			return run.Show(a.App, out, run.ItsText[policy.ShowResponse](a.App))
		},
	}
	cmd.Flags().StringVar(&in.Mode, "mode", "", "what may be done at all: plan, read-only, write or yolo")
	return cmd
}

func (a *app) policyTest() *cobra.Command {
	return &cobra.Command{
		Use:     "test <operation>",
		Short:   "Tell what would become of an operation; exit status 7 if it is denied",
		Example: "claudemesh policy test mesh.ban",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := run.Contract(args[0])
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, policy.Test, policy.TestRequest{InMesh: op.InMesh{Mesh: a.Mesh}, Operation: k.ID})
			if err != nil {
				return err
			}
			if err := run.Show(a.App, out, func(r policy.TestResponse) { a.Term.Block(1, r.Text()) }); err != nil || out.Decision != policy.Deny {
				return err
			}
			return run.Verdict(run.ExitDenied)
		},
	}
}
