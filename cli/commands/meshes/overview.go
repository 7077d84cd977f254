package meshes

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Describe a mesh: its members, groups and shared keys, and who you are",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			return run.Perform(cmd.Context(), a.App, overview.Info, overview.InfoRequest{InMesh: in}, run.ItsText[overview.InfoResponse](a.App))
		},
	}
}

func (a *app) statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Show what each peer has done: messages, tool calls, errors",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := run.Call(cmd.Context(), a.App, overview.Stats, overview.StatsRequest{InMesh: op.InMesh{Mesh: a.Mesh}})
			if err == nil && len(out.Meshes) == 0 {
				err = a.Outcast(cmd.Context())
			}
			if err != nil {
				return err
			}
			if out.Meshes == nil {
				out.Meshes = []overview.MeshStats{}
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, a.printStats)
		},
	}
}

func (a *app) printStats(r overview.StatsResponse) {
	if len(r.Meshes) == 0 {
		a.NoMesh()
	}
	for i, m := range r.Meshes {
		if i > 0 {
			a.Term.Blank()
		}
		a.Term.Line("%s %s", term.Bold(m.Slug), term.Dim(a.Count(len(m.Peers), "session", "sessions")))
		rows := [][]string{{a.Say("peer"), a.Say("in"), a.Say("out"), a.Say("calls"), a.Say("minutes"), a.Say("errors")}}
		for _, p := range m.Peers {
			name := p.Name
			if p.Own {
				name += " (" + a.Say("yours") + ")"
			}
			rows = append(rows, []string{name, figure(p.In), figure(p.Out), figure(p.Calls), figure(p.Uptime), figure(p.Errors)})
		}
		if len(m.Peers) > 0 {
			a.Term.Table(rows)
		}
	}
}

// figure writes a number, or that it is not known.
func figure(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

func (a *app) pingCommand() *cobra.Command {
	var priorities []string
	cmd := &cobra.Command{
		Use:   "ping",
		Short: "Measure the way to the other members' nodes",
		Long: "Measure the way to the other members' nodes: a real round trip to each that is online,\n" +
			"which nobody there sees, and whether messages are pushed to you. Exit status 4 if a\n" +
			"node that is online does not answer.",
		Example: "claudemesh ping --priority now,next,low",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := overview.PingRequest{}
			for _, p := range priorities {
				if p != "now" && p != "next" && p != "low" {
					return run.Usage("name some of now, next, low, separated by commas", "--priority %q is none of now, next, low", p)
				}
				in.Priorities = append(in.Priorities, overview.Priority(p))
			}
			var err error
			if in.InMesh, err = a.InMesh(cmd.Context()); err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, overview.Ping, in)
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			if err := run.Show(a.App, out, run.ItsText[overview.PingResponse](a.App)); err != nil {
				return err
			}
			if unanswered(out) > 0 {
				return run.Verdict(run.ExitNetwork)
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&priorities, "priority", nil, "the `priorities` to try: now, next, low (default now,next)")
	return cmd
}

// unanswered counts the round trips that did not come back.
func unanswered(r overview.PingResponse) int {
	n := 0
	for _, p := range r.Priorities {
		for _, t := range p.Trips {
			if t.Error != "" {
				n++
			}
		}
	}
	return n
}
