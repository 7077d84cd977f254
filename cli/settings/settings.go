package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// The environment's names.
const (
	EnvListen  = "CLAUDEMESH_LISTEN"
	EnvMDNS    = "CLAUDEMESH_MDNS"
	EnvPortMap = "CLAUDEMESH_PORTMAP"
)

// Value is a setting and where it came from: "default", "config.json", the name of
// an environment variable, or that of a flag.
type Value[T any] struct {
	Value  T      `json:"value"`
	Source string `json:"source"`
}

// Settings are all settings of a node.
type Settings struct {
	// Listen holds multiaddrs; empty means all interfaces and any free port.
	Listen Value[[]string] `json:"listen"`
	// MDNS finds other nodes on the local network.
	MDNS Value[bool] `json:"mdns"`
	// PortMap asks the router for a port (UPnP, NAT-PMP).
	PortMap Value[bool] `json:"portMap"`
	// DisplayName is the name to be known by where a mesh is made or joined.
	DisplayName Value[string] `json:"displayName"`
	// Role is free text, as in reviewer.
	Role Value[string] `json:"role"`
	// MessageMode is push, inbox or off.
	MessageMode Value[string] `json:"messageMode"`
}

// Flags are the settings given on the command line; nil means not given.
type Flags struct {
	Listen        []string
	MDNS, PortMap *bool
}

// config is what this package reads of config.json.
type config struct {
	DisplayName string `json:"displayName"`
	Role        string `json:"role"`
	MessageMode string `json:"messageMode"`
	Node        struct {
		Listen  []string `json:"listen"`
		MDNS    *bool    `json:"mdns"`
		PortMap *bool    `json:"portMap"`
	} `json:"node"`
}

// Load reads the settings that hold in the folder dir. Every error names the place
// to be corrected.
func Load(dir string, getenv func(string) string, flags Flags) (Settings, error) {
	var c config
	if err := read(filepath.Join(dir, "config.json"), &c); err != nil {
		return Settings{}, err
	}
	s := Settings{
		Listen:      Value[[]string]{nil, byDefault},
		MDNS:        Value[bool]{true, byDefault},
		PortMap:     Value[bool]{true, byDefault},
		DisplayName: text(c.DisplayName, ""),
		Role:        text(c.Role, ""),
		MessageMode: text(c.MessageMode, "push"),
	}
	err := errors.Join(
		s.listen(c.Node.Listen, byFile),
		s.listen(list(getenv(EnvListen)), EnvListen),
		s.listen(flags.Listen, "--listen"),
		s.MDNS.set(c.Node.MDNS, byFile),
		s.MDNS.parse(getenv(EnvMDNS), EnvMDNS),
		s.MDNS.set(flags.MDNS, "--mdns"),
		s.PortMap.set(c.Node.PortMap, byFile),
		s.PortMap.parse(getenv(EnvPortMap), EnvPortMap),
		s.PortMap.set(flags.PortMap, "--portmap"),
		CheckMode(s.MessageMode.Value),
	)
	return s, err
}

const (
	byDefault = "default"
	byFile    = "config.json"
)

// read decodes the file at path; a missing one is empty.
func read(path string, into any) error {
	data, err := file.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return nil
}

func text(set, otherwise string) Value[string] {
	if set == "" {
		return Value[string]{otherwise, byDefault}
	}
	return Value[string]{set, byFile}
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// listen takes over addresses, if there are any.
func (s *Settings) listen(given []string, source string) error {
	if len(given) == 0 {
		return nil
	}
	var out []string
	for _, g := range given {
		addrs, err := Addrs(strings.TrimSpace(g))
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		out = append(out, addrs...)
	}
	s.Listen = Value[[]string]{out, source}
	return nil
}

func (v *Value[T]) set(given *T, source string) error {
	if given != nil {
		*v = Value[T]{*given, source}
	}
	return nil
}

// parse takes over a switch from the environment.
func (v *Value[T]) parse(given, source string) error {
	if given == "" {
		return nil
	}
	on, ok := switches[strings.ToLower(given)]
	into, isBool := any(&v.Value).(*bool)
	if !ok || !isBool {
		return fmt.Errorf("%s: %q is neither 0 nor 1", source, given)
	}
	*into, v.Source = on, source
	return nil
}

var switches = map[string]bool{
	"1": true, "true": true, "on": true, "yes": true,
	"0": false, "false": false, "off": false, "no": false,
}

// CheckMode refuses what is no message mode.
func CheckMode(mode string) error {
	switch mode {
	case "push", "inbox", "off":
		return nil
	}
	return fmt.Errorf("messageMode: %q is none of push, inbox, off", mode)
}
