package trust

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/op"
)

// capsHelp says what each capability means, in the words of the package that knows.
const capsHelp = "  read         what it says of itself is shown: summaries, profile, folder, machine\n" +
	"  dm           its messages to you and your sessions are taken\n" +
	"  broadcast    its messages to groups and to everybody are taken\n" +
	"  state-read   what it wrote to shared state is shown\n" +
	"  state-write  what it writes to shared state counts; the mesh says who may write, by\n" +
	"               default everybody, so this one only needs to be taken\n" +
	"  file-read    it may fetch files that you share with it\n" +
	"  all          all of them\n" +
	"Nobody else is told, and the peer sees no difference."

func (a *app) grantCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "grant <peer> <cap…>",
		Short:   "Let a peer do more",
		Long:    "Let a peer do more, whether it is online or not. It is a rule of yours about this one\nmember:\n" + capsHelp,
		Example: "claudemesh grant bob file-read",
		Args:    run.Words(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, grant.Add, func(where op.InMesh) grant.AddRequest {
				return grant.AddRequest{InMesh: where, WhichPeer: grant.WhichPeer{Peer: args[0]}, Caps: args[1:]}
			})
		},
	}
}

func (a *app) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke <peer> <cap…|all>",
		Short:   "Let a peer do less",
		Long:    "Let a peer do less, whether it is online or not. It is a rule of yours about this one\nmember:\n" + capsHelp,
		Example: "claudemesh revoke bob broadcast",
		Args:    run.Words(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, grant.Remove, func(where op.InMesh) grant.RemoveRequest {
				return grant.RemoveRequest{InMesh: where, WhichPeer: grant.WhichPeer{Peer: args[0]}, Caps: args[1:]}
			})
		},
	}
}

func (a *app) blockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "block <peer>",
		Short: "Show nothing of a peer any more",
		Long: "Show nothing of a peer any more: neither its messages, those that wait included, nor what\n" +
			"it writes to shared state or says of itself. It sees no difference: its messages look\n" +
			"unread. To keep somebody out of the mesh, use `claudemesh ban`.",
		Example: "claudemesh block bob",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, grant.Block, func(where op.InMesh) grant.BlockRequest {
				return grant.BlockRequest{InMesh: where, WhichPeer: grant.WhichPeer{Peer: args[0]}}
			})
		},
	}
}

func (a *app) unblockCommand() *cobra.Command {
	var held bool
	cmd := &cobra.Command{
		Use:   "unblock <peer>",
		Short: "Treat a peer like all others again",
		Long: "Treat a peer like all others again: what was granted to it or taken from it is forgotten.\n" +
			"What it sent meanwhile stays out of sight unless you ask for it.",
		Example: "claudemesh unblock bob --held",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return manage(cmd.Context(), a, grant.Unblock, func(where op.InMesh) grant.UnblockRequest {
				return grant.UnblockRequest{InMesh: where, WhichPeer: grant.WhichPeer{Peer: args[0]}, Held: held}
			})
		},
	}
	cmd.Flags().BoolVar(&held, "held", false, "have what it sent meanwhile wait for you like other mail")
	return cmd
}

func (a *app) grantsCommand() *cobra.Command {
	var set bool
	cmd := &cobra.Command{
		Use:   "grants",
		Short: "Show what each peer may do",
		Long: "Show what each peer may do of whom you said something, and what all others may: at first\n" +
			"read, dm, broadcast and state-read. With --default and capabilities, say what they may;\n" +
			"none lets in only whom you grant something:\n" + capsHelp,
		Example: "claudemesh grants\nclaudemesh grants --default read,dm,broadcast,state-read,file-read",
		Args:    run.Words(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if set != (len(args) > 0) {
				return run.Usage("type `claudemesh grants`, or `claudemesh grants --default <cap…>`", "capabilities stand behind --default, and only there")
			}
			slug, err := a.OneMesh(cmd.Context())
			if err != nil {
				return err
			}
			where, all := op.InMesh{Mesh: slug}, run.ItsText[grant.ListResponse](a.App)
			if set {
				return run.Perform(cmd.Context(), a.App, grant.Default, grant.DefaultRequest{InMesh: where, Caps: args}, all)
			}
			return run.Perform(cmd.Context(), a.App, grant.List, grant.ListRequest{InMesh: where}, all)
		},
	}
	cmd.Flags().BoolVar(&set, "default", false, "say what all others may do")
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	var mark, unmark, grants bool
	cmd := &cobra.Command{
		Use:   "verify [peer]",
		Short: "Compare keys with a peer by 30 digits",
		Long: "Show the safety number of you and a peer, or of you and everybody: 30 digits made of your\n" +
			"two member keys. Compare them with what the peer sees, in person or on the phone: if they\n" +
			"are the same, nobody sits between you. With --mark you are warned, here and in your\n" +
			"sessions, when that name has another key later.",
		Example: "claudemesh verify bob\nclaudemesh verify bob --mark",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			peer := ""
			if len(args) == 1 {
				peer = args[0]
			}
			if mark && unmark || (mark || unmark) && peer == "" {
				return run.Usage("type `claudemesh verify <peer> --mark`, or --unmark", "name one peer, and one of --mark and --unmark")
			}
			if mark || unmark {
				return a.markPeer(cmd, peer, unmark)
			}
			in := grant.VerifyRequest{InMesh: op.InMesh{Mesh: a.Mesh}, Peer: peer, Grants: grants}
			out, err := run.Call(cmd.Context(), a.App, grant.Verify, in)
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			return a.showCompared(out)
		},
	}
	cmd.Flags().BoolVar(&mark, "mark", false, "mark it verified: you have compared the digits")
	cmd.Flags().BoolVar(&unmark, "unmark", false, "take that back")
	cmd.Flags().BoolVar(&grants, "with-grants", false, "also show what each may do")
	return cmd
}

func (a *app) markPeer(cmd *cobra.Command, peer string, undo bool) error {
	slug, err := a.OneMesh(cmd.Context())
	if err != nil {
		return err
	}
	in := grant.MarkRequest{InMesh: op.InMesh{Mesh: slug}, WhichPeer: grant.WhichPeer{Peer: peer}, Undo: undo}
	out, err := run.Call(cmd.Context(), a.App, grant.Mark, in)
	if err != nil {
		return err
	}
	return a.showCompared(out)
}

// showCompared prints the peers.
func (a *app) showCompared(out grant.VerifyResponse) error {
	if out.Peers == nil {
		out.Peers = []grant.Compared{}
	}
	return run.Show(a.App, out, func(grant.VerifyResponse) {
		for _, p := range out.Peers {
			mark := term.Dim(a.Say("not verified yet"))
			if p.Verified != "" {
				mark = term.Green(a.Fill("verified %s", run.Day(p.Verified)))
			}
			a.Term.Line("%s in %s %s · %s", term.Bold(p.Peer), p.Slug, term.Dim(run.Short(p.Key)), mark)
			a.Term.Line("  %s", term.Bold(p.Number))
			if p.Warning != "" {
				a.Term.Line("  %s", term.Red(a.Say("WARNING:")+" "+p.Warning))
			}
			if p.Grants != nil {
				a.Term.Line("  %s", p.Grants.May())
			}
		}
		if len(out.Peers) == 0 {
			a.Term.Line("Nobody else is in your meshes yet.")
		}
	})
}
