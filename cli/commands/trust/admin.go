package trust

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// manage performs an operation in the one mesh that is meant and shows its answer.
func manage[In any, Out op.Texter](ctx context.Context, a *app, spec op.Spec[In, Out], in func(op.InMesh) In) error {
	slug, err := a.OneMesh(ctx)
	if err != nil {
		return err
	}
	return run.Perform(ctx, a.App, spec, in(op.InMesh{Mesh: slug}), func(o Out) { a.Answer(o) })
}

func (a *app) promoteCommand() *cobra.Command {
	var in mesh.PromoteRequest
	cmd := &cobra.Command{
		Use:     "promote <member>",
		Short:   "Make a member an admin, who invites and removes others",
		Long:    "Make a member an admin, who invites, admits and removes others, or a service.\nOnly the owner can.",
		Example: "claudemesh promote bob",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, mesh.Promote, func(where op.InMesh) mesh.PromoteRequest {
				in.InMesh, in.Member = where, args[0]
				return in
			})
		},
	}
	cmd.Flags().StringVar(&in.Role, "role", "admin", "what it `becomes`: admin or service")
	return cmd
}

func (a *app) demoteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "demote <member>",
		Short:   "Make an admin a plain member again",
		Long:    "Make an admin or a service a plain member again. Only the owner can. Its open invites\nend; what it did before stays.",
		Example: "claudemesh demote bob",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, mesh.Demote, func(where op.InMesh) mesh.DemoteRequest {
				return mesh.DemoteRequest{InMesh: where, Member: args[0]}
			})
		},
	}
}

func (a *app) kickCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "kick <member>",
		Short: "Close a member's connections; it comes back by itself",
		Long: "Close the connections of a member's node with all others, against stuck ones. It connects\n" +
			"again by itself: to keep somebody out, use `claudemesh ban`.",
		Example: "claudemesh kick bob",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return run.Usage("type `claudemesh kick <member>`, or `claudemesh kick --all`", "name one member, or give --all")
			}
			return manage(cmd.Context(), a, mesh.Kick, func(where op.InMesh) mesh.KickRequest {
				return mesh.KickRequest{InMesh: where, Member: strings.Join(args, ""), All: all}
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everybody connected who ranks below you")
	return cmd
}

func (a *app) banCommand() *cobra.Command {
	var keep, forget bool
	cmd := &cobra.Command{
		Use:   "ban <member…>",
		Short: "Remove members until they are unbanned",
		Long: "Remove members and change the mesh's key. Every node that has heard of it refuses them.\n" +
			"What they had stays readable to them. What they wrote stays, too: shared state, profiles and session\n" +
			"cards, exactly as this node has them. With --forget nothing of it stays, for members who did harm.",
		Example: "claudemesh ban bob\nclaudemesh ban mallory --forget",
		Args:    run.Words(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Asks = op.Phrasef("Remove %s?", strings.Join(args, ", "))
			return manage(cmd.Context(), a, mesh.Ban, func(where op.InMesh) mesh.BanRequest {
				return mesh.BanRequest{InMesh: where, Members: args, KeepInvites: keep, Forget: forget}
			})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep-invites", false, "leave open invites for several people open, though the removed may know them")
	cmd.Flags().BoolVar(&forget, "forget", false, "keep nothing of what they wrote in shared state, profiles and session cards")
	return cmd
}

func (a *app) unbanCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:     "unban <member>",
		Short:   "Let somebody in again who was banned",
		Example: "claudemesh unban bob",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, mesh.Unban, func(where op.InMesh) mesh.UnbanRequest {
				return mesh.UnbanRequest{InMesh: where, Member: args[0], Role: role}
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "member", "what they `become`: member, service or admin")
	return cmd
}

func (a *app) bansCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bans",
		Short: "List who is banned, since when and by whom",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			slug, err := a.OneMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, mesh.Bans, mesh.BansRequest{InMesh: op.InMesh{Mesh: slug}})
			if err != nil {
				return err
			}
			return run.Show(a.App, out, a.printBans)
		},
	}
}

func (a *app) printBans(r mesh.BansResponse) {
	if len(r.Bans) == 0 {
		a.Term.Line("Nobody is banned from %s.", r.Mesh)
	}
	for _, b := range r.Bans {
		a.Term.Line("%s %s  %s", term.Red(term.Dot), term.Bold(b.Name), run.Joined(" · ", a.Fill("by %s", b.By), run.Day(b.At), run.Short(b.Key)))
	}
}

