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
		put: s.putCodex, take: s.takeCodex,
	}}
}

// putCodex writes the table of our server at the end. Of one that starts claudemesh
// already only the program is changed, since all else in it is its user's.
func (s *Setup) putCodex(old []byte) ([]byte, string, error) {
	have, err := s.lookCodex(old)
	if err != nil {
		return nil, "", err
	}
	program := tomlText(s.cfg.Program)
	switch {
	case have.odd && !have.starts:
		return nil, "", fmt.Errorf("%w: write `command = %s` and `args = [\"mcp\"]` into %s yourself", ErrForeign, program, strings.Join(codexTable, "."))
	case have.starts && have.command == s.cfg.Program:
		return old, "", nil
	case have.starts:
		return slices.Concat(old[:have.at[0]], []byte(program), old[have.at[1]:]), "", nil
	}
	if old, err = dropCodex(old); err != nil {
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
	amid    bool   // all servers are in one line, and one of our name is among them
}

// firstMCP tells arguments that begin with ours. The others find program, arguments and
// a server of our name in a table that is written in one line.
var (
	firstMCP      = regexp.MustCompile(`^\[\s*["']mcp["']`)
	inlineCommand = regexp.MustCompile(`[{,]\s*command\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*')`)
	inlineName    = regexp.MustCompile(`[{,]\s*["']?` + Name + `["']?\s*[=.]`)
	inlineArgs    = regexp.MustCompile(`[{,]\s*args\s*=\s*(\[[^\]]*\])`)
)

func (s *Setup) lookCodex(text []byte) (codexEntry, error) {
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
		e.odd = e.odd || slices.Equal(path, codexTable[:1]) || within(path) && !within(st.Table)
		switch {
		case slices.Equal(path, codexTable[:1]):
			e.amid = inlineName.Match(value)
		case slices.Equal(path, codexTable):
			if m := inlineCommand.FindSubmatchIndex(value); m != nil {
				e.command, _ = tomltext.Text(value[m[2]:m[3]])
				e.at = [2]int{st.Value[0] + m[2], st.Value[0] + m[3]}
			}
			m := inlineArgs.FindSubmatch(value)
			mcp = m != nil && firstMCP.Match(m[1])
		case !within(path) || len(path) != 3:
		case path[2] == "command":
			e.command, _ = tomltext.Text(value)
			e.at = st.Value
		case path[2] == "args":
			mcp = firstMCP.Match(value)
		}
	}
	e.starts = s.ours(e.command) && mcp
	return e, nil
}

// within tells whether a path is our table or something in it.
func within(path []string) bool {
	return len(path) >= 2 && slices.Equal(path[:2], codexTable)
}

// takeCodex removes our server. One of that name that starts something else is another's.
func (s *Setup) takeCodex(old []byte) ([]byte, error) {
	have, err := s.lookCodex(old)
	switch {
	case err != nil:
		return nil, err
	case have.amid:
		return nil, fmt.Errorf("%w: take %s out of the line %s yourself", ErrForeign, Name, codexTable[0])
	case !have.starts:
		return old, nil
	}
	return dropCodex(old)
}

// dropCodex removes the tables of our server with what is in them, and the blank line in
// front, and what says of it in other tables.
func dropCodex(old []byte) ([]byte, error) {
	all, err := tomltext.Scan(old)
	if err != nil {
		return nil, err
	}
	text := slices.Clone(old)
	for i, st := range slices.Backward(all) {
		if st.Key != nil {
			if !within(st.Table) && within(slices.Concat(st.Table, st.Key)) {
				text = slices.Concat(text[:st.From], text[st.To:])
			}
			continue
		}
		if !within(st.Table) {
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
