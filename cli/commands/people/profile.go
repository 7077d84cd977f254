package people

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/profile"
	"github.com/claudemesh/claudemesh/node/op"
)

// profileFlags are what `profile` can change.
type profileFlags struct {
	member, name, role, groups, mode string
	avatar, title, bio, capabilities string
}

// profileCommand shows a profile, or changes it and shows what it is then.
func (a *app) profileCommand() *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Show or change what a member is known by",
		Long: "Show or change what a member is known by: without flags it shows your profile, with\n" +
			"--member somebody else's. An empty value clears. Live sessions follow at once.",
		Example: "claudemesh profile --role-tag reviewer --groups eng:lead,qa\nclaudemesh profile --message-mode inbox",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			edit, set, err := f.requests(cmd)
			if err != nil {
				return err
			}
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := a.profile(cmd.Context(), in, f.member, edit, set)
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, func(profileDoc) {
				for _, c := range out.Changes {
					a.Term.Line("%s", c)
				}
				a.printProfile(out)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.member, "member", "", "whose profile, by `name` or key; default yours")
	flags.StringVar(&f.name, "name", "", "the `name` to be known by")
	flags.StringVar(&f.role, "role-tag", "", "free `text`, as in reviewer")
	flags.StringVar(&f.groups, "groups", "", "the groups sessions begin in: `a:lead,b`")
	flags.StringVar(&f.mode, "message-mode", "", "`how` messages come: push, inbox or off")
	flags.StringVar(&f.avatar, "avatar", "", "an `emoji` or the web address of a picture")
	flags.StringVar(&f.title, "title", "", "a few `words`")
	flags.StringVar(&f.bio, "bio", "", "a few `sentences`")
	flags.StringVar(&f.capabilities, "capabilities", "", "what you can be asked for: `a,b`")
	return cmd
}

// profileDoc is a profile, and what was changed about it.
type profileDoc struct {
	Slug    string   `json:"mesh_slug"`
	Set     []string `json:"set,omitempty"`
	Cleared []string `json:"cleared,omitempty"`
	profile.Shown

	// Changes are the sentences about it.
	Changes []op.Phrase `json:"-"`
}

// printProfile shows what is set, a line each.
func (a *app) printProfile(d profileDoc) {
	own, admitted := "", ""
	if d.Own {
		own = " (" + a.Say("you") + ")"
	}
	if d.Admitted != "" {
		admitted = a.Fill("as %s", d.Admitted)
	}
	groups := make([]string, 0, len(d.Groups))
	for _, g := range d.Groups {
		groups = append(groups, g.Text())
	}
	a.Term.Line("%s%s in %s", term.Bold(run.Joined(" ", d.Avatar, d.Name)), own, d.Slug)
	for _, row := range [][2]string{
		{a.Say("admitted"), admitted}, {a.Say("title"), d.Title}, {a.Say("bio"), d.Bio}, {a.Say("capabilities"), strings.Join(d.Capabilities, ", ")},
		{a.Say("role"), d.RoleTag}, {a.Say("groups"), strings.Join(groups, ", ")}, {a.Say("messages"), d.Mode}, {a.Say("access"), d.Access},
		{a.Say("last seen"), d.Seen}, {a.Say("member id"), d.Member},
	} {
		if row[1] != "" {
			a.Term.Line("  %s %s", term.Dim(row[0]).Pad(12), row[1])
		}
	}
}

// requests are what the flags ask for: nil for what they do not.
func (f profileFlags) requests(cmd *cobra.Command) (*profile.EditRequest, *profile.SetRequest, error) {
	given := func(flag, value string) *string {
		if !cmd.Flags().Changed(flag) {
			return nil
		}
		return &value
	}
	edit := &profile.EditRequest{
		Member: f.member, Name: given("name", f.name), RoleTag: given("role-tag", f.role), Mode: given("message-mode", f.mode),
	}
	if cmd.Flags().Changed("groups") {
		groups := groupList(f.groups)
		edit.Groups = &groups
	}
	set := &profile.SetRequest{Avatar: given("avatar", f.avatar), Title: given("title", f.title), Bio: given("bio", f.bio)}
	if cmd.Flags().Changed("capabilities") {
		list := run.CommaList(f.capabilities)
		set.Capabilities = &list
	}
	if edit.Name == nil && edit.RoleTag == nil && edit.Mode == nil && edit.Groups == nil {
		edit = nil
	}
	if set.Avatar == nil && set.Title == nil && set.Bio == nil && set.Capabilities == nil {
		set = nil
	}
	switch {
	case set != nil && f.member != "":
		return nil, nil, run.Usage("leave out --member, or leave these to the member", "avatar, title, bio and capabilities can only be set for yourself")
	case f.mode != "" && settings.CheckMode(f.mode) != nil:
		return nil, nil, run.Usage("push gives messages at once, inbox hints at them, off says nothing", "--message-mode %q is none of push, inbox, off", f.mode)
	}
	return edit, set, nil
}

// profile changes what is to be changed and returns the profile.
func (a *app) profile(ctx context.Context, in op.InMesh, member string, edit *profile.EditRequest, set *profile.SetRequest) (profileDoc, error) {
	var doc profileDoc
	if edit != nil {
		edit.InMesh = in
		out, err := run.Call(ctx, a.App, profile.Edit, *edit)
		if err != nil {
			return doc, err
		}
		doc.add(out.Slug, out.Set, out.Cleared, out.Profile)
	}
	if set != nil {
		set.InMesh = in
		out, err := run.Call(ctx, a.App, profile.Set, *set)
		if err != nil {
			return doc, err
		}
		doc.add(out.Slug, out.Set, out.Cleared, out.Profile)
	}
	if edit != nil || set != nil {
		return doc, nil
	}
	out, err := run.Call(ctx, a.App, profile.Get, profile.GetRequest{InMesh: in, Member: member})
	doc.add(out.Slug, nil, nil, out.Shown)
	return doc, err
}

// add takes over what an operation did.
func (d *profileDoc) add(slug string, set, cleared []string, now profile.Shown) {
	d.Slug, d.Shown = slug, now
	d.Set, d.Cleared = append(d.Set, set...), append(d.Cleared, cleared...)
	if d.Groups == nil {
		d.Groups = []profile.Group{}
	}
	if d.Capabilities == nil {
		d.Capabilities = []string{}
	}
	if len(set) > 0 {
		d.Changes = append(d.Changes, op.Phrasef("Set: %s.", strings.Join(set, ", ")))
	}
	if len(cleared) > 0 {
		d.Changes = append(d.Changes, op.Phrasef("Cleared: %s.", strings.Join(cleared, ", ")))
	}
}

// groupList reads a:lead,b.
func groupList(text string) []profile.Group {
	groups := []profile.Group{}
	for _, one := range run.CommaList(text) {
		name, role, _ := strings.Cut(one, ":")
		groups = append(groups, profile.Group{Name: strings.TrimPrefix(strings.TrimSpace(name), "@"), Role: strings.TrimSpace(role)})
	}
	return groups
}
