package meshes

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

func (a *app) renameCommand() *cobra.Command {
	var here bool
	cmd := &cobra.Command{
		Use:   "rename <mesh> <name>",
		Short: "Give a mesh another name",
		Long: "Give a mesh another name, for everybody in it, as its owner or an admin: every machine takes\n" +
			"the name over as it hears of it, unless it has a name of its own. With --here only this\n" +
			"machine calls it so, whoever you are; its present name for all, with --here, ends that.",
		Example: "claudemesh rename first-light dawn\nclaudemesh rename first-light work --here",
		Args:    run.Words(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := run.Call(cmd.Context(), a.App, mesh.Rename, mesh.RenameRequest{Mesh: args[0], Name: args[1], Here: here})
			if err != nil {
				return err
			}
			a.Used(out.Slug)
			return run.Show(a.App, out, func(r mesh.RenameResponse) { a.Answer(r) })
		},
	}
	cmd.Flags().BoolVar(&here, "here", false, "on this machine alone")
	return cmd
}

// deleteDoc says what became of a mesh.
type deleteDoc struct {
	Slug string `json:"slug"`
	// Where is "here" or "everywhere".
	Where string `json:"where"`
	// Forgotten tells that the mesh and its keys are gone from this machine.
	Forgotten bool          `json:"forgotten"`
	Removed   []mesh.Person `json:"removed"`
	Waiting   []mesh.Person `json:"waiting"`
	Told      int           `json:"told"`
}

func (a *app) deleteCommand() *cobra.Command {
	var everywhere string
	cmd := &cobra.Command{
		Use: "delete [mesh]", Aliases: []string{"rm"},
		Short: "Take a mesh off this machine, or end it for everybody",
		Long: "Take a mesh off this machine, with its keys; or, as its owner, end it everywhere: everybody\n" +
			"else is removed, and once their machines have heard of it, it is forgotten here. It asks which.\n" +
			"--yes means this machine alone. Without a terminal, --everywhere with the mesh's name again\n" +
			"means everywhere. What others had stays readable to them.",
		Example: "claudemesh delete first-light",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.meshToDelete(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("everywhere") {
				if err := sameSlug(everywhere, m.Slug); err != nil {
					return err
				}
				return a.deleteEverywhere(cmd.Context(), m)
			}
			return a.deleteAsked(cmd.Context(), m)
		},
	}
	cmd.Flags().StringVar(&everywhere, "everywhere", "", "end it for everybody; give the mesh's `name` again")
	return cmd
}

// sameSlug holds what a person typed against the name of the mesh to end.
func sameSlug(typed, slug string) error {
	if strings.EqualFold(strings.TrimSpace(typed), slug) {
		return nil
	}
	return op.Errorf(op.Invalid, "%q is not %q: nothing was changed", typed, slug).WithHint("type the name of the mesh that is to end")
}

// meshToDelete is the mesh of that name, else that of --mesh, else the one a person
// picks. None is ever guessed.
func (a *app) meshToDelete(ctx context.Context, name string) (mesh.Info, error) {
	if name == "" {
		name = a.Mesh
	}
	out, err := run.Call(ctx, a.App, mesh.List, mesh.ListRequest{})
	if err != nil {
		return mesh.Info{}, err
	}
	if len(out.Meshes) == 0 {
		return mesh.Info{}, op.Errorf(op.NotFound, "you are in no mesh").WithHint("there is nothing to delete")
	}
	var slugs []string
	for _, m := range out.Meshes {
		if name != "" && (m.Slug == name || m.ID == name) {
			return m, nil
		}
		slugs = append(slugs, m.Slug)
	}
	if name != "" {
		return mesh.Info{}, op.Errorf(op.NotFound, "you are in no mesh named %q", name).WithHint("your meshes: %s", strings.Join(slugs, ", "))
	}
	i, err := a.Term.ChooseOr(ctx, "Which mesh?", append(slugs, "cancel"), len(slugs))
	switch {
	case ctx.Err() != nil:
		return mesh.Info{}, ctx.Err()
	case err != nil:
		return mesh.Info{}, op.Errorf(op.Invalid, "no mesh was named").WithHint("name one of: %s", strings.Join(slugs, ", "))
	case i == len(slugs):
		return mesh.Info{}, run.NothingDone()
	}
	return out.Meshes[i], nil
}

