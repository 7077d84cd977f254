package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
	all, err := statements(old)
	if err != nil {
		return nil, "", err
	}
	program := tomlText(s.cfg.Program)
	var header *statement
	for i, st := range all {
		path := slices.Concat(st.table, st.key)
		if st.key == nil && !st.list && slices.Equal(path, codexTable) {
			header = &all[i]
			continue
		}
		if st.key != nil && slices.Equal(st.table, codexTable) && slices.Equal(st.key, []string{"command"}) {
			if string(old[st.value[0]:st.value[1]]) == program {
				return old, "", nil
			}
			return slices.Concat(old[:st.value[0]], []byte(program), old[st.value[1]:]), "", nil
		}
		if within(path) && !slices.Equal(st.table[:min(2, len(st.table))], codexTable) || slices.Equal(path, codexTable[:1]) && st.key != nil {
			return nil, "", fmt.Errorf("%w: write `command = %s` and `args = [\"mcp\"]` into %s yourself", ErrForeign, program, strings.Join(codexTable, "."))
		}
	}
	newline := "\n"
	if bytes.Contains(old, []byte("\r\n")) {
		newline = "\r\n"
	}
	lines := []string{"command = " + program, `args = ["mcp"]`, `default_tools_approval_mode = "approve"`, ""}
	if header != nil {
		return slices.Concat(old[:header.to], []byte(strings.Join(lines[:2], newline)+newline), old[header.to:]), "", nil
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
	all, err := statements(old)
	if err != nil {
		return nil, err
	}
	text := slices.Clone(old)
	for i, st := range slices.Backward(all) {
		if st.key != nil || !within(st.table) {
			continue
		}
		end := st.to
		for _, next := range all[i+1:] {
			if next.key == nil {
				break
			}
			end = next.to
		}
		from := st.from
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
