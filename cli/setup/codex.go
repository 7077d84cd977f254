package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/setup/tomltext"
)

// codexTable is where Codex keeps our server.
var codexTable = []string{"mcp_servers", Name}

func (s *Setup) codexTargets() []target {
	return []target{{
		path: filepath.Join(s.dir("CODEX_HOME", ".codex"), "config.toml"), what: whatServer, main: true,
		put: s.putCodex, take: takeCodex,
	}}
}

// putCodex writes the table of our server at the end. Of one that exists only the
// program is changed.
func (s *Setup) putCodex(old []byte) ([]byte, string, error) {
	all, err := tomltext.Scan(old)
	if err != nil {
		return nil, "", err
	}
	program := tomlText(s.cfg.Program)
	var header *tomltext.Statement
	for i, st := range all {
		path := slices.Concat(st.Table, st.Key)
		if st.Key == nil && !st.List && slices.Equal(path, codexTable) {
			header = &all[i]
			continue
		}
		if st.Key != nil && slices.Equal(st.Table, codexTable) && slices.Equal(st.Key, []string{"command"}) {
			if string(old[st.Value[0]:st.Value[1]]) == program {
				return old, "", nil
			}
			return slices.Concat(old[:st.Value[0]], []byte(program), old[st.Value[1]:]), "", nil
		}
		if within(path) && !slices.Equal(st.Table[:min(2, len(st.Table))], codexTable) || slices.Equal(path, codexTable[:1]) && st.Key != nil {
			return nil, "", fmt.Errorf("%w: write `command = %s` and `args = [\"mcp\"]` into %s yourself", ErrForeign, program, strings.Join(codexTable, "."))
		}
	}
	newline := "\n"
	if bytes.Contains(old, []byte("\r\n")) {
		newline = "\r\n"
	}
	lines := []string{"command = " + program, `args = ["mcp"]`, `default_tools_approval_mode = "approve"`, ""}
	if header != nil {
		return slices.Concat(old[:header.To], []byte(strings.Join(lines[:2], newline)+newline), old[header.To:]), "", nil
	}
	text := strings.Join(append([]string{"[" + strings.Join(codexTable, ".") + "]"}, lines...), newline)
	if len(old) > 0 {
		text = newline + text
		if !bytes.HasSuffix(old, []byte("\n")) {
			text = newline + text
		}
	}
	return append(slices.Clip(old), text...), "", nil
}

// within tells whether a path is our table or something in it.
func within(path []string) bool {
	return len(path) >= 2 && slices.Equal(path[:2], codexTable)
}

// takeCodex removes the tables of our server with what is in them, and the blank line
// in front.
func takeCodex(old []byte) ([]byte, error) {
	all, err := tomltext.Scan(old)
	if err != nil {
		return nil, err
	}
	text := slices.Clone(old)
	for i, st := range slices.Backward(all) {
		if st.Key != nil || !within(st.Table) {
			continue
		}
		end := st.To
		for _, next := range all[i+1:] {
			if next.Key == nil {
				break
			}
			end = next.To
		}
		from := st.From
		for _, blank := range []string{"\r\n", "\n"} {
			if bytes.HasSuffix(text[:from], []byte("\n"+blank)) {
				from -= len(blank)
				break
			}
		}
		text = slices.Concat(text[:from], text[end:])
	}
	return text, nil
}

// tomlText is a string as TOML writes it; its escapes are among those of JSON.
func tomlText(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}
