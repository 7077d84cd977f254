package people

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

// ofSession adds the flag by which a person names the session that a command
// changes. Inside an agent it is the agent's own.
func ofSession(cmd *cobra.Command, of *presence.OfSession) *cobra.Command {
	cmd.Flags().StringVar(&of.Session, "session", "", "which of your agent sessions, by `name` or id; not needed when one is open")
	return cmd
}

// SetStatus is the command below status by which a session says what it does.
func SetStatus(in *run.App) *cobra.Command {
	a := &app{in}
	var of presence.OfSession
	return ofSession(&cobra.Command{
		Use:   "set <idle|working|dnd>",
		Short: "Say whether a session may be disturbed",
		Long: "Say whether a session may be disturbed: while it is working or dnd, only messages of\n" +
			"priority now reach it. dnd stays until another status is set, the others hold until\n" +
			"the agent is seen doing something else.",
		Example: "claudemesh status set dnd",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "idle", "working", "dnd":
			default:
				return run.Usage("type one of idle, working, dnd", "there is no status %q", args[0])
			}
			in := presence.SetStatusRequest{InMesh: op.InMesh{Mesh: a.Mesh}, OfSession: of, Status: args[0]}
			return change(cmd.Context(), a, presence.SetStatus, in)
		},
	}, &of)
}

// change performs an operation that changes a session, and shows what it says of that.
func change[In any, Out op.Texter](ctx context.Context, a *app, spec op.Spec[In, Out], in In) error {
	out, err := run.Call(ctx, a.App, spec, in)
	if err != nil {
		return err
	}
	a.Used(a.Mesh)
	return run.Show(a.App, out, func(o Out) { a.Answer(o) })
}

func (a *app) visibleCommand() *cobra.Command {
	var of presence.OfSession
	return ofSession(&cobra.Command{
		Use:   "visible <on|off>",
		Short: "Hide a session from the others, or show it again",
		Long: "Hide a session from the others, or show it again. A hidden one looks as if it had left\n" +
			"and gets nothing that is sent to groups or to everybody; direct messages still arrive.",
		Example: "claudemesh visible off",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := presence.SetVisibleRequest{InMesh: op.InMesh{Mesh: a.Mesh}, OfSession: of}
			switch args[0] {
			case "on":
				in.Visible = true
			case "off":
			default:
				return run.Usage("type on or off", "visible is neither on nor off: %q", args[0])
			}
			return change(cmd.Context(), a, presence.SetVisible, in)
		},
	}, &of)
}

func (a *app) groupCommand() *cobra.Command {
	cmd := a.Holder("group", "Groups of sessions, which get messages to @name", "")
	cmd.AddCommand(a.groupJoin(), a.groupLeave(), a.groupList())
	return cmd
}

func (a *app) groupJoin() *cobra.Command {
	var of presence.OfSession
	var role string
	cmd := ofSession(&cobra.Command{
		Use:   "join <name>",
		Short: "Put a session into a group",
		Long: "Put a session into a group: messages to @name reach it from then on, and so do those to\n" +
			"the groups above it (a/b is in a). Joining again replaces the role.",
		Example: "claudemesh group join frontend/css --role lead",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := presence.JoinGroupRequest{InMesh: op.InMesh{Mesh: a.Mesh}, OfSession: of, Name: args[0], Role: role}
			return change(cmd.Context(), a, presence.JoinGroup, in)
		},
	}, &of)
	cmd.Flags().StringVar(&role, "role", "", "what it is there: `lead`, member, observer or any other word")
	return cmd
}

func (a *app) groupLeave() *cobra.Command {
	var of presence.OfSession
	return ofSession(&cobra.Command{
		Use:     "leave <name>",
		Short:   "Take a session out of a group",
		Example: "claudemesh group leave frontend/css",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := presence.LeaveGroupRequest{InMesh: op.InMesh{Mesh: a.Mesh}, OfSession: of, Name: args[0]}
			return change(cmd.Context(), a, presence.LeaveGroup, in)
		},
	}, &of)
}

func (a *app) groupList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the groups and who is in them",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, presence.Groups, presence.GroupsRequest{InMesh: in})
			if err != nil {
				return err
			}
			if out.Groups == nil {
				out.Groups = []presence.GroupInfo{}
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, a.printGroups)
		},
	}
}

func (a *app) printGroups(r presence.GroupsResponse) {
	if len(r.Groups) == 0 {
		a.Term.Line("There are no groups in %s yet.", r.Mesh)
		a.Term.Note("%s claudemesh group join <name>", term.To)
		return
	}
	a.Term.Line("%s %s", term.Bold(r.Mesh), term.Dim(a.Count(len(r.Groups), "group", "groups")))
	for _, g := range r.Groups {
		a.Term.Line("%s %s", term.Bold("@"+g.Name), term.Dim(a.Count(len(g.Members), "peer", "peers")))
		for _, m := range g.Members {
			hue, ok := hues[m.State]
			if !ok {
				hue = term.Green
			}
			own := ""
			if m.Own {
				own = a.Say("yours")
			}
			a.Term.Line("  %s %s %s", hue(term.Dot), m.Name, term.Dim(run.Joined(" · ", m.Role, a.State(m.State), own, run.Short(m.Session))))
		}
	}
}
