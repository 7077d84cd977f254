package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// The environment's names.
const (
	EnvListen  = "CLAUDEMESH_LISTEN"
	EnvMDNS    = "CLAUDEMESH_MDNS"
	EnvPortMap = "CLAUDEMESH_PORTMAP"
	EnvTools   = "CLAUDEMESH_TOOLS"
	EnvJoins   = "CLAUDEMESH_JOINS"
	EnvRights  = "CLAUDEMESH_RIGHTS"
	// EnvTelemetry switches telemetry, EnvUpdateURL says where releases are.
	EnvTelemetry = "CLAUDEMESH_TELEMETRY"
	EnvUpdateURL = "CLAUDEMESH_UPDATE_URL"
	// EnvMode is one session's message mode.
	EnvMode = "CLAUDEMESH_MESSAGE_MODE"
)

// Value is a setting and where it came from: "default", "config.json", the name of
// an environment variable, or that of a flag.
type Value[T any] struct {
	Value  T      `json:"value"`
	Source string `json:"source"`
}

// Settings are all settings of a node and of the agent sessions on its machine.
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
	// Tools is how many tools an agent session is served: full, core or none.
	Tools Value[string] `json:"tools"`
	// Joins tells agent sessions who comes and goes.
	Joins Value[bool] `json:"joins"`
	// Rights lists what an agent session may do; empty: everything that sessions may.
	Rights Value[string] `json:"rights"`
	// Telemetry lets versions that might send figures about use do so.
	Telemetry Value[bool] `json:"telemetry"`
	// UpdateURL is the address below which the newest release lies; empty: none, and
	// nothing is asked for.
	UpdateURL Value[string] `json:"updateUrl"`
}

// Flags are the settings given on the command line; nil means not given.
type Flags struct {
	Listen               []string
	MDNS, PortMap, Joins *bool
	Tools, Mode, Rights  *string
}

// config is what this package reads of config.json.
type config struct {
	DisplayName string `json:"displayName"`
	Role        string `json:"role"`
	MessageMode string `json:"messageMode"`
	Telemetry   *bool  `json:"telemetry"`
	UpdateURL   string `json:"updateUrl"`
	Node        struct {
		Listen  []string `json:"listen"`
		MDNS    *bool    `json:"mdns"`
		PortMap *bool    `json:"portMap"`
	} `json:"node"`
	MCP struct {
		Tools string `json:"tools"`
		Joins *bool  `json:"joins"`
		// Rights are names with commas between.
		Rights string `json:"rights"`
	} `json:"mcp"`
}

// Load reads the settings that hold in the folder dir. Every error names the place
// to be corrected.
func Load(dir string, getenv func(string) string, flags Flags) (Settings, error) {
	var c config
	if err := read(filepath.Join(dir, fileName), &c); err != nil {
		return Settings{}, err
	}
	return c.settings(getenv, flags)
}

// settings puts together what the file, the environment and the command line say.
func (c config) settings(getenv func(string) string, flags Flags) (Settings, error) {
	s := Settings{
		Listen:      Value[[]string]{nil, byDefault},
		MDNS:        Value[bool]{true, byDefault},
		PortMap:     Value[bool]{true, byDefault},
		DisplayName: text(c.DisplayName, ""),
		Role:        text(c.Role, ""),
		MessageMode: text(c.MessageMode, "push"),
		Tools:       text(c.MCP.Tools, "full"),
		Joins:       Value[bool]{true, byDefault},
		Rights:      text(c.MCP.Rights, ""),
		Telemetry:   Value[bool]{false, byDefault},
		UpdateURL:   text(c.UpdateURL, ""),
	}
	if rights := getenv(EnvRights); rights != "" {
		s.Rights = Value[string]{rights, EnvRights}
	}
	if tools := getenv(EnvTools); tools != "" {
		s.Tools = Value[string]{tools, EnvTools}
	}
	if mode := getenv(EnvMode); mode != "" {
		s.MessageMode = Value[string]{mode, EnvMode}
	}
	if from := getenv(EnvUpdateURL); from != "" {
		s.UpdateURL = Value[string]{from, EnvUpdateURL}
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
		s.Joins.set(c.MCP.Joins, byFile),
		s.Joins.parse(getenv(EnvJoins), EnvJoins),
		s.Joins.set(flags.Joins, "--joins"),
		s.Telemetry.set(c.Telemetry, byFile),
		s.Telemetry.parse(getenv(EnvTelemetry), EnvTelemetry),
		checkUpdateURL(s.UpdateURL),
		s.Tools.set(flags.Tools, "--tools"),
		s.Rights.set(flags.Rights, "--rights"),
		s.MessageMode.set(flags.Mode, "--message-mode"),
		CheckMode(s.MessageMode.Value),
		checkTools(s.Tools),
	)
	return s, err
}

// OfMachine tells whether a setting is the machine's, not one session's alone.
func (v Value[T]) OfMachine() bool { return v.Source == byDefault || v.Source == byFile }

const (
	byDefault = "default"
	byFile    = fileName
)

// fileName is the settings file in the user's folder.
const fileName = "config.json"

// ErrFile: the settings file holds something else than settings.
var ErrFile = errors.New("cannot be read")

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
		return fmt.Errorf("%s %w: %w", path, ErrFile, err)
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

// checkTools refuses what is no tier of tools.
func checkTools(tools Value[string]) error {
	switch tools.Value {
	case "full", "core", "none":
		return nil
	}
	return fmt.Errorf("%s: tools: %q is none of full, core, none", tools.Source, tools.Value)
}

// checkUpdateURL refuses an address that releases should not be fetched from: what
// comes over an open network could be held back by anybody on it.
func checkUpdateURL(at Value[string]) error {
	if at.Value == "" {
		return nil
	}
	u, err := url.Parse(at.Value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s: updateUrl: %q is no address of a folder on the web: https://HOST/PATH, without name, password or query", at.Source, harmless(at.Value))
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !ip.IsLoopback() && u.Hostname() != "localhost") {
		return fmt.Errorf("%s: updateUrl: %q must begin with https://", at.Source, harmless(at.Value))
	}
	return nil
}

// harmless is an address without what may be a secret in it: a name and a password, a query,
// a fragment. It need not be a good one.
func harmless(address string) string {
	if i := strings.LastIndex(address, "@"); i >= 0 {
		scheme, _, ok := strings.Cut(address, "://")
		if !ok || strings.Contains(scheme, "@") {
			scheme = ""
		} else {
			scheme += "://"
		}
		address = scheme + "…@" + address[i+1:]
	}
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i+1] + "…"
	}
	return address
}
