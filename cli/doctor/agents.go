package doctor

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/op"
)

// claude is what the agent that everything is made for is called.
const claude = "claude"

// channelsSince is the first version of Claude Code that has channels.
var channelsSince = [3]int{2, 1, 80}

// claudeProgram finds Claude Code.
func (x *exam) claudeProgram() (string, error) {
	if named := x.Getenv("CLAUDE_BIN"); named != "" {
		return x.System.LookPath(named)
	}
	return x.System.LookPath(claude)
}

func lookForAgents(_ context.Context, x *exam) []Finding {
	var found, missing []string
	for _, a := range setup.Agents() {
		path, err := x.System.LookPath(a.Name)
		if a.Name == claude {
			path, err = x.claudeProgram()
		}
		if err == nil {
			found = append(found, a.Title+" "+path)
		} else {
			missing = append(missing, a.Title)
		}
	}
	if len(found) > 0 {
		return one(pass("%s", strings.Join(found, ", ")))
	}
	remedy := op.Word("install one, as Claude Code: npm install -g @anthropic-ai/claude-code; or set CLAUDE_BIN to where it is")
	if gone := x.gone(); gone != "" {
		return one(fail("%s is set up with claudemesh, and is no longer found on PATH", gone).
			hint("%s; `claudemesh uninstall` takes its settings back", remedy))
	}
	return one(warn("no coding agent is found on PATH: %s", strings.Join(missing, ", ")).hint("%s", remedy))
}

// gone is an agent that was on this machine and is set up with claudemesh. One that was set
// up for when it comes has left nothing of its own.
func (x *exam) gone() string {
	here := x.Setup.Detected()
	for _, a := range setup.Agents() {
		if slices.Contains(here, a.Name) && x.Setup.Has(a.Name) {
			return a.Title
		}
	}
	return ""
}

