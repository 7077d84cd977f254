package setup

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/setup/jsontext"
)

// Permission is what lets Claude Code call our tools without asking.
const Permission = "mcp__" + Name

// hookTimeout is how long Claude Code waits for a hook, in seconds. Ours end within a
// tenth of one.
const hookTimeout = 5

// Events are the events of Claude Code that claudemesh hears, and the word for each on
// our command line.
func Events() [][2]string {
	return [][2]string{
		{"SessionStart", "session-start"}, {"UserPromptSubmit", "user-prompt-submit"}, {"PostToolUse", "post-tool-use"},
		{"Stop", "stop"}, {"Notification", "notification"}, {"SessionEnd", "session-end"},
	}
}

// hookGroup is an entry of an event's list.
type hookGroup struct {
	Hooks []hook `json:"hooks"`
}

type hook struct {
	Type    string `json:"type"`
	Command string `json:"command"`
	Timeout int    `json:"timeout,omitempty"`
}

// statusLine is the setting of that name.
type statusLine struct {
	Type    string `json:"type"`
	Command string `json:"command"`
}

func (s *Setup) claudeFolder() string { return s.dir("CLAUDE_CONFIG_DIR", ".claude") }

func (s *Setup) claudeTargets() []target {
	state := filepath.Join(s.cfg.Home, ".claude.json")
	if other := s.cfg.Getenv("CLAUDE_CONFIG_DIR"); other != "" {
		state = filepath.Join(other, ".claude.json")
	}
	folder := s.claudeFolder()
	what := "permission"
	if s.cfg.Hooks {
		what += ", hooks"
	}
	if s.cfg.StatusLine {
		what += ", status line"
	}
	without := "Claude Code asks before it calls a tool of claudemesh"
	if s.cfg.Hooks {
		without += ", and no hook tells others its status or brings messages that were not pushed"
	}
	return []target{
		s.entry(state, false, nil, server{Type: "stdio", Command: s.cfg.Program, Args: []string{"mcp"}}, "mcpServers", Name),
		{path: filepath.Join(folder, "settings.json"), what: what, without: without, put: jsonPut(false, s.putClaude), take: jsonTake(false, s.takeClaude), held: s.heldByClaude},
		s.skill(filepath.Join(folder, "skills", Name, "SKILL.md")),
	}
}

// putClaude writes ours into the settings of Claude Code.
func (s *Setup) putClaude(d *jsontext.Doc) (string, error) {
	if err := takeNames(d); err != nil {
		return "", err
	}
	if err := s.allow(d); err != nil {
		return "", err
	}
	wanted := map[string]string{}
	if s.cfg.Hooks {
		for _, e := range Events() {
			wanted[e[0]] = quoted(s.cfg.Program) + " hook " + e[1]
		}
	}
	if err := s.takeHooks(d, wanted); err != nil {
		return "", err
	}
	if s.cfg.Hooks {
		for _, e := range Events() {
			if err := putHook(d, e[0], wanted[e[0]]); err != nil {
				return "", err
			}
		}
	}
	return s.putStatusLine(d)
}

func (s *Setup) allow(d *jsontext.Doc) error {
	list, ok, err := d.Get("permissions", "allow")
	if err != nil {
		return err
	}
	if ok && slices.ContainsFunc(list.Elements(), func(v jsontext.Value) bool { return v.Text() == Permission }) {
		return nil
	}
	return d.Append(Permission, "permissions", "allow")
}

// putHook adds a hook to an event, unless it is there.
func putHook(d *jsontext.Doc, event, command string) error {
	list, ok, err := d.Get("hooks", event)
	if err != nil {
		return err
	}
	if ok {
		for _, group := range list.Elements() {
			if slices.Contains(commands(group), command) {
				return nil
			}
		}
	}
	return d.Append(hookGroup{[]hook{{"command", command, hookTimeout}}}, "hooks", event)
}

// commands are those of a group of hooks.
func commands(group jsontext.Value) []string {
	hooks, ok := group.Member("hooks")
	if !ok {
		return nil
	}
	var out []string
	for _, h := range hooks.Elements() {
		command, _ := textOf(h, "command")
		out = append(out, command)
	}
	return out
}

func textOf(v jsontext.Value, key string) (string, bool) {
	m, ok := v.Member(key)
	if !ok {
		return "", false
	}
	return m.Text(), true
}

// ourHook tells a command of a program with our name, wherever it lies.
var ourHook = regexp.MustCompile(`(^|[/\\"'\s])claudemesh(\.exe)?["']?\s+(hook|status-line)(\s|$)`)

