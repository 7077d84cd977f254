package meshes

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) membersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "members",
		Short: "List who is in a mesh, with their roles and keys",
		Long: "List everybody who is in a mesh, also those without a session: role, key, whether you\n" +
			"compared the key, whether the machine is online, open sessions, and who admitted them.",
		Example: "claudemesh members --mesh first-light",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			slug, err := a.OneMesh(cmd.Context())
			if err != nil {
				return err
			}
			return run.Perform(cmd.Context(), a.App, presence.Members, presence.MembersRequest{InMesh: op.InMesh{Mesh: slug}}, a.printMembers)
		},
	}
}

func (a *app) printMembers(r presence.MembersResponse) {
	a.Term.Line("%s %s", term.Bold(r.Slug), term.Dim(a.Count(len(r.Members), "member", "members")))
	name, role := 0, 0
	for _, m := range r.Members {
		name, role = max(name, len([]rune(m.Name))), max(role, len(m.Role))
	}
	for _, m := range r.Members {
		hue := term.Dim
		if m.State == "online" {
			hue = term.Green
		}
		own, by, checked := "", "", a.Say("not verified")
		if m.Verified {
			checked = a.Say("verified")
		}
		if m.Own {
			own, checked = a.Say("you"), ""
		}
		if m.AdmittedBy != "" {
			by = a.Fill("admitted by %s %s", m.AdmittedBy, run.Clock(m.Since, time.Now()))
		}
		a.Term.Line("  %s %s  %s  %s  %s", hue(term.Dot), term.Bold(m.Name).Pad(name), term.Dim(m.Role).Pad(role), hue(a.State(m.State)).Pad(7),
			run.Joined(" · ", own, run.Short(m.Key), checked, a.Count(m.Sessions, "session", "sessions"), by))
		if m.Warning != "" {
			a.Term.Line("      %s", term.Red(a.Say("WARNING:")+" "+m.Warning))
		}
	}
}
