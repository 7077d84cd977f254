package meshes

import (
	"context"
	"errors"
	"net/mail"
	"net/netip"
	"strings"

	"github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) newCommand() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use: "new <name>", Aliases: []string{"create"},
		Short:   "Make a mesh on this machine",
		Example: "claudemesh new first-light",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := run.Call(cmd.Context(), a.App, mesh.New, mesh.NewRequest{Name: args[0], Member: as})
			if err != nil {
				return err
			}
			a.Used(out.Slug)
			return run.Show(a.App, newDoc{Short: out.ID, NewResponse: out}, func(newDoc) {
				a.Term.Line("%s Made mesh %s. You are %s, its owner.", term.Green(term.OK), term.Bold(out.Slug), term.Bold(out.Member))
				a.Term.Line("%s Invite somebody: %s", term.To, term.Cyan("claudemesh invite"))
			})
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "your `name` in it (default: displayName of config.json, else user-host)")
	return cmd
}

// newDoc adds the short name that scripts use for the id.
type newDoc struct {
	Short string `json:"id"`
	mesh.NewResponse
}

// inviting is what `invite` was asked for.
type inviting struct {
	mesh.InviteRequest
	byCode, qr, noQR bool
	email            []string // whom it is for: one, or nobody in particular
}

func (a *app) inviteCommand() *cobra.Command {
	var in inviting
	cmd := &cobra.Command{
		Use: "invite [email]", Aliases: []string{"share"},
		Short: "Make a link with which somebody can join",
		Long: "Make a link with which somebody can join. The link works while this machine can be\n" +
			"reached at one of the addresses in it, and whoever has it can join.",
		Example: "claudemesh invite --expires 12h --uses 3",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.email = args
			if err := in.check(); err != nil {
				return err
			}
			if in.Mesh, err = a.OneMesh(cmd.Context()); err != nil {
				return err
			}
			if !in.byCode {
				return a.inviteByLink(cmd.Context(), in)
			}
			if !cmd.Flags().Changed("expires") {
				in.Expires = ""
			}
			return a.inviteByCode(cmd.Context(), in.InviteRequest)
		},
	}
	cmd.Flags().StringVar(&in.Expires, "expires", "7d", "how `long` it is good for, at most 30d")
	cmd.Flags().IntVar(&in.Uses, "uses", 1, "how `many` people may use it")
	cmd.Flags().StringVar(&in.Role, "role", "member", "what they `become`: member or admin")
	cmd.Flags().BoolVar(&in.qr, "qr", false, "print a QR code of the link, also into a file or a pipe")
	cmd.Flags().BoolVar(&in.noQR, "no-qr", false, "print none; on a terminal that is wide enough there is one")
	cmd.Flags().BoolVar(&in.byCode, "code", false, "make a code to speak instead: for one person on this network, 10 minutes")
	presetFlags(cmd, &in.InviteRequest)
	return cmd
}

// check refuses what needs no node to be seen as wrong.
func (in inviting) check() error {
	switch {
	case in.Uses < 1:
		return run.Usage("give --uses a number from 1 to 1000", "--uses cannot be %d", in.Uses)
	case len(in.email) > 0 && !isEmail(in.email[0]):
		return run.Usage("type `claudemesh invite` alone to make a link", "%q is no e-mail address", in.email[0])
	case in.qr && (in.noQR || in.byCode):
		return run.Usage("give --qr alone", "--qr is for a link, and does not go with --no-qr")
	}
	return nil
}

// inviteByLink makes a link and shows it.
func (a *app) inviteByLink(ctx context.Context, in inviting) error {
	out, err := run.Call(ctx, a.App, mesh.Invite, in.InviteRequest)
	if err != nil {
		return err
	}
	a.Used(a.Mesh)
	doc := inviteDoc{
		InviteResponse: out, URL: out.Link, Code: strings.TrimPrefix(out.Link, run.JoinPrefix),
		Copied: a.Term.OutTTY() && a.CopyText(ctx, out.Link),
	}
	err = run.Show(a.App, doc, func(d inviteDoc) {
		a.printInvite(d, in.email)
		if in.qr || !in.noQR && !a.Quiet && a.Term.OutTTY() {
			a.printQR(d.Link, in.qr)
		}
	})
	if err == nil {
		err = a.Term.Shown()
	}
	if errors.Is(err, term.ErrWrite) {
		return op.Errorf(op.Internal, "%w", a.Term.Shown()).
			WithHint("the link was made and not shown: make another; `claudemesh invites` lists them, `claudemesh uninvite` takes one back")
	}
	return err
}