// ourCommand tells a command of ours: of a program with our name, or of this one, which
// its user may have given another.
func (s *Setup) ourCommand(command string) bool {
	rest, is := strings.CutPrefix(command, quoted(s.cfg.Program)+" ")
	return ourHook.MatchString(command) || is && (strings.HasPrefix(rest, "hook ") || rest == "status-line")
}

// takeHooks removes our hooks but those that are wanted, by event.
func (s *Setup) takeHooks(d *jsontext.Doc, wanted map[string]string) error {
	all, ok, err := d.Get("hooks")
	if err != nil || !ok || all.Kind() != jsontext.Object {
		return shapeless(err)
	}
	for _, event := range all.Keys() {
		list, _ := all.Member(event)
		groups := list.Elements()
		for g, group := range slices.Backward(groups) {
			for h, command := range slices.Backward(commands(group)) {
				if !s.ourCommand(command) || command == wanted[event] {
					continue
				}
				if err := dropHook(d, event, g, h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dropHook removes a hook, and what held nothing else.
func dropHook(d *jsontext.Doc, event string, group, at int) error {
	hooks, ok, err := d.Get("hooks", event, group, "hooks")
	if err != nil || !ok {
		return err
	}
	if hooks.Len() > 1 {
		_, err := d.Remove("hooks", event, group, "hooks", at)
		return err
	}
	return drop(d, "hooks", event, group)
}

// takeNames removes what older programs of this name wrote: a permission for each tool.
func takeNames(d *jsontext.Doc) error {
	for _, path := range [][]any{{"allowedTools"}, {"permissions", "allow"}} {
		if err := takeTexts(d, func(s string) bool { return strings.HasPrefix(s, Permission+"__") }, path...); err != nil {
			return err
		}
	}
	return nil
}

// takeTexts removes texts from a list.
func takeTexts(d *jsontext.Doc, ours func(string) bool, path ...any) error {
	list, ok, err := d.Get(path...)
	if err != nil || !ok {
		return shapeless(err)
	}
	for i, v := range slices.Backward(list.Elements()) {
		if ours(v.Text()) {
			if err := drop(d, append(slices.Clone(path), i)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Setup) putStatusLine(d *jsontext.Doc) (string, error) {
	have, ok, err := d.Get("statusLine")
	if err != nil {
		return "", err
	}
	command := quoted(s.cfg.Program) + " status-line"
	if ok {
		if was, _ := textOf(have, "command"); !s.ourCommand(was) {
			if s.cfg.StatusLine {
				return "the status line is another's and stays", nil
			}
			return "", nil
		}
		return "", d.Set(command, "statusLine", "command")
	}
	if !s.cfg.StatusLine {
		return "", nil
	}
	return "", d.Set(statusLine{"command", command}, "statusLine")
}

// claudeParts are what of ours the settings of Claude Code can hold, and how that is taken
// out.
func (s *Setup) claudeParts() []part {
	return []part{{"permission", takePermission}, {"hooks", func(d *jsontext.Doc) error { return s.takeHooks(d, nil) }}, {"status line", s.takeStatusLine}}
}

// part is something of ours in a file.
type part struct {
	what string
	take func(*jsontext.Doc) error
}

// takeClaude takes ours out of the settings of Claude Code.
func (s *Setup) takeClaude(d *jsontext.Doc) error {
	for _, p := range s.claudeParts() {
		if err := p.take(d); err != nil {
			return err
		}
	}
	return nil
}

// heldByClaude says what of ours is in the settings of Claude Code.
func (s *Setup) heldByClaude(text []byte) string {
	var held []string
	for _, p := range s.claudeParts() {
		if bare, err := jsonTake(false, p.take)(text); err == nil && !bytes.Equal(bare, text) {
			held = append(held, p.what)
		}
	}
	return strings.Join(held, ", ")
}

func takePermission(d *jsontext.Doc) error {
	if err := takeNames(d); err != nil {
		return err
	}
	return takeTexts(d, func(s string) bool { return s == Permission }, "permissions", "allow")
}

func (s *Setup) takeStatusLine(d *jsontext.Doc) error {
	have, ok, err := d.Get("statusLine")
	if err != nil || !ok {
		return err
	}
	if was, _ := textOf(have, "command"); s.ourCommand(was) {
		return drop(d, "statusLine")
	}
	return nil
}

// plainWord is a program that no shell takes apart.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=-]+$`)

// quoted is a program as a shell wants it. A backslash, which only paths of Windows
// have, is one for its shells, too, and a slash does as well.
func quoted(program string) string {
	if strings.Contains(program, `\`) && filepath.VolumeName(program) != "" {
		program = strings.ReplaceAll(program, `\`, "/")
	}
	if plainWord.MatchString(program) {
		return program
	}
	if strings.Contains(program, "'") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(program) + `"`
	}
	return "'" + program + "'"
}
