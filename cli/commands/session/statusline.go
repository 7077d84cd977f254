package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/store/file"
)

// lineFresh is how old what a status line shows may be: nodes write it twice as often.
const lineFresh = time.Minute

// meshLine is what a node keeps of one mesh for status lines, in peer-cache.json by slug.
type meshLine struct {
	Total  int       `json:"total"`
	Online int       `json:"online"`
	At     time.Time `json:"updatedAt"`
	You    string    `json:"you"`
}

// lineDoc is the line for programs.
type lineDoc struct {
	Line string `json:"line"`
}

// statusLineCommand is what agents show below their prompt. It asks no node, and says
// nothing rather than fail.
func (a *app) statusLineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "status-line",
		Short:  "One line about the mesh, for an agent's status line",
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := a.Dir(); err != nil {
				return nil
			}
			line := a.statusLine(time.Now())
			return run.Show(a.App, lineDoc{line}, func(lineDoc) { a.Term.Bare(line) })
		},
	}
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { return nil })
	return cmd
}

// statusLine tells of the mesh used last, else of the first by name.
func (a *app) statusLine(now time.Time) string {
	const mark, most = "◇ ", 1 << 20
	text, err := file.Read(filepath.Join(a.Folder, "peer-cache.json"))
	var meshes map[string]meshLine
	if err != nil || len(text) > most || json.Unmarshal(text, &meshes) != nil || len(meshes) == 0 {
		return mark + "claudemesh (not joined)"
	}
	slug := a.LastMesh()
	m, ok := meshes[slug]
	if !ok {
		slug = slices.Min(slices.Collect(maps.Keys(meshes)))
		m = meshes[slug]
	}
	count := fmt.Sprintf("%s%s · %d/%d", mark, slug, m.Online, m.Total)
	switch {
	case now.Sub(m.At) >= lineFresh || m.At.After(now.Add(lineFresh)):
		return count + " (stale)"
	case m.You != "":
		return count + " online · " + m.You
	default:
		return count + " online"
	}
}