// isEmail tells whether a word is an e-mail address and nothing else.
func isEmail(word string) bool {
	a, err := mail.ParseAddress(word)
	return err == nil && a.Address == word
}

// inviteDoc adds the names that scripts know an invite by.
type inviteDoc struct {
	URL  string `json:"url"`
	Code string `json:"code"`
	mesh.InviteResponse
	Emailed bool `json:"emailed"`
	Copied  bool `json:"copied"`
}

// printInvite puts the link alone on stdout, so that a shell can take it; what it is
// worth is a note.
func (a *app) printInvite(d inviteDoc, to []string) {
	a.Term.Bare(d.Link)
	if len(to) > 0 {
		a.Term.Warn("Nothing was sent to %s: this build sends no e-mail. Pass the link on yourself.", to[0])
	}
	a.Term.Note("%s For %s, as %s of %s, until %s.", term.Green(term.OK), a.Count(d.Uses, "person", "people"), d.Role, term.Bold(d.Mesh), run.Day(d.Expires))
	if d.Copied {
		a.Term.Note("  It is in your clipboard, too.")
	}
	a.Term.Note("%s They run %s while this machine can be reached.", term.To, term.Cyan("claudemesh join <link>"))
	a.Term.Note("  Anyone who has the link can join.")
	if onlyHere(d.Addresses) {
		a.Term.Warn("It holds addresses of this machine alone, so it works here only: this node listens where nobody else reaches it.")
	}
}

// printQR shows the link as a QR code. That there is no room for it is told to who has
// asked for it.
func (a *app) printQR(link string, asked bool) {
	if err := a.Term.QR(link); err != nil && asked {
		a.Term.Warn("There is no QR code: %s.", err)
	}
}

// onlyHere tells whether no address leads here from elsewhere.
func onlyHere(addrs []string) bool {
	for _, text := range addrs {
		m, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			return false
		}
		for _, code := range []int{multiaddr.P_IP4, multiaddr.P_IP6} {
			host, err := m.ValueForProtocol(code)
			if err != nil {
				continue
			}
			if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
				return false
			}
		}
	}
	return true
}

func (a *app) joinCommand() *cobra.Command {
	var as, at string
	cmd := &cobra.Command{
		Use: "join <link>", Aliases: []string{"add"},
		Short: "Join a mesh by an invite link or a spoken code",
		Long: "Join a mesh by an invite link or a spoken code. The inviter's machine must be reachable;\n" +
			"for a code, on the same network, or at the address that --at gives. A code takes one\n" +
			"guess. The link alone, as the only word behind claudemesh, does the same.",
		Example: "claudemesh join " + run.JoinPrefix + "…\nclaudemesh join 4-tiger-harbor",
		Args:    run.Words(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if word := strings.Join(args, "-"); run.Spoken.MatchString(word) {
				return a.join(cmd.Context(), word, as, at)
			}
			if len(args) > 1 {
				return run.Usage("give the link alone", "%d words are no link and no code", len(args))
			}
			return a.join(cmd.Context(), args[0], as, at)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "with a code: where the inviter's node is, `HOST:PORT`")
	cmd.Flags().StringVar(&as, "as", "", "the `name` you wish for (default: displayName of config.json, else user-host)")
	return cmd
}

// Join joins a mesh by a link, under the name as if there is one, and shows what came of
// it.
func Join(ctx context.Context, in *run.App, link, as string) error {
	return (&app{in}).join(ctx, link, as, "")
}

func (a *app) join(ctx context.Context, link, as, at string) error {
	defer a.Term.Progress("asking the inviter's node")()
	out, err := run.Call(ctx, a.App, mesh.Join, mesh.JoinRequest{Link: run.AsLink(link), Member: as, At: at})
	if err != nil {
		return err
	}
	a.Used(out.Slug)
	return run.Show(a.App, out, func(mesh.JoinResponse) {
		if out.Already {
			a.Term.Line("%s You are in mesh %s already, as %s.", term.Green(term.OK), term.Bold(out.Slug), term.Bold(out.Member))
			return
		}
		a.Term.Line("%s Joined mesh %s as %s, invited by %s.", term.Green(term.OK), term.Bold(out.Slug), term.Bold(out.Member), out.InvitedBy)
		a.Term.Line("  member key %s · mesh id %s", run.Short(out.MemberKey), out.ID)
		a.Term.Line("%s See who is there: %s", term.To, term.Cyan("claudemesh peers"))
	})
}

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List the meshes you are in",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := run.Call(cmd.Context(), a.App, mesh.List, mesh.ListRequest{})
			if err != nil {
				return err
			}
			return run.Show(a.App, listDocOf(out), func(listDoc) {
				if len(out.Broken) == 0 || len(out.Meshes) > 0 {
					a.printMeshes(out.Meshes)
				}
				for _, b := range out.Broken {
					a.Term.Note("%s %s cannot be used: %s", term.Red(term.Bad), b.ID, b.Reason)
				}
			})
		},
	}
}

