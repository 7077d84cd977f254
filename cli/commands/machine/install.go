package machine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
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
	// Absent are agents that are not on this machine and were set up for when they come.
	Absent []string `json:"absent,omitempty"`
	// Error says what was refused, as in every failure.
	Error *term.Failure `json:"error,omitempty"`
}

func installDocOf(s run.AgentSettings) installDoc {
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
			"each is kept. A file that is broken or read-only is left as it is, and the command fails.\n" +
			"Without --agent it does so for those found on this machine, else for Claude Code.",
		Example: "claudemesh install\nclaudemesh install --agent codex,gemini\nclaudemesh install --no-hooks",
		Args:    run.Words(0, 0),
		PreRunE: someAgent,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.Setup(!noHooks, statusLine)
			if err != nil {
				return err
			}
			names, err := chosenAgents(s.Setup, agents)
			if err != nil {
				return err
			}
			here := s.Detected()
			doc := installDocOf(s)
			doc.Absent = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(here, n) })
			return a.eachAgent(names, doc, s.Install, a.installed)
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
		Args:    run.Words(0, 0),
		PreRunE: someAgent,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.Setup(true, true)
			if err != nil {
				return err
			}
			names := run.AgentNames()
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

// someAgent refuses an --agent that names none, as an empty variable of a script gives: it
// would otherwise mean more than any name.
func someAgent(cmd *cobra.Command, _ []string) error {
	if f := cmd.Flags().Lookup("agent"); f.Changed && f.Value.String() == "[]" {
		return run.Usage("name some, or leave --agent out", "--agent names no agent")
	}
	return nil
}

func agentsFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "agent", nil, "`which` agents: all, or "+strings.Join(run.AgentNames(), ", "))
}

// chosenAgents are those named, or found on this machine. Where there is none, Claude
// Code is set up for when it comes.
func chosenAgents(s *setup.Setup, named []string) ([]string, error) {
	all := run.AgentNames()
	if slices.Contains(named, "all") {
		return all, nil
	}
	for _, n := range named {
		if !slices.Contains(all, n) {
			hint := run.OrNearest(run.Nearest(n, all), op.Phrasef("there are: %s, all", strings.Join(all, ", ")))
			return nil, op.Errorf(op.Invalid, "there is no agent %q", n).WithHint("%s", hint)
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
	failed := refusal(doc.Changes)
	doc.OK = failed == nil
	if failed != nil && a.Term.IsDocument() {
		doc.Error = &term.Failure{Code: string(failed.Code), Message: failed.Message, Hint: failed.Hint}
	}
	if err := run.Show(a.App, doc, human); err != nil || doc.OK {
		return err
	}
	if a.Term.IsDocument() {
		return run.Verdict(run.Status(failed.Code))
	}
	return failed
}

// refusal is the failure that files were left as they are, if any was. Its code is that of
// the first, those before which an agent is without claudemesh altogether.
func refusal(changes []setup.Change) *op.Error {
	var all []setup.Change
	for _, c := range changes {
		if c.Result == setup.Refused {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	first := all[max(0, slices.IndexFunc(all, func(c setup.Change) bool { return c.Main }))]
	code := op.Invalid
	switch first.Reason {
	case setup.Locked:
		code = op.Denied
	case setup.Foreign:
		code = op.Conflict
	}
	said := fmt.Sprintf("%s was left as it is: %s", first.Path, first.Note)
	if len(all) > 1 {
		said = fmt.Sprintf("%d files were left as they are; %s: %s", len(all), first.Path, first.Note)
	}
	return op.Errorf(code, "%s", said).WithHint("put that right, then run it again")
}

func (a *app) printChanges(doc installDoc) (changed bool) {
	for _, c := range doc.Changes {
		switch {
		case c.Result == setup.Refused:
			a.Term.Warn("%s (%s): left as it is: %s", c.Path, c.What, c.Note)
			a.Term.Warn("  so %s", c.Effect)
			continue
		case c.Result != setup.Unchanged:
			changed = true
		}
		a.Term.Line("%s %s %s %s", term.Green(term.OK), c.Path, term.Dim(c.What), string(c.Result))
		if c.Note != "" {
			a.Term.Note("  %s", c.Note)
		}
	}
	return changed
}

func (a *app) installed(doc installDoc) {
	changed := a.printChanges(doc)
	for _, name := range doc.Absent {
		a.Term.Line("%s %s is not on this machine: this is for when it comes.", term.Yellow(term.Care), agentTitle(name))
	}
	switch {
	case !changed:
		return
	case !doc.OK, !slices.ContainsFunc(doc.Changes, func(c setup.Change) bool { return !slices.Contains(doc.Absent, c.Agent) }):
		a.Term.Note("What the files held before is in %s.", doc.Copies)
		return
	}
	a.Term.Note("Restart your agents. What the files held before is in %s.", doc.Copies)
	a.Term.Note("For messages that enter a running Claude Code at once: claude --dangerously-load-development-channels server:%s", setup.Name)
}

// agentTitle is what people call an agent.
func agentTitle(name string) string {
	for _, a := range setup.Agents() {
		if a.Name == name {
			return a.Title
		}
	}
	return name
}

func (a *app) uninstalled(doc installDoc) {
	doc.Changes = slices.DeleteFunc(doc.Changes, func(c setup.Change) bool { return c.Result == setup.Unchanged })
	if len(doc.Changes) == 0 {
		a.Term.Line("There is nothing of claudemesh in your agents' settings.")
		return
	}
	a.printChanges(doc)
}