// deleteAsked asks where, and does it.
func (a *app) deleteAsked(ctx context.Context, m mesh.Info) error {
	if a.Yes {
		return a.deleteHere(ctx, m)
	}
	choices := []string{"this machine alone"}
	if m.Role == "owner" {
		if m.Members > 1 {
			choices[0] += ": the others stay in a mesh without an owner"
		}
		choices = append(choices, "everywhere: everybody else is removed")
	}
	cancel := len(choices)
	i, err := a.Term.ChooseOr(ctx, "Delete "+m.Slug+"?", append(choices, "cancel"), cancel)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return op.Errorf(op.Denied, "nobody can be asked where to delete %s", m.Slug).
			WithHint("add --yes for this machine alone, or, as the owner, --everywhere %s", m.Slug)
	case i == cancel:
		return run.NothingDone()
	case i == 0:
		return a.deleteHere(ctx, m)
	}
	typed, err := a.Term.Ask(ctx, "Type "+m.Slug+" to end it for everybody:")
	if err != nil || strings.TrimSpace(typed) == "" {
		return run.NothingDone()
	}
	if err := sameSlug(typed, m.Slug); err != nil {
		return err
	}
	return a.deleteEverywhere(ctx, m)
}

// deleteHere forgets a mesh on this machine, and tells the others.
func (a *app) deleteHere(ctx context.Context, m mesh.Info) error {
	a.Asks = op.Phrasef("Delete %s from this machine?", m.Slug)
	out, err := run.Call(ctx, a.App, mesh.Leave, mesh.LeaveRequest{Mesh: m.ID, Force: true})
	if err != nil {
		return err
	}
	doc := deleteDoc{Slug: m.Slug, Where: "here", Forgotten: true, Removed: []mesh.Person{}, Waiting: []mesh.Person{}, Told: out.Told}
	return run.Show(a.App, doc, func(deleteDoc) {
		a.Term.Line("%s Deleted mesh %s from this machine; its keys are gone.", term.Green(term.OK), term.Bold(m.Slug))
		if m.Role == "owner" && m.Members > 1 {
			a.Term.Line("  The others stay in it, and nobody can take over as owner.")
			return
		}
		a.Term.Line("  Nodes told: %d. The others learn it from them.", out.Told)
	})
}

// deleteEverywhere ends a mesh.
func (a *app) deleteEverywhere(ctx context.Context, m mesh.Info) error {
	a.Asks = op.Phrasef("End %s for everybody?", m.Slug)
	out, err := run.Call(ctx, a.App, mesh.Close, mesh.CloseRequest{Mesh: m.ID})
	if err != nil {
		return err
	}
	doc := deleteDoc{Slug: m.Slug, Where: "everywhere", Forgotten: out.Forgotten, Removed: out.Removed, Waiting: out.Waiting}
	return run.Show(a.App, doc, func(d deleteDoc) {
		if len(d.Removed) > 0 {
			a.Term.Line("%s Removed from %s: %s.", term.Green(term.OK), term.Bold(m.Slug), people(d.Removed))
		}
		if d.Forgotten {
			a.Term.Line("%s Mesh %s is closed; its keys are gone from this machine.", term.Green(term.OK), term.Bold(m.Slug))
			return
		}
		a.Term.Warn("Not closed yet. These have not heard of it: %s.", people(d.Waiting))
		a.Term.Line("  This machine keeps %s to tell them when they appear. Until then they go on as before.", m.Slug)
		a.Term.Line("%s Run %s again later, or", term.To, term.Cyan("claudemesh delete "+m.Slug+" --everywhere "+m.Slug))
		a.Term.Line("  %s to forget it here without telling them.", term.Cyan("claudemesh delete "+m.Slug+" --yes"))
	})
}

// people are names with commas between.
func people(all []mesh.Person) string {
	names := make([]string, 0, len(all))
	for _, p := range all {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