func (a *app) voidCommand() *cobra.Command {
	var in mesh.VoidRequest
	cmd := &cobra.Command{
		Use:   "void [admin]",
		Short: "Strike what was signed with a stolen admin key",
		Long: "Strike what was signed with an admin's stolen key, as if it had never been. Only the owner\n" +
			"can. What is struck and what follows is shown first. Ban or demote the admin before.",
		Example: "claudemesh void bob --since 2h",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.By = strings.Join(args, "")
			if in.By == "" && len(in.Entries) == 0 {
				return run.Usage("type `claudemesh void <admin>`, or give --entry", "nothing to strike was named")
			}
			if in.Mesh, err = a.OneMesh(cmd.Context()); err != nil {
				return err
			}
			return a.void(cmd.Context(), in)
		},
	}
	cmd.Flags().StringVar(&in.Since, "since", "", "from `when` on: 2h, 3d, a time, or the id of the last good entry")
	cmd.Flags().StringSliceVar(&in.Entries, "entry", nil, "an entry to strike, by its `id`; several with commas")
	return cmd
}

// void shows what would be struck, asks, and strikes it.
func (a *app) void(ctx context.Context, in mesh.VoidRequest) error {
	look, err := run.Call(ctx, a.App, mesh.Void, in)
	if err != nil {
		return err
	}
	if !a.Term.IsDocument() {
		a.Term.Block(0, a.Told(look))
	}
	a.Asks = op.Phrasef("Strike these %d entries for good?", len(look.Struck))
	// What was shown is what is struck, whatever came in meanwhile.
	in.By, in.Since, in.Entries, in.Apply = "", "", nil, true
	for _, l := range look.Struck {
		in.Entries = append(in.Entries, l.ID)
	}
	out, err := run.Call(ctx, a.App, mesh.Void, in)
	if err != nil {
		return err
	}
	return run.Show(a.App, out, func(r mesh.VoidResponse) {
		a.Term.Line("%s Struck %s. Nodes told: %d.", term.Green(term.OK), a.Count(len(r.Struck), "entry", "entries"), r.Told)
		if r.StillAdmin {
			a.Term.Warn("The key can still sign: ban or demote whose it is.")
		}
	})
}

func (a *app) invitesCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "invites",
		Short: "List the open invites, and whom they let in",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			slug, err := a.OneMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, mesh.Invites, mesh.InvitesRequest{InMesh: op.InMesh{Mesh: slug}, All: all})
			if err != nil {
				return err
			}
			return run.Show(a.App, out, a.printInvites)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are used up, expired or ended")
	return cmd
}

func (a *app) printInvites(r mesh.InvitesResponse) {
	if len(r.Invites) == 0 {
		a.Term.Line("There is no open invite. --all shows the others, `claudemesh invite` makes one.")
	}
	for _, v := range r.Invites {
		a.printListed(v)
	}
}

func (a *app) printListed(v mesh.ListedInvite) {
	hue := term.Dim
	if v.State == "open" {
		hue = term.Green
	}
	until, used := "", ""
	if v.Expires != "" {
		until = a.Fill("until %s", run.Day(v.Expires))
	}
	if len(v.UsedBy) > 0 {
		used = "let in " + strings.Join(v.UsedBy, ", ")
	}
	a.Term.Line("%s %s  %s  %s", hue(term.Dot), term.Bold(run.Short(v.ID)), hue(v.State).Pad(7),
		run.Joined(" · ", "by "+v.By, "as "+v.Role, fmt.Sprintf("used %d of %d", v.Used, v.Uses), until, used))
	if gives := run.Joined(" · ", v.Name, v.RoleTag, strings.Join(v.Groups, " "), v.Mode); gives != "" {
		a.Term.Line("    gives: %s", gives)
	}
}

func (a *app) uninviteCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "uninvite [id…]",
		Short:   "End open invites",
		Long:    "End open invites: nobody can join with them any more. Who joined with them stays.",
		Example: "claudemesh uninvite 3f9a2c71",
		Args:    run.Words(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return run.Usage("`claudemesh invites` lists them", "name invites by their ids, or give --all")
			}
			return manage(cmd.Context(), a, mesh.Uninvite, func(where op.InMesh) mesh.UninviteRequest {
				return mesh.UninviteRequest{InMesh: where, IDs: args, All: all}
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every open one")
	return cmd
}
