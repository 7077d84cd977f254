package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// plugin is a plugin's own file.
type plugin struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Homepage    string          `json:"homepage,omitempty"`
	License     string          `json:"license,omitempty"`
	Source      string          `json:"source,omitempty"`
	Channels    []pluginChannel `json:"channels,omitempty"`
}

type pluginChannel struct {
	Server string `json:"server"`
}

// marketplace is a list of plugins.
type marketplace struct {
	Name    string   `json:"name"`
	Owner   owner    `json:"owner"`
	Plugins []plugin `json:"plugins"`
}

type owner struct {
	Name string `json:"name"`
}

const (
	pluginFolder = "plugin"
	homepage     = "https://github.com/claudemesh/claudemesh"
	about        = "Puts Claude Code sessions on a mesh in which they message each other and see what each works on. Needs the claudemesh program."
)

// Plugin is the content of the folder from which Claude Code installs claudemesh as a
// plugin: files by their path. It does what Install does but for the permission, for
// which Claude Code asks.
func Plugin(skill string) (map[string][]byte, error) {
	hooks := map[string][]hookGroup{}
	for _, e := range Events() {
		hooks[e[0]] = []hookGroup{{[]hook{{"command", Name + " hook " + e[1], hookTimeout}}}}
	}
	documents := map[string]any{
		".claude-plugin/marketplace.json": marketplace{Name, owner{Name}, []plugin{{Name: Name, Description: about, Source: "./" + pluginFolder}}},
		pluginFolder + "/.claude-plugin/plugin.json": plugin{
			Name: Name, Description: about, Homepage: homepage, License: "MIT", Channels: []pluginChannel{{Name}},
		},
		pluginFolder + "/.mcp.json":        map[string]any{"mcpServers": map[string]server{Name: {Command: Name, Args: []string{"mcp"}}}},
		pluginFolder + "/hooks/hooks.json": map[string]any{"hooks": hooks},
	}
	files := map[string][]byte{pluginFolder + "/skills/" + Name + "/SKILL.md": []byte(SkillText(skill))}
	for path, doc := range documents {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		files[path] = b.Bytes()
	}
	return files, nil
}
