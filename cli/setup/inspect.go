package setup

import (
	"bytes"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/setup/jsontext"
)

// Plan says what Install would do, and does nothing: a result other than Unchanged is
// something that is missing or not as it should be.
func (s *Setup) Plan(agent string) ([]Change, error) {
	return s.each(agent, func(t target) (Result, string, error) {
		c, err := look(t.path)
		if err != nil {
			return "", "", err
		}
		text, said, err := t.put(c.data)
		switch {
		case err != nil:
			return "", "", err
		case c.exists && bytes.Equal(text, c.data) || !c.exists && len(text) == 0:
			return Unchanged, said, nil
		case c.exists && c.mode&0o200 == 0:
			return "", "", ErrReadOnly
		}
		if bare, err := t.take(c.data); err != nil || bytes.Equal(bare, c.data) {
			return Added, said, nil
		}
		return Updated, said, nil
	}, func(t target) string { return t.without })
}

// Sweep removes from the settings of Claude Code the servers mesh:… that older programs
// of this name left there.
func (s *Setup) Sweep() (Change, error) {
	t := s.claudeTargets()[0]
	t.put = jsonPut(false, func(d *jsontext.Doc) (string, error) {
		for _, name := range leftovers(d) {
			if err := drop(d, "mcpServers", name); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	c := Change{Agent: "claude", Path: t.path, What: "servers mesh:…"}
	var err error
	if c.Result, c.Note, err = s.install(t); err == nil && c.Result != Unchanged {
		c.Result = Removed
	}
	return c, err
}

// leftovers are the names of such servers.
func leftovers(d *jsontext.Doc) []string {
	servers, ok, err := d.Get("mcpServers")
	if err != nil || !ok {
		return nil
	}
	return slices.DeleteFunc(servers.Keys(), func(name string) bool { return !strings.HasPrefix(name, "mesh:") })
}

// Claude is what the settings of Claude Code hold that concerns claudemesh.
type Claude struct {
	// State is the file of servers, Settings that of permissions and hooks; the errors
	// say why one cannot be read. A missing file is no error.
	State, Settings       string
	StateErr, SettingsErr error
	// Program starts our MCP server, Args are its arguments. Empty: there is none.
	Program string
	Args    []string
	// Leftovers are servers that older programs of this name left.
	Leftovers []string
	// Channels is what Claude Code remembers of its switch for channels: on, off, or
	// empty where it remembers nothing.
	Channels string
	// Hooks are the commands of hooks, by event.
	Hooks map[string][]string
	// Plugin: claudemesh is switched on as a plugin, which brings server and hooks.
	Plugin bool
	// HooksOff: no hook runs at all.
	HooksOff bool
	// Allowed: our tools are called without asking. Denied: they are not called.
	Allowed, Denied bool
	// OldNames are permissions of single tools as older programs wrote them.
	OldNames []string
}

// Claude reads them.
func (s *Setup) Claude() Claude {
	targets := s.claudeTargets()
	c := Claude{State: targets[0].path, Settings: targets[1].path, Hooks: map[string][]string{}}
	var state, settings *jsontext.Doc
	if state, c.StateErr = document(c.State); c.StateErr == nil {
		c.readState(state)
	}
	if settings, c.SettingsErr = document(c.Settings); c.SettingsErr == nil {
		c.readSettings(settings)
	}
	return c
}

func document(path string) (*jsontext.Doc, error) {
	c, err := look(path)
	if err != nil {
		return nil, err
	}
	return parse(c.data, false)
}

// channelSwitch is what Claude Code calls its switch for channels.
const channelSwitch = "tengu_harbor"

func (c *Claude) readState(d *jsontext.Doc) {
	c.Leftovers = leftovers(d)
	for _, cache := range []string{"cachedFeatureFlags", "cachedGrowthBookFeatures"} {
		if v, ok, err := d.Get(cache, channelSwitch); err == nil && ok && v.Equal(true) {
			c.Channels = "on"
		} else if err == nil && ok && v.Equal(false) {
			c.Channels = "off"
		}
	}
	entry, ok, err := d.Get("mcpServers", Name)
	if err != nil || !ok {
		return
	}
	words, _ := commandOf(entry)
	for i, w := range words {
		if i == 0 {
			c.Program = w.Text()
		} else {
			c.Args = append(c.Args, w.Text())
		}
	}
}

func (c *Claude) readSettings(d *jsontext.Doc) {
	if off, ok, err := d.Get("disableAllHooks"); err == nil && ok {
		c.HooksOff = off.Equal(true)
	}
	if plugins, ok, err := d.Get("enabledPlugins"); err == nil && ok {
		for _, name := range plugins.Keys() {
			on, _ := plugins.Member(name)
			c.Plugin = c.Plugin || strings.HasPrefix(name, Name+"@") && !on.Equal(false)
		}
	}
	if all, ok, err := d.Get("hooks"); err == nil && ok && all.Kind() == jsontext.Object {
		for _, event := range all.Keys() {
			list, _ := all.Member(event)
			for _, group := range list.Elements() {
				c.Hooks[event] = append(c.Hooks[event], commands(group)...)
			}
		}
	}
	texts := func(path ...any) (out []string) {
		list, ok, err := d.Get(path...)
		if err == nil && ok {
			for _, v := range list.Elements() {
				out = append(out, v.Text())
			}
		}
		return out
	}
	allow := texts("permissions", "allow")
	c.Allowed, c.Denied = slices.Contains(allow, Permission), slices.Contains(texts("permissions", "deny"), Permission)
	for _, name := range slices.Concat(texts("allowedTools"), allow) {
		if strings.HasPrefix(name, Permission+"__") {
			c.OldNames = append(c.OldNames, name)
		}
	}
}

// IsOurs tells whether a program is claudemesh, wherever it lies.
func IsOurs(program string) bool { return isOurs(program) }

// OurHook is the program that the command of a hook of ours starts, and its event; ok is
// false for the hook of another.
func (s *Setup) OurHook(command string) (program, event string, ok bool) {
	if !s.ourCommand(command) {
		return "", "", false
	}
	if event, is := strings.CutPrefix(command, quoted(s.cfg.Program)+" hook "); is {
		return s.cfg.Program, strings.TrimSpace(event), true
	}
	program, event, ok = strings.Cut(command, " hook ")
	program = strings.Trim(strings.TrimSpace(program), `"'`)
	return program, strings.TrimSpace(event), ok && isOurs(program)
}
