package people

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) peersCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List the sessions and people you can message",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := run.Call(cmd.Context(), a.App, presence.Peers, presence.PeersRequest{InMesh: op.InMesh{Mesh: a.Mesh}, All: all})
			if err == nil && len(out.Meshes) == 0 {
				err = a.Outcast(cmd.Context())
			}
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, a.printPeers)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are away or offline")
	return cmd
}

// hues are the colours of what a session does.
var hues = map[string]func(string) term.Styled{
	"idle": term.Green, "working": term.Yellow, "dnd": term.Red, "online": term.Green, "away": term.Dim, "offline": term.Dim,
}

func (a *app) printPeers(r presence.PeersResponse) {
	if len(r.Meshes) == 0 {
		a.NoMesh()
		return
	}
	for i, m := range r.Meshes {
		if i > 0 {
			a.Term.Blank()
		}
		a.Term.Line("%s %s", term.Bold(m.Mesh), term.Dim(a.Count(len(m.Peers), "peer", "peers")))
		width := 0
		for _, p := range m.Peers {
			width = max(width, len([]rune(run.Joined(" ", p.Avatar, p.Name))))
		}
		for _, p := range m.Peers {
			a.printPeer(p, width)
		}
	}
	if !slices.ContainsFunc(r.Meshes, func(m presence.MeshPeers) bool { return len(m.Peers) > 0 }) {
		a.Term.Note("%s Nobody has a session open; --all shows everybody, and mail waits for them.", term.To)
	}
}

func (a *app) printPeer(p presence.Peer, width int) {
	doing := p.Status
	if p.State != "online" || p.Session == "" {
		doing = p.State
	}
	hue, ok := hues[doing]
	if !ok {
		hue = term.Dim
	}
	own := map[string]string{"this": a.Say("this session"), "yours": a.Say("your other session")}[p.Own]
	of, hidden, seen, node := "", "", "", ""
	switch {
	case p.Session == "":
		node = a.Say("no session")
	case p.State != "online" && p.MemberState == "online":
		node = a.Say("member online")
	}
	if p.Member != p.Name {
		of = a.Fill("of %s", p.Member)
	}
	if p.Hidden {
		hidden = a.Say("hidden")
	}
	if p.State != "online" && p.LastSeen != "" {
		seen = a.Fill("last seen %s", run.Clock(p.LastSeen, time.Now()))
	}
	said := ""
	if p.StatusSource != "" {
		said = a.Fill("%s %s ago", p.StatusSource, p.StatusAge)
	}
	facts := run.Joined(" · ", own, hidden, node, of, strings.Join(p.Groups, " "), p.Role, p.RoleTag, p.PeerType, p.Channel, p.Model,
		strings.TrimSpace(p.Path+" "+p.RTT), said, seen, run.Short(p.Session))
	if p.Verified {
		facts = run.Joined(" · ", facts, a.Say("verified"))
	}
	a.Term.Line("  %s %s  %s  %s", hue(term.Dot), term.Bold(run.Joined(" ", p.Avatar, p.Name)).Pad(width), hue(a.State(doing)).Pad(7), facts)
	if about := run.Joined(" · ", p.Title, p.Host, p.Cwd); about != "" {
		a.Term.Line("      %s", term.Dim(about))
	}
	if p.Summary != "" {
		a.Term.Line("      %s", p.Summary)
	}
	if p.Warning != "" {
		a.Term.Line("      %s", term.Red(a.Say("WARNING:")+" "+p.Warning))
	}
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Say who you are in each mesh",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := run.Call(cmd.Context(), a.App, presence.Whoami, presence.WhoamiRequest{})
			if err == nil && len(out.Meshes) == 0 {
				err = a.Outcast(cmd.Context())
			}
			if err != nil {
				return err
			}
			doc := whoamiDoc{Session: out.Session, Agent: out.Agent, Node: out.Node, Identities: out.Meshes}
			return run.Show(a.App, doc, func(whoamiDoc) { a.printWhoami(out) })
		},
	}
}

// whoamiDoc keeps the key "meshes" free, which scripts know as the counts of an
// account's meshes.
type whoamiDoc struct {
	SignedIn   bool                `json:"signed_in"`
	Session    string              `json:"session,omitempty"`
	Agent      string              `json:"agent_session,omitempty"`
	Node       string              `json:"node"`
	Identities []presence.Identity `json:"identities"`
}

func (a *app) printWhoami(r presence.WhoamiResponse) {
	if len(r.Meshes) == 0 {
		a.NoMesh()
	}
	for _, m := range r.Meshes {
		a.Term.Line("%s %s in %s (%s)", term.Green(term.Dot), term.Bold(m.Name), term.Bold(m.Mesh), m.Role)
		a.Term.Line("  member %s · session %s", run.Short(m.MemberKey), run.Short(m.SessionKey))
	}
	if r.Agent != "" {
		a.Term.Line("%s", term.Dim(a.Fill("acting as the agent session %s", r.Agent)))
	}
	a.Term.Line("%s", term.Dim(a.Fill("node %s", r.Node)))
}

func (a *app) summaryCommand() *cobra.Command {
	var of presence.OfSession
	return ofSession(&cobra.Command{
		Use:     "summary <text…>",
		Short:   "Tell the others what a session of yours works on",
		Example: "claudemesh summary reviewing the parser",
		Args:    run.Words(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := presence.SummaryRequest{InMesh: op.InMesh{Mesh: a.Mesh}, OfSession: of, Summary: strings.Join(args, " ")}
			out, err := run.Call(cmd.Context(), a.App, presence.Summary, in)
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, func(presence.SummaryResponse) {
				a.Term.Line("%s Summary set in %s.", term.Green(term.OK), strings.Join(out.Meshes, ", "))
			})
		},
	}, &of)
}
