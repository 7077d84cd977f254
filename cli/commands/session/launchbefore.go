package session

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/launch"
	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
)

// beforehand is what is known of a session before anybody is asked: what flags say, then
// what the conversation was launched as before, then, if somebody is there to see it,
// what was chosen last.
func (a *app) beforehand(cmd *cobra.Command, f launchFlags, set settings.Settings, way launch.Way) (*flow.Session, error) {
	s := &flow.Session{
		Speech: a.Term.Say,
		Mesh:   a.Mesh, Link: run.AsLink(f.join), Folder: workFolder(), Unasked: f.unasked, Resumes: resumes(f), Online: -1,
		Name: said(cmd, "name", f.name), Role: said(cmd, "role", f.role), Groups: said(cmd, "groups", f.groups), Mode: said(cmd, "message-mode", f.mode),
		User: a.userName(set),
	}
	if err := judge(s); err != nil {
		return nil, err
	}
	if l, ok := a.launchedBefore(f); ok {
		fill(s, l, true)
	}
	last := a.LastUsed()
	s.Last = last.Mesh
	if way != launch.Nobody {
		fill(s, last, false)
	}
	if !s.Mode.Known {
		s.Mode = flow.Say("") // as set: that is asked only by who wants to change it
	}
	return s, nil
}

// fill takes over what was chosen before, where nothing is said now. The mesh is only
// taken over for a conversation, or as what is chosen among several.
func fill(s *flow.Session, l run.LastUsed, sure bool) {
	if sure && s.Mesh == "" && s.Link == "" {
		s.Mesh = l.Mesh
	}
	for _, one := range []struct {
		to   *flow.Text
		from *string
	}{{&s.Name, l.Name}, {&s.Role, l.Role}, {&s.Groups, l.Groups}, {&s.Mode, l.Mode}} {
		if !one.to.Known && one.from != nil {
			*one.to = flow.Say(*one.from)
		}
	}
}

// said is a flag's answer, if it was given.
func said(cmd *cobra.Command, name, value string) flow.Text {
	return flow.Text{Value: value, Known: cmd.Flags().Changed(name)}
}

// judge refuses what no question would take, and names the flag.
func judge(s *flow.Session) error {
	for _, e := range flow.Launch(run.IsLink) {
		given := map[string]*flow.Text{"name": &s.Name, "role": &s.Role, "groups": &s.Groups, "mode": &s.Mode}[e.ID]
		if given == nil || !given.Known {
			continue
		}
		if err := e.Answer(&flow.Session{}, given.Value); err != nil {
			return run.Usage("`claudemesh launch --help` explains it", "%s: %w", e.Flag, op.AsError(err))
		}
	}
	return nil
}

// resumes says which conversation goes on.
func resumes(f launchFlags) string {
	switch {
	case f.resume != "":
		return f.resume
	case f.goOn:
		return "the newest conversation of this folder"
	}
	return ""
}

// userName is the name by which the person is known where they said nothing else.
func (a *app) userName(set settings.Settings) string {
	host, _ := os.Hostname()
	return run.First(set.DisplayName.Value, a.Env.Getenv("USER"), a.Env.Getenv("USERNAME"), host, "me")
}