// listDoc adds the names that scripts know a mesh's facts by.
type listDoc struct {
	Meshes []listed      `json:"meshes"`
	Broken []mesh.Broken `json:"broken,omitempty"`
}

type listed struct {
	mesh.Info
	MemberCount int  `json:"memberCount"`
	IsOwner     bool `json:"isOwner"`
	Local       bool `json:"local"`
	Server      bool `json:"server"`
}

func listDocOf(r mesh.ListResponse) listDoc {
	d := listDoc{Meshes: []listed{}, Broken: r.Broken}
	for _, m := range r.Meshes {
		d.Meshes = append(d.Meshes, listed{Info: m, MemberCount: m.Members, IsOwner: m.Role == "owner", Local: true})
	}
	return d
}

func (a *app) printMeshes(meshes []mesh.Info) {
	if len(meshes) == 0 {
		a.NoMesh()
		return
	}
	slug, member := 0, 0
	for _, m := range meshes {
		slug, member = max(slug, len(m.Slug)), max(member, len(m.Member)+len(m.Role)+3)
	}
	for _, m := range meshes {
		who := term.Dim(m.Member + " (" + m.Role + ")")
		hue, trouble := term.Green, m.Trouble()
		if trouble.String() != "" {
			hue = term.Red
		}
		a.Term.Line("%s %s  %s  members: %-3d %s", hue(term.Dot), term.Bold(m.Slug).Pad(slug), who.Pad(member), m.Members, term.Dim(m.ID))
		if trouble.String() == "" {
			continue
		}
		a.Term.Line("    %s", trouble)
		if m.Elsewhere != nil && m.Removed == nil {
			a.Term.Line("    %s Go on there, and `claudemesh leave %s` here; `claudemesh doctor` tells how to come back.", term.To, m.Slug)
		} else {
			a.Term.Line("    %s Only an admin can let you in again; `claudemesh leave %s` forgets it here.", term.To, m.Slug)
		}
	}
}

func (a *app) leaveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "leave <mesh>",
		Short:   "Leave a mesh and remove its keys from this machine",
		Example: "claudemesh leave first-light",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := run.Call(cmd.Context(), a.App, mesh.Leave, mesh.LeaveRequest{Mesh: args[0], Force: force})
			if err != nil {
				return err
			}
			return run.Show(a.App, out, func(mesh.LeaveResponse) {
				a.Term.Line("%s Left mesh %s; its keys are gone from this machine.", term.Green(term.OK), term.Bold(out.Slug))
				a.Term.Line("  Nodes told: %d. The others learn it from them.", out.Told)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "as its owner: forget it on this machine although others are in it")
	return cmd
}

// presetFlags are what an invite gives beside a role.
func presetFlags(cmd *cobra.Command, in *mesh.InviteRequest) {
	cmd.Flags().StringVar(&in.Name, "name", "", "the `name` the newcomer gets")
	cmd.Flags().StringVar(&in.RoleTag, "role-tag", "", "`what` its sessions do, as others see it")
	cmd.Flags().StringSliceVar(&in.Groups, "groups", nil, "`groups` its sessions start in, with commas")
	cmd.Flags().StringVar(&in.Mode, "message-mode", "", "how messages reach its sessions: push, inbox or off")
}
