package nodes

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// reachLimit is how long a mesh may take to answer: longer than a ping in which members
// do not.
const reachLimit = 9 * time.Second

// statusCommand looks at everything at once. What a session does, which is set below it,
// is in people.
func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Look whether everything works: settings, node, each mesh",
		Long: "Look whether everything works: the version, the settings file, and for each mesh whether\n" +
			"another member's node answers. Exit status 1 if in one of them none does.",
		Example: "claudemesh status --json\nclaudemesh status set dnd",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return run.UnknownWord(cmd, args[0])
			}
			return a.lookAtAll(cmd.Context())
		},
	}
}

// statusDoc is what status found.
type statusDoc struct {
	OK      bool        `json:"ok"`
	Version string      `json:"version"`
	System  string      `json:"system"`
	Config  configFile  `json:"config"`
	Node    nodeDoc     `json:"node"`
	Meshes  []reachable `json:"meshes"`
}

// configFile is the state of the settings file.
type configFile struct {
	Path   string `json:"path"`
	Exists bool   `json:"exists"`
	Mode   string `json:"mode,omitempty"`
	// Open tells that others than the user may look into it.
	Open bool `json:"open"`
}

// reachable is what status found out about a mesh.
type reachable struct {
	Slug string `json:"slug"`
	ID   string `json:"mesh_id"`
	Key  string `json:"member_key"`
	OK   bool   `json:"reachable"`
	MS   string `json:"rtt,omitempty"`
	// Members counts the others whose nodes are online, Online their sessions that are.
	Members int    `json:"membersOnline"`
	Online  int    `json:"peersOnline"`
	What    string `json:"connection"`

	said op.Phrase // What, where it is a sentence
}

// lookAtAll is the status command.
func (a *app) lookAtAll(ctx context.Context) error {
	doc := statusDoc{OK: true, Version: a.Env.Version, System: runtime.GOOS + "/" + runtime.GOARCH, Meshes: []reachable{}}
	dir, _, err := a.Loaded()
	if err != nil {
		return err
	}
	if doc.Config, err = lookAtFile(dir); err != nil {
		return err
	}
	client, err := a.Connect(ctx)
	if err != nil {
		return err
	}
	if doc.Node, err = a.lookAtNode(ctx); err != nil {
		return err
	}
	stop := a.Term.Progress("asking the other nodes")
	doc.Meshes, err = a.reach(ctx, client)
	stop()
	if err != nil {
		return err
	}
	for _, m := range doc.Meshes {
		doc.OK = doc.OK && m.OK
	}
	if err := run.Show(a.App, doc, a.printStatusDoc); err != nil {
		return err
	}
	if !doc.OK {
		return run.Verdict(run.ExitCancelled)
	}
	return nil
}

// lookAtFile looks at the settings file, which may be missing.
func lookAtFile(dir string) (configFile, error) {
	mode, exists, err := settings.FileMode(dir)
	if err != nil {
		return configFile{}, op.Errorf(op.Unavailable, "%w", err).WithHint("the claudemesh folder and all in it must be yours to read and write")
	}
	f := configFile{Path: settings.Path(dir), Exists: exists}
	if exists {
		f.Mode, f.Open = fmt.Sprintf("%04o", mode), mode&0o077 != 0 && runtime.GOOS != "windows"
	}
	return f, nil
}

