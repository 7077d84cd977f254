package machine

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// configCommand shows and changes the settings. It needs no node.
func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings and where each comes from",
		Long: "Show the settings that a node or an agent session started now would have, and where\n" +
			"each comes from: the environment, config.json or the default.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return run.UnknownWord(cmd, args[0])
			}
			return a.listConfig()
		},
	}
	cmd.AddCommand(a.configGet(), a.configSet(), a.configUnset())
	return cmd
}

// configDoc is every setting.
type configDoc struct {
	Dir      string           `json:"dir"`
	File     string           `json:"file"`
	Settings []settings.Shown `json:"settings"`
}

func (a *app) listConfig() error {
	dir, set, err := a.Loaded()
	if err != nil {
		return err
	}
	doc := configDoc{Dir: dir, File: settings.Path(dir)}
	for _, k := range settings.Keys() {
		doc.Settings = append(doc.Settings, k.Show(set))
	}
	return run.Show(a.App, doc, func(configDoc) {
		a.Term.Line("%s", term.Dim(doc.File))
		width := 0
		for _, s := range doc.Settings {
			width = max(width, len(s.Key))
		}
		for _, s := range doc.Settings {
			a.Term.Line("%s  %s %s", term.Bold(s.Key).Pad(width), settingText(s.Value), term.Dim("("+a.Source(s.Source)+")"))
		}
	})
}

// settingText is a setting's value as people write it.
func settingText(value any) string {
	switch v := value.(type) {
	case bool:
		return run.OnOff(v)
	case []string:
		if len(v) > 0 {
			return strings.Join(v, ", ")
		}
	case string:
		if v != "" {
			return v
		}
	}
	return "-"
}

func (a *app) configGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get <key>",
		Short:   "Show one setting",
		Example: "claudemesh config get messageMode",
		Args:    run.Words(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := settingKey(args[0])
			if err != nil {
				return err
			}
			_, set, err := a.Loaded()
			if err != nil {
				return err
			}
			return run.Show(a.App, k.Show(set), func(s settings.Shown) {
				a.Term.Line("%s %s", settingText(s.Value), term.Dim("("+a.Source(s.Source)+")"))
			})
		},
	}
}

func (a *app) configSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set <key> <value>",
		Short: "Write a setting into config.json",
		Long: "Write a setting into config.json. It holds for what is started from then on: nodes with\n" +
			"`claudemesh node down` and `claudemesh node up`, agent sessions when they are started.\n\n" + keysHelp(),
		Example: "claudemesh config set mcp.tools core\nclaudemesh config set node.listen 127.0.0.1:7000",
		Args:    run.Words(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			if args[1] == "" {
				return op.Errorf(op.Invalid, "there is no value").WithHint("`claudemesh config unset %s` goes back to the default", args[0])
			}
			return a.writeConfig(args[0], args[1])
		},
	}
}

func (a *app) configUnset() *cobra.Command {
	return &cobra.Command{
		Use:     "unset <key>",
		Short:   "Take a setting out of config.json",
		Example: "claudemesh config unset mcp.tools",
		Args:    run.Words(1, 1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.writeConfig(args[0], "") },
	}
}

// writeConfig writes a setting and shows what holds then: what the environment
// says still goes before it.
func (a *app) writeConfig(key, value string) error {
	k, err := settingKey(key)
	if err != nil {
		return err
	}
	dir, err := a.Dir()
	if err != nil {
		return err
	}
	if err := a.putSetting(k, dir, value); err != nil {
		return err
	}
	set, err := a.Settings(dir, settings.Flags{})
	if err != nil {
		return err
	}
	return run.Show(a.App, k.Show(set), func(s settings.Shown) {
		a.Term.Line("%s %s is %s %s", term.Green(term.OK), k.Name, settingText(s.Value), term.Dim("("+a.Source(s.Source)+")"))
		if k.Env != "" && s.Source == k.Env {
			a.Term.Note("%s is set and goes before config.json.", k.Env)
		}
	})
}

// putSetting writes a setting; a value that cannot be is the user's to correct.
func (a *app) putSetting(k settings.Key, dir, value string) error {
	if value != "" {
		if err := checkValue(k.Name, value); err != nil {
			return err
		}
	}
	err := k.Set(dir, value)
	var system syscall.Errno
	switch {
	case err == nil:
	case errors.As(err, &system):
		return err // the disk's fault, not the value's
	case errors.Is(err, settings.ErrFile):
		return op.Errorf(op.Invalid, "%w", err).
			WithHint("correct the file, or move it away: without it all settings are the default")
	default:
		return op.Errorf(op.Invalid, "%w", err).WithHint("%s is: %s", k.Name, k.Doc)
	}
	return nil
}

// checkValue refuses words that mean something to the node alone, and nothing there.
func checkValue(key, value string) error {
	switch key {
	case settings.KeyRights:
		return node.CheckRights(value)
	case settings.KeyName:
		return op.CheckNewName(value)
	}
	return nil
}

// settingKey finds a setting by its name.
func settingKey(name string) (settings.Key, error) {
	var names []string
	for _, k := range settings.Keys() {
		if strings.EqualFold(k.Name, name) {
			return k, nil
		}
		names = append(names, k.Name)
	}
	hint := run.OrNearest(run.Nearest(name, names), op.Phrasef("`claudemesh config` shows them all"))
	return settings.Key{}, op.Errorf(op.NotFound, "there is no setting %q", name).WithHint("%s", hint)
}

// keysHelp explains the settings.
func keysHelp() string {
	var lines []string
	for _, k := range settings.Keys() {
		lines = append(lines, fmt.Sprintf("%-13s %s", k.Name, k.Doc))
	}
	return strings.Join(lines, "\n")
}
