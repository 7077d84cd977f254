package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// Key is a setting that config.json can hold.
type Key struct {
	// Name is how people name it: its path in config.json, joined by dots.
	Name string
	// Doc is one line of help.
	Doc string
	// Env is the environment variable that goes before the file, or empty.
	Env string
	// show gives the setting as it holds.
	show func(Settings) Shown
	// parse makes what the file holds from a word.
	parse func(word string) (any, error)
}

// Shown is a setting as it holds: its value, and where that came from.
type Shown struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
}

const (
	// KeyTelemetry names the setting that `claudemesh telemetry` changes.
	KeyTelemetry = "telemetry"
	// KeyName names the setting of the name to be known by, whose rule the node has.
	KeyName = "displayName"
	// KeyRights names the setting whose words the node knows, not this package.
	KeyRights = "mcp.rights"
)

// Keys lists all settings.
func Keys() []Key {
	return []Key{
		{KeyName, "the name to be known by where a mesh is made or joined", "", shower(func(s Settings) Value[string] { return s.DisplayName }), word},
		{"role", "the role of agent sessions, free text", "", shower(func(s Settings) Value[string] { return s.Role }), word},
		{"messageMode", "push, inbox or off, where a member's profile says nothing", EnvMode, shower(func(s Settings) Value[string] { return s.MessageMode }), word},
		{"node.listen", "addresses to listen on, separated by commas", EnvListen, shower(func(s Settings) Value[[]string] { return s.Listen }), words},
		{"node.mdns", "find others on the local network: on or off", EnvMDNS, shower(func(s Settings) Value[bool] { return s.MDNS }), onOff},
		{"node.portMap", "ask the router for a port: on or off", EnvPortMap, shower(func(s Settings) Value[bool] { return s.PortMap }), onOff},
		{"mcp.tools", "tools of an agent session: full, core or none", EnvTools, shower(func(s Settings) Value[string] { return s.Tools }), word},
		{"mcp.joins", "tell agent sessions who comes and goes: on or off", EnvJoins, shower(func(s Settings) Value[bool] { return s.Joins }), onOff},
		{KeyRights, "what agent sessions may do, as in send,profile,state; empty for everything", EnvRights, shower(func(s Settings) Value[string] { return s.Rights }), word},
		{"updateUrl", "the address below which the newest release lies; empty: none is looked for", EnvUpdateURL, shower(func(s Settings) Value[string] { return s.UpdateURL }), word},
		{KeyTelemetry, "let versions that might send figures about use do so: on or off; this one sends nothing", EnvTelemetry, shower(func(s Settings) Value[bool] { return s.Telemetry }), onOff},
	}
}

// shower shows one field of Settings.
func shower[T any](field func(Settings) Value[T]) func(Settings) Shown {
	return func(s Settings) Shown {
		v := field(s)
		return Shown{Value: v.Value, Source: v.Source}
	}
}

// Show gives the setting as it holds in s.
func (k Key) Show(s Settings) Shown {
	v := k.show(s)
	v.Key = k.Name
	return v
}

// word is a text as it is.
func word(s string) (any, error) { return s, nil }

// words are separated by commas.
func words(s string) (any, error) {
	all := list(s)
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all, nil
}

// onOff is a switch.
func onOff(s string) (any, error) {
	on, ok := switches[strings.ToLower(s)]
	if !ok {
		return nil, fmt.Errorf("%q is neither on nor off", s)
	}
	return on, nil
}

// Set writes a setting into config.json of the folder dir, and leaves the rest of
// it alone. An empty value removes it. What could not be loaded afterwards is
// refused and nothing is written.
func (k Key) Set(dir, value string) error {
	path := filepath.Join(dir, fileName)
	all := map[string]json.RawMessage{}
	if err := read(path, &all); err != nil {
		return err
	}
	if all == nil {
		return fmt.Errorf("%s holds no object", path)
	}
	if len(all) == 0 {
		all["version"] = json.RawMessage("1")
	}
	var raw json.RawMessage
	if value != "" {
		v, err := k.parse(value)
		if err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
		if raw, err = json.Marshal(v); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	if err := put(all, strings.Split(k.Name, "."), raw); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the settings: %w", err)
	}
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if _, err := c.settings(func(string) string { return "" }, Flags{}); err != nil {
		return err
	}
	return file.Write(path, append(text, '\n'))
}

// put sets what stands at a path in an object, or removes it when raw is nil.
func put(all map[string]json.RawMessage, path []string, raw json.RawMessage) error {
	name := path[0]
	if len(path) == 1 {
		if all[name] = raw; raw == nil {
			delete(all, name)
		}
		return nil
	}
	inner := map[string]json.RawMessage{}
	if old, ok := all[name]; ok {
		if err := json.Unmarshal(old, &inner); err != nil || inner == nil {
			return fmt.Errorf("%q is no object", name)
		}
	}
	if err := put(inner, path[1:], raw); err != nil {
		return err
	}
	text, err := json.Marshal(inner)
	if all[name] = text; len(inner) == 0 {
		delete(all, name)
	}
	return err
}

// FileMode returns the permission bits of config.json in dir, and whether there is
// one.
func FileMode(dir string) (fs.FileMode, bool, error) {
	info, err := os.Stat(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look at the settings: %w", err)
	}
	return info.Mode().Perm(), true, nil
}

// Path is where the settings of the folder dir are kept.
func Path(dir string) string { return filepath.Join(dir, fileName) }
