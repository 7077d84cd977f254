package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/setup/tomltext"
)

// codexTable is where Codex keeps our server.
var codexTable = []string{"mcp_servers", Name}

func (s *Setup) codexTargets() []target {
	return []target{{
		path: filepath.Join(s.dir("CODEX_HOME", ".codex"), "config.toml"), what: whatServer, main: true, without: noServer,
		put: s.putCodex, take: takeCodex,
	}}
}

// putCodex writes the table of our server at the end. Of one that starts claudemesh
// already only the program is changed, since all else in it is its user's.
func (s *Setup) putCodex(old []byte) ([]byte, string, error) {
	have, err := lookCodex(old)
	if err != nil {
		return nil, "", err
	}
	program := tomlText(s.cfg.Program)
	switch {
	case have.odd:
		return nil, "", fmt.Errorf("%w: write `command = %s` and `args = [\"mcp\"]` into %s yourself", ErrForeign, program, strings.Join(codexTable, "."))
	case have.starts && have.command == s.cfg.Program:
		return old, "", nil
	case have.starts:
		return slices.Concat(old[:have.at[0]], []byte(program), old[have.at[1]:]), "", nil
	}
	if old, err = takeCodex(old); err != nil {
		return nil, "", err
	}
	newline := "\n"
	if bytes.Contains(old, []byte("\r\n")) {
		newline = "\r\n"
	}
	text := strings.Join([]string{
		"[" + strings.Join(codexTable, ".") + "]", "command = " + program, `args = ["mcp"]`, `default_tools_approval_mode = "approve"`, "",
	}, newline)
	if len(old) > 0 {
		text = newline + text
		if !bytes.HasSuffix(old, []byte("\n")) {
			text = newline + text
		}
	}
	return append(slices.Clip(old), text...), "", nil
}

// codexEntry is what a file holds of our server.
type codexEntry struct {
	command string
	at      [2]int // where the command is written
	starts  bool   // it starts claudemesh
	odd     bool   // it is written in a way that is not changed here
}

// firstMCP tells arguments that begin with ours.
var firstMCP = regexp.MustCompile(`^\[\s*["']mcp["']`)

func lookCodex(text []byte) (codexEntry, error) {
	var e codexEntry
	all, err := tomltext.Scan(text)
	if err != nil {
		return e, err
	}
	mcp := false
	for _, st := range all {
		if st.Key == nil {
			continue
		}
		path, value := slices.Concat(st.Table, st.Key), text[st.Value[0]:st.Value[1]]
		switch {
		case slices.Equal(path, codexTable[:1]), within(path) && !within(st.Table):
			e.odd = true
		case !slices.Equal(st.Table, codexTable):
		case slices.Equal(st.Key, []string{"command"}):
			e.command, _ = tomltext.Text(value)
			e.at = st.Value
		case slices.Equal(st.Key, []string{"args"}):
			mcp = firstMCP.Match(value)
		}
	}
	e.starts = isOurs(e.command) && mcp
	return e, nil
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
