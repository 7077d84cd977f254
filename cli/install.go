package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// installDoc is what install or uninstall did.
type installDoc struct {
	OK      bool           `json:"ok"`
	Program string         `json:"program"`
	Copies  string         `json:"copies"`
	Changes []setup.Change `json:"changes"`
}

func installDocOf(s agentSettings) installDoc {
	return installDoc{OK: true, Program: s.Program, Copies: s.Copies}
}

func (a *app) installCommand() *cobra.Command {
	var agents []string
	var noHooks, statusLine bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put every session of your coding agents on the mesh",
		Long: "Put every session of your coding agents on the mesh: register the MCP server, and for\n" +
			"Claude Code also allow its tools, add the hooks that keep status and messages going, and\n" +
			"a skill that teaches the commands. What else is in those files stays as it is, a copy of\n" +
			"each is kept, and a file that cannot be read is refused. Without --agent it does so for\n" +
			"those found on this machine.",
		Example: "claudemesh install\nclaudemesh install --agent codex,gemini\nclaudemesh install --no-hooks",
		Args:    words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.setup(!noHooks, statusLine)
			if err != nil {
				return err
			}
			names, err := chosenAgents(s.Setup, agents)
			if err != nil {
				return err
			}
			return a.eachAgent(names, installDocOf(s), s.Install, a.installed)
		},
	}
	agentsFlag(cmd, &agents)
	cmd.Flags().BoolVar(&noHooks, "no-hooks", false, "without the hooks of Claude Code")
	cmd.Flags().BoolVar(&statusLine, "status-line", false, "also show the mesh in the status line of Claude Code, unless you have another")
	return cmd
}

func (a *app) uninstallCommand() *cobra.Command {
	var agents []string
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take claudemesh out of your coding agents' settings",
		Long: "Take claudemesh out of your coding agents' settings, and nothing else. Your meshes, keys\n" +
			"and messages stay where they are.",
		Args: words(0, 0),
		RunE: func(*cobra.Command, []string) error {
			s, err := a.setup(true, true)
			if err != nil {
				return err
			}
			names := agentNames()
			if len(agents) > 0 {
				if names, err = chosenAgents(s.Setup, agents); err != nil {
					return err
				}
			}
			return a.eachAgent(names, installDocOf(s), s.Uninstall, a.uninstalled)
		},
	}
	agentsFlag(cmd, &agents)
	return cmd
}

func agentsFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "agent", nil, "`which` agents: all, or "+strings.Join(agentNames(), ", "))
}

// chosenAgents are those named, or found on this machine. Where there is none, Claude
// Code is set up for when it comes.
func chosenAgents(s *setup.Setup, named []string) ([]string, error) {
	all := agentNames()
	if slices.Contains(named, "all") {
		return all, nil
	}
	for _, n := range named {
		if !slices.Contains(all, n) {
			hint := "there are: " + strings.Join(all, ", ") + ", all"
			if near := nearest(n, all); near != "" {
				hint = "did you mean " + near + "? Else " + hint
			}
			return nil, usage(hint, "there is no agent %q", n)
		}
	}
	if len(named) == 0 {
		named = s.Detected()
	}
	if len(named) == 0 {
		named = all[:1]
	}
	return named, nil
}

// eachAgent does something with the settings of several agents and shows what came of it.
func (a *app) eachAgent(names []string, doc installDoc, do func(string) ([]setup.Change, error), human func(installDoc)) error {
	for _, n := range names {
		changes, err := do(n)
		if err != nil {
			return err
		}
		doc.Changes = append(doc.Changes, changes...)
	}
	var refused *setup.Change
	for i, c := range doc.Changes {
		if c.Main && c.Result == setup.Refused {
			doc.OK = false
			refused = &doc.Changes[i]
		}
	}
	if refused != nil && !a.term.IsDocument() {
		human(doc)
		return op.Errorf(op.Invalid, "%s was left as it is: %s", refused.Path, refused.Note).
			WithHint("put that right, then run it again")
	}
	if err := show(a, doc, human); err != nil || doc.OK {
		return err
	}
	return verdict(exitInvalidArgs)
}

func (a *app) printChanges(doc installDoc) (changed bool) {
	for _, c := range doc.Changes {
		switch {
		case c.Result == setup.Refused:
			a.term.Warn("%s (%s): left as it is: %s", c.Path, c.What, c.Note)
			continue
		case c.Result != setup.Unchanged:
			changed = true
		}
		a.term.Line("%s %s %s %s", term.Green(term.OK), c.Path, term.Dim(c.What), string(c.Result))
		if c.Note != "" {
			a.term.Note("  %s", c.Note)
		}
	}
	return changed
}

func (a *app) installed(doc installDoc) {
	if !a.printChanges(doc) {
		return
	}
	a.term.Note("Restart your agents. What the files held before is in %s.", doc.Copies)
	a.term.Note("For messages that enter a running Claude Code at once: claude --dangerously-load-development-channels server:%s", setup.Name)
}

func (a *app) uninstalled(doc installDoc) {
	doc.Changes = slices.DeleteFunc(doc.Changes, func(c setup.Change) bool { return c.Result == setup.Unchanged })
	if len(doc.Changes) == 0 {
		a.term.Line("There is nothing of claudemesh in your agents' settings.")
		return
	}
	a.printChanges(doc)
}
