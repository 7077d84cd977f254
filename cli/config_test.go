package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/run"
)

// here runs a command with the folder dir and what env sets beside it.
func here(t *testing.T, dir string, env map[string]string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = Main(t.Context(), run.Env{
		Args: args, In: strings.NewReader(""), Out: &o, Err: &e, Version: "1.2.3",
		Getenv: func(name string) string {
			if name == "CLAUDEMESH_CONFIG_DIR" {
				return dir
			}
			return env[name]
		},
		Environ: os.Environ,
	})
	return status, o.String(), e.String()
}

// What config shows, what it writes and what a start would use are one thing, and
// text and JSON agree on it (line 28 of the bug catalogue).
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	if status, out, errs := here(t, dir, nil, "config", "set", "mcp.tools", "core"); status != 0 || !strings.Contains(out, "mcp.tools is core (config.json)") {
		t.Fatalf("%d, %q, %q", status, out, errs)
	}
	if status, out, errs := here(t, dir, map[string]string{"CLAUDEMESH_TOOLS": "none"}, "config", "set", "mcp.tools", "full"); status != 0 ||
		!strings.Contains(out, "mcp.tools is none (CLAUDEMESH_TOOLS)") || !strings.Contains(errs, "goes before config.json") {
		t.Fatalf("%d, %q, %q", status, out, errs)
	}
	if status, _, errs := here(t, dir, nil, "config", "set", "node.listen", "127.0.0.1:7000"); status != 0 {
		t.Fatal(errs)
	}
	_, text, _ := here(t, dir, nil, "config")
	_, raw, _ := here(t, dir, nil, "config", "--json")
	var doc struct {
		Settings []struct {
			Key, Source string
			Value       any
		}
	}
	if err := json.Unmarshal([]byte(raw), &doc); err != nil || len(doc.Settings) < 8 {
		t.Fatalf("%v: %s", err, raw)
	}
	for _, s := range doc.Settings {
		line := ""
		for _, l := range strings.Split(text, "\n") {
			if fields := strings.Fields(l); len(fields) > 0 && fields[0] == s.Key {
				line = l
			}
		}
		if !strings.HasSuffix(line, "("+s.Source+")") {
			t.Errorf("%+v is shown as %q", s, line)
		}
	}
	if status, out, _ := here(t, dir, nil, "config", "unset", "mcp.tools"); status != 0 || !strings.Contains(out, "mcp.tools is full (default)") {
		t.Errorf("%d, %q", status, out)
	}
	if status, out, _ := here(t, dir, nil, "config", "get", "mcp.joins", "--json"); status != 0 || !strings.Contains(out, `"value": true`) {
		t.Errorf("%d, %q", status, out)
	}
}

func TestConfigTypedWrong(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"config set", 3, "config set <key> <value>"},
		{"config set mcp.tool core", 5, "did you mean mcp.tools"},
		{"config get x", 5, "`claudemesh config` shows them all"},
		{"config set mcp.tools many", 3, "none of full, core, none"},
		{"config set mcp.joins perhaps", 3, "on or off"},
		{"config set messageMode loud", 3, "push, inbox or off"},
		{"config sett mcp.tools core", 3, "claudemesh config set"},
		{"config --jason", 3, "--json"},
		{"mcp --tools some", 3, `--tools: tools: "some" is none of full, core, none`},
	} {
		status, out, errs := here(t, t.TempDir(), nil, strings.Fields(c.args)...)
		if status != c.status || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, %q, %q", c.args, status, out, errs)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := here(t, dir, nil, "config"); status != 3 || !strings.Contains(errs, "config.json cannot be read") {
		t.Errorf("%d, %q", status, errs)
	}
}