var versionOf = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`)

func lookAtClaudeVersion(ctx context.Context, x *exam) []Finding {
	path, err := x.claudeProgram()
	if err != nil {
		return one(skip("Claude Code is not found"))
	}
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said, _, err := x.System.Run(ctx, "", path, "--version")
	m := versionOf.FindStringSubmatch(said)
	if err != nil || m == nil {
		return one(warn("%s does not say its version", path).hint("run `claude --version` yourself; a broken installation is mended by installing it anew"))
	}
	var v [3]int
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // digits
	}
	if slices.Compare(v[:], channelsSince[:]) < 0 {
		return one(warn("Claude Code %s is too old for channels, which came with %d.%d.%d: messages reach its sessions by hooks alone", m[0], channelsSince[0], channelsSince[1], channelsSince[2]).
			hint("update it: claude update"))
	}
	return one(pass("Claude Code %s", m[0]))
}

// lookAtClaudeFiles looks whether the settings of Claude Code can be read.
func lookAtClaudeFiles(ctx context.Context, x *exam) []Finding {
	c, ok := x.claude(ctx)
	if !ok {
		return one(fail("the settings of Claude Code cannot be read in time").hint("is the home folder on a network drive that is away?"))
	}
	var out []Finding
	for _, f := range []struct {
		path string
		err  error
	}{{c.State, c.StateErr}, {c.Settings, c.SettingsErr}} {
		if f.err != nil {
			out = append(out, fail("%s cannot be read: %v", f.path, f.err).
				hint("correct it there; copies from before claudemesh changed it are in %s, Claude Code's own in ~/.claude/backups", x.in("setup")))
		}
	}
	if len(out) == 0 {
		return one(pass("%s, %s", c.State, c.Settings))
	}
	return out
}

// lookAtServers looks whether each agent starts our MCP server.
func lookAtServers(ctx context.Context, x *exam) []Finding {
	var out []Finding
	var good []string
	for _, name := range x.Setup.Detected() {
		found := x.server(ctx, name)
		if len(found) == 0 {
			good = append(good, name)
		}
		out = append(out, found...)
	}
	switch {
	case len(good) > 0:
		return append([]Finding{pass("registered with %s", strings.Join(good, ", "))}, out...)
	case len(out) == 0:
		return one(skip("there is no agent to be registered with"))
	}
	return out
}

// server says what is wrong with the entry of an agent.
func (x *exam) server(ctx context.Context, name string) []Finding {
	if name == claude {
		return x.claudeServer(ctx)
	}
	plan, err := x.Setup.Plan(name)
	if err != nil {
		return one(fail("%v", err).hint("%s", installFix(name)))
	}
	var out []Finding
	for _, c := range plan {
		switch {
		case !c.Main || c.Result == setup.Unchanged:
		case c.Result == setup.Refused:
			out = append(out, fail("%s cannot be read: %s", c.Path, op.Word(c.Note)).hint("correct it, then %s", installFix(name)))
		case c.Result == setup.Added:
			out = append(out, fail("the MCP server is not registered with %s: %s has no entry of it", name, c.Path).
				hint("%s", installFix(name)).by(x.install(name)))
		default:
			out = append(out, warn("the MCP server's entry in %s is not as install writes it", c.Path).hint("%s", installFix(name)).by(x.install(name)))
		}
	}
	return out
}

func installFix(name string) op.Phrase { return op.Phrasef("`claudemesh install --agent %s`", name) }

func (x *exam) claudeServer(ctx context.Context) []Finding {
	c, ok := x.claude(ctx)
	fix := installFix(claude)
	switch {
	case !ok || c.StateErr != nil:
		return one(skip("%s cannot be read", c.State))
	case c.Program == "" && c.Plugin:
		return nil
	case c.Program == "":
		return one(fail("the MCP server is not registered with claude: %s has no entry of it", c.State).hint("%s", fix).by(x.install(claude)))
	case len(c.Args) == 0 || c.Args[0] != "mcp":
		return one(fail("the MCP server's entry in %s starts %q", c.State, strings.TrimSpace(c.Program+" "+strings.Join(c.Args, " "))).
			hint("%s", fix).by(x.install(claude)))
	}
	path, err := x.System.LookPath(c.Program)
	switch {
	case err != nil:
		return one(fail("the MCP server's command in %s does not exist: %s", c.State, c.Program).hint("%s", fix).by(x.install(claude)))
	case !sameFile(path, x.Program):
		return one(warn("claude starts %s, and this program is %s", path, x.Program).hint("%s registers this one", fix).by(x.install(claude)))
	}
	return nil
}

// install runs install for an agent, once for all findings.
func (x *exam) install(name string) func(context.Context) (op.Phrase, error) {
	return func(context.Context) (op.Phrase, error) {
		x.mu.Lock()
		do := x.installs[name]
		if do == nil {
			do = new(sync.Once)
			x.installs[name] = do
		}
		x.mu.Unlock()
		do.Do(func() { x.installed[name] = x.installNow(name) })
		if err := x.installed[name]; err != nil {
			return op.Phrase{}, err
		}
		return op.Phrasef("ran %s", installFix(name)), nil
	}
}

func (x *exam) installNow(name string) error {
	changes, err := x.Setup.Install(name)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Result == setup.Refused {
			return op.Errorf(op.Invalid, "%s was left as it is: %s", c.Path, op.Word(c.Note))
		}
	}
	return nil
}

// readable gives the settings of Claude Code for a check that makes sense only with
// them.
func (x *exam) readable(ctx context.Context) (setup.Claude, []Finding) {
	c, ok := x.claude(ctx)
	switch {
	case !slices.Contains(x.Setup.Detected(), claude):
		return c, one(skip("Claude Code is not found"))
	case !ok || c.SettingsErr != nil:
		return c, one(skip("%s cannot be read", c.Settings))
	}
	return c, nil
}

func lookAtPermission(ctx context.Context, x *exam) []Finding {
	c, no := x.readable(ctx)
	switch {
	case no != nil:
		return no
	case c.Denied:
		return one(fail("%s forbids Claude Code our tools: permissions.deny has %s", c.Settings, setup.Permission).hint("take that out of the list"))
	case c.Allowed:
		return one(pass("Claude Code calls our tools without asking"))
	case c.Plugin:
		return one(pass("Claude Code asks itself, as for every plugin"))
	}
	return one(warn("Claude Code asks its user before each of our tools: permissions.allow in %s has no %s", c.Settings, setup.Permission).
		hint("%s", installFix(claude)).by(x.install(claude)))
}

// lookForOldEntries looks for what older programs of this name wrote.
func lookForOldEntries(ctx context.Context, x *exam) []Finding {
	c, ok := x.claude(ctx)
	if !ok {
		return one(skip("the settings of Claude Code cannot be read"))
	}
	var out []Finding
	if len(c.OldNames) > 0 {
		out = append(out, warn("%s allows single tools in the way of older versions: %s", c.Settings, some(c.OldNames)).
			hint("%s writes one entry for all", installFix(claude)).by(x.install(claude)))
	}
	if len(c.Leftovers) > 0 {
		out = append(out, warn("%s has stale servers that older versions left: %s", c.State, some(c.Leftovers)).
			hint("`claudemesh doctor --fix` takes them out; so does claude mcp remove NAME").by(x.sweep))
	}
	if len(out) == 0 {
		return one(pass("there is nothing of older versions"))
	}
	return out
}

func (x *exam) sweep(context.Context) (op.Phrase, error) {
	c, err := x.Setup.Sweep()
	if err != nil {
		return op.Phrase{}, err
	}
	return op.Phrasef("took the servers mesh:… out of %s", filepath.Base(c.Path)), nil
}

// some names the first few.
func some(all []string) op.Phrase {
	const most = 3
	if len(all) <= most {
		return op.Phrasef("%s", strings.Join(all, ", "))
	}
	return op.Phrasef("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
