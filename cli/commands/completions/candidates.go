package completions

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// completionLimit is how long a node may take to tell names to a shell: together with
// the start of this program nobody notices it.
const completionLimit = 60 * time.Millisecond

// others are placeholders that mean something else in a command of this path.
var others = map[string]string{
	"claudemesh group join <name>":  "group",
	"claudemesh group leave <name>": "group",
	"claudemesh config get <key>":   "setting",
	"claudemesh config set <key>":   "setting",
	"claudemesh config unset <key>": "setting",
}

// flagValues are what flags of these names take, wherever they are.
var flagValues = map[string]place{
	"approve":         {names: []string{"plan", "read-only", "write", "yolo"}},
	"mesh":            {names: []string{"mesh"}},
	"session":         {names: []string{"session"}},
	"member":          {names: []string{"peer"}},
	"message-mode":    {names: []string{"push", "inbox", "off"}},
	"groups":          {names: []string{"groupname"}, list: true},
	"agent":           {names: []string{"agent", "all"}, list: true},
	"tools":           {names: []string{"full", "core", "none"}},
	"prefix":          {names: []string{"key"}},
	"passphrase-file": {names: []string{"file"}},
}

// flagPlaces are the flags of a command whose values are known.
func flagPlaces(cmd *cobra.Command) map[string]place {
	out := map[string]place{}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		list := strings.HasSuffix(f.Value.Type(), "Slice")
		switch at, known := flagValues[f.Name]; {
		case len(f.Annotations[run.ValuesOf]) > 0:
			out[f.Name] = place{names: f.Annotations[run.ValuesOf], list: list}
		case f.Name == "priority":
			out[f.Name] = place{names: []string{"now", "next", "low"}, list: list}
		case known:
			out[f.Name] = at
		}
	})
	return out
}

// candidates are the words that can be typed at a place and begin with word.
func (a *app) candidates(at place, word string) []string {
	before := ""
	if i := strings.LastIndexByte(word, ','); at.list && i >= 0 {
		before, word = word[:i+1], word[i+1:]
	}
	var out []string
	for _, name := range at.names {
		if source, ok := sources[name]; ok {
			out = append(out, source(a, word)...)
		} else if len(at.names) > 1 {
			out = append(out, name)
		}
	}
	out = slices.DeleteFunc(out, func(one string) bool { return !strings.HasPrefix(one, word) || !harmless(one) })
	slices.Sort(out)
	out = slices.Compact(out)
	for i := range out {
		out[i] = before + out[i]
	}
	return out
}

// acts are characters with which a shell does something when it reads a word.
const acts = "$`\\;&|<>(){}!\"'"

// harmless tells whether a word may be offered to a shell. Peers choose names and keys, and
// shells put what several of them begin with on the line as it is: bash evaluates that
// line when it completes again.
func harmless(word string) bool {
	return word != "" && word[0] != '-' && !strings.HasPrefix(word, "_activeHelp_") && !strings.ContainsAny(word, acts) &&
		strings.IndexFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// sources find what placeholders stand for. They return nothing rather than fail.
var sources = map[string]func(a *app, word string) []string{
	"mesh":      (*app).meshNames,
	"peer":      (*app).peerNames,
	"member":    (*app).peerNames,
	"admin":     (*app).peerNames,
	"session":   (*app).sessionNames,
	"group":     (*app).groupNames,
	"groupname": (*app).groupNames,
	"key":       (*app).stateKeys,
	"to": func(a *app, word string) []string {
		if !strings.HasPrefix(word, "@") {
			return append(a.peerNames(word), "@all")
		}
		out := []string{"@all"}
		for _, g := range a.groupNames("") {
			out = append(out, "@"+g)
		}
		return out
	},
	"cap": func(*app, string) []string {
		return []string{"read", "dm", "broadcast", "state-read", "state-write", "file-read"}
	},
	"operation": func(*app, string) (out []string) {
		for _, k := range node.Catalogue() {
			out = append(out, k.ID)
		}
		return out
	},
	"setting": func(*app, string) (out []string) {
		for _, k := range settings.Keys() {
			out = append(out, k.Name)
		}
		return out
	},
	"agent": func(*app, string) []string { return run.AgentNames() },
}

// asking calls fn with a way to ask the node, if there is one, and gives it little time.
func (a *app) asking(fn func(context.Context, op.Doer)) {
	a.Quiet = true
	dir, err := a.Dir()
	if err != nil {
		return
	}
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	defer client.Close()
	if token, ok := agent.Tokens(dir).Get(agent.ID(a.Env.Getenv)); ok {
		client = client.As(token)
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionLimit)
	defer cancel()
	fn(ctx, client)
}

func (a *app) meshNames(string) (out []string) {
	a.asking(func(ctx context.Context, node op.Doer) { out = meshSlugs(ctx, node) })
	return out
}

func meshSlugs(ctx context.Context, node op.Doer) (out []string) {
	found, err := mesh.List.Call(ctx, node, op.Caller{}, mesh.ListRequest{})
	if err != nil {
		return nil
	}
	for _, m := range found.Meshes {
		out = append(out, m.Slug)
	}
	return out
}

// inQuestion are the meshes that a command about one may mean, as OneMesh has it.
func (a *app) inQuestion(ctx context.Context, node op.Doer) []string {
	if a.Mesh != "" {
		return []string{a.Mesh}
	}
	slugs := meshSlugs(ctx, node)
	if last := a.LastMesh(); slices.Contains(slugs, last) {
		return []string{last}
	}
	return slugs
}

func (a *app) peers(all bool) (out []presence.Peer) {
	a.asking(func(ctx context.Context, node op.Doer) {
		found, err := presence.Peers.Call(ctx, node, op.Caller{}, presence.PeersRequest{InMesh: op.InMesh{Mesh: a.Mesh}, All: all})
		if err != nil {
			return
		}
		for _, m := range found.Meshes {
			out = append(out, m.Peers...)
		}
	})
	return out
}

// peerNames are the names of sessions and of members.
func (a *app) peerNames(string) []string {
	names := map[string]bool{}
	for _, p := range a.peers(true) {
		names[p.Name], names[p.Member] = true, true
	}
	return slices.Collect(maps.Keys(names))
}

// sessionNames are the user's own sessions.
func (a *app) sessionNames(string) (out []string) {
	for _, p := range a.peers(false) {
		if p.Own != "" {
			out = append(out, p.Name)
		}
	}
	return out
}

func (a *app) groupNames(string) (out []string) {
	a.asking(func(ctx context.Context, node op.Doer) {
		for _, slug := range a.inQuestion(ctx, node) {
			found, err := presence.Groups.Call(ctx, node, op.Caller{}, presence.GroupsRequest{InMesh: op.InMesh{Mesh: slug}})
			if err != nil {
				return
			}
			for _, g := range found.Groups {
				out = append(out, g.Name)
			}
		}
	})
	return out
}

func (a *app) stateKeys(word string) (out []string) {
	a.asking(func(ctx context.Context, node op.Doer) {
		for _, slug := range a.inQuestion(ctx, node) {
			found, err := state.List.Call(ctx, node, op.Caller{}, state.ListRequest{InMesh: op.InMesh{Mesh: slug}, Prefix: word})
			if err != nil {
				return
			}
			for _, v := range found.Entries {
				out = append(out, v.Key)
			}
		}
	})
	return out
}