// reach asks each mesh, all at the same time.
func (a *app) reach(ctx context.Context, client *local.Client) ([]reachable, error) {
	who, err := presence.Whoami.Call(ctx, client, op.Caller{}, presence.WhoamiRequest{})
	if err != nil {
		return nil, err
	}
	found := make([]reachable, len(who.Meshes))
	var asked sync.WaitGroup
	for i, m := range who.Meshes {
		asked.Go(func() {
			found[i] = reachable{Slug: m.Mesh, ID: m.MeshID, Key: m.MemberKey}
			ctx, cancel := context.WithTimeout(ctx, reachLimit)
			defer cancel()
			out, err := overview.Ping.Call(ctx, client, op.Caller{}, overview.PingRequest{
				InMesh: op.InMesh{Mesh: m.MeshID}, Priorities: []overview.Priority{overview.Now},
			})
			if err != nil {
				found[i].said = op.PhraseOf(op.AsError(err))
				found[i].What = found[i].said.String()
				return
			}
			found[i].MS, found[i].Members, found[i].Online, found[i].What = roundTrip(out), out.Members, out.Online, out.Connection
			found[i].OK = found[i].MS != "" || out.Connection == "empty"
		})
	}
	asked.Wait()
	lost, err := unusable(ctx, client)
	if err != nil {
		return nil, err
	}
	found = append(found, lost...)
	kept := []reachable{}
	for _, m := range found {
		if a.Mesh == "" || m.Slug == a.Mesh || strings.HasPrefix(m.ID, a.Mesh) {
			kept = append(kept, m)
		}
	}
	if a.Mesh != "" && len(kept) == 0 {
		return nil, op.Errorf(op.NotFound, "you are in no mesh %q", a.Mesh).WithHint("`claudemesh list` shows yours")
	}
	return kept, nil
}

// unusable are the meshes in which nothing is sent or received any more, as the own
// member was removed there or has its home elsewhere.
func unusable(ctx context.Context, client *local.Client) (out []reachable, err error) {
	all, err := mesh.List.Call(ctx, client, op.Caller{}, mesh.ListRequest{})
	for _, m := range all.Meshes {
		if why := m.Trouble(); why.String() != "" {
			out = append(out, reachable{Slug: m.Slug, ID: m.ID, Key: m.MemberKey, What: why.String(), said: why})
		}
	}
	return out, err
}

// connection is what a mesh's connection means to people.
func (a *app) connection(what string, said op.Phrase) string {
	switch what {
	case "connected":
		return a.Say("connected")
	case "empty":
		return a.Say("nobody else is a member yet")
	case "alone":
		return a.Say("no other member's node is reached: they are off, or the network is in the way")
	}
	if said.String() != "" {
		return said.In(a.Term.Say)
	}
	return what
}

func (a *app) printStatusDoc(d statusDoc) {
	a.Term.Line("claudemesh v%s %s", d.Version, term.Dim(d.System))
	file := d.Config.Path
	if d.Config.Exists {
		file += " (" + d.Config.Mode + ")"
	} else {
		file += " " + a.Say("(not there: all settings are the default)")
	}
	a.Term.Line("settings %s", file)
	if d.Config.Open {
		a.Term.Warn("%s can be read by others: chmod 600 %s", d.Config.Path, d.Config.Path)
	}
	a.Term.Line("%s node v%s, process %d", mark(d.Node.Running), d.Node.Version, d.Node.PID)
	if len(d.Meshes) == 0 {
		a.NoMesh()
	}
	for _, m := range d.Meshes {
		what := run.Joined(" · ", a.connection(m.What, m.said), m.MS, a.Count(m.Members, "other online", "others online"), a.Count(m.Online, "session", "sessions"))
		a.Term.Line("%s %s  %s %s", mark(m.OK), term.Bold(m.Slug), what, term.Dim(a.Fill("key %s", run.Short(m.Key))))
	}
}

// roundTrip is the fastest answer of a mesh, as people read it, or "".
func roundTrip(r overview.PingResponse) string {
	best := 0.0
	for _, p := range r.Priorities {
		for _, t := range p.Trips {
			if t.Error == "" && (best == 0 || t.MS < best) {
				best = t.MS
			}
		}
	}
	if best == 0 {
		return ""
	}
	return strconv.FormatFloat(best, 'f', 1, 64) + " ms"
}

// mark is a tick or a cross.
func mark(ok bool) term.Styled {
	if ok {
		return term.Green(term.OK)
	}
	return term.Red(term.Bad)
}
