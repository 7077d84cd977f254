package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
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
	const remedy = "install one, as Claude Code: npm install -g @anthropic-ai/claude-code; or set CLAUDE_BIN to where it is"
	if gone := x.gone(); gone != "" {
		return one(fail(gone+" is set up with claudemesh, and is no longer found on PATH", remedy+"; `claudemesh uninstall` takes its settings back"))
	}
	return one(warn("no coding agent is found on PATH: "+strings.Join(missing, ", "), remedy))
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
		return one(warn(path+" does not say its version", "run `claude --version` yourself; a broken installation is mended by installing it anew"))
	}
	var v [3]int
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // digits
	}
	if slices.Compare(v[:], channelsSince[:]) < 0 {
		return one(warn(fmt.Sprintf("Claude Code %s is too old for channels, which came with %d.%d.%d: messages reach its sessions by hooks alone", m[0], channelsSince[0], channelsSince[1], channelsSince[2]),
			"update it: claude update"))
	}
	return one(pass("Claude Code %s", m[0]))
}

// lookAtClaudeFiles looks whether the settings of Claude Code can be read.
func lookAtClaudeFiles(ctx context.Context, x *exam) []Finding {
	c, ok := x.claude(ctx)
	if !ok {
		return one(fail("the settings of Claude Code cannot be read in time", "is the home folder on a network drive that is away?"))
	}
	var out []Finding
	for _, f := range []struct {
		path string
		err  error
	}{{c.State, c.StateErr}, {c.Settings, c.SettingsErr}} {
		if f.err != nil {
			out = append(out, fail(fmt.Sprintf("%s cannot be read: %v", f.path, f.err),
				"correct it there; copies from before claudemesh changed it are in "+x.in("setup")+", Claude Code's own in ~/.claude/backups"))
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
		return one(fail(err.Error(), "`claudemesh install --agent "+name+"`"))
	}
	var out []Finding
	for _, c := range plan {
		switch {
		case !c.Main || c.Result == setup.Unchanged:
		case c.Result == setup.Refused:
			out = append(out, fail(fmt.Sprintf("%s cannot be read: %s", c.Path, c.Note), "correct it, then `claudemesh install --agent "+name+"`"))
		case c.Result == setup.Added:
			out = append(out, fail(fmt.Sprintf("the MCP server is not registered with %s: %s has no entry of it", name, c.Path), installFix(name)).by(x.install(name)))
		default:
			out = append(out, warn(fmt.Sprintf("the MCP server's entry in %s is not as install writes it", c.Path), installFix(name)).by(x.install(name)))
		}
	}
	return out
}

func installFix(name string) string { return "`claudemesh install --agent " + name + "`" }

func (x *exam) claudeServer(ctx context.Context) []Finding {
	c, ok := x.claude(ctx)
	fix := installFix(claude)
	switch {
	case !ok || c.StateErr != nil:
		return one(skip("%s cannot be read", c.State))
	case c.Program == "" && c.Plugin:
		return nil
	case c.Program == "":
		return one(fail("the MCP server is not registered with claude: "+c.State+" has no entry of it", fix).by(x.install(claude)))
	case len(c.Args) == 0 || c.Args[0] != "mcp":
		return one(fail(fmt.Sprintf("the MCP server's entry in %s starts %q", c.State, strings.TrimSpace(c.Program+" "+strings.Join(c.Args, " "))), fix).by(x.install(claude)))
	}
	path, err := x.System.LookPath(c.Program)
	switch {
	case err != nil:
		return one(fail(fmt.Sprintf("the MCP server's command in %s does not exist: %s", c.State, c.Program), fix).by(x.install(claude)))
	case !sameFile(path, x.Program):
		return one(warn(fmt.Sprintf("claude starts %s, and this program is %s", path, x.Program), fix+" registers this one").by(x.install(claude)))
	}
	return nil
}

// install runs install for an agent, once for all findings.
func (x *exam) install(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		x.mu.Lock()
		do := x.installs[name]
		if do == nil {
			do = new(sync.Once)
			x.installs[name] = do
		}
		x.mu.Unlock()
		do.Do(func() { x.installed[name] = x.installNow(name) })
		if err := x.installed[name]; err != nil {
			return "", err
		}
		return "ran `claudemesh install --agent " + name + "`", nil
	}
}

func (x *exam) installNow(name string) error {
	changes, err := x.Setup.Install(name)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Result == setup.Refused {
			return fmt.Errorf("%s was left as it is: %s", c.Path, c.Note)
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
		return one(fail(fmt.Sprintf("%s forbids Claude Code our tools: permissions.deny has %s", c.Settings, setup.Permission), "take that out of the list"))
	case c.Allowed:
		return one(pass("Claude Code calls our tools without asking"))
	case c.Plugin:
		return one(pass("Claude Code asks itself, as for every plugin"))
	}
	return one(warn(fmt.Sprintf("Claude Code asks its user before each of our tools: permissions.allow in %s has no %s", c.Settings, setup.Permission), installFix(claude)).by(x.install(claude)))
}

// lookForOldEntries looks for what older programs of this name wrote.
func lookForOldEntries(ctx context.Context, x *exam) []Finding {
	c, ok := x.claude(ctx)
	if !ok {
		return one(skip("the settings of Claude Code cannot be read"))
	}
	var out []Finding
	if len(c.OldNames) > 0 {
		out = append(out, warn(fmt.Sprintf("%s allows single tools in the way of older versions: %s", c.Settings, some(c.OldNames)), installFix(claude)+" writes one entry for all").by(x.install(claude)))
	}
	if len(c.Leftovers) > 0 {
		out = append(out, warn(fmt.Sprintf("%s has stale servers that older versions left: %s", c.State, some(c.Leftovers)),
			"`claudemesh doctor --fix` takes them out; so does claude mcp remove NAME").by(x.sweep))
	}
	if len(out) == 0 {
		return one(pass("there is nothing of older versions"))
	}
	return out
}

func (x *exam) sweep(context.Context) (string, error) {
	c, err := x.Setup.Sweep()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("took the servers mesh:… out of %s", filepath.Base(c.Path)), nil
}

// some names the first few.
func some(all []string) string {
	const most = 3
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
