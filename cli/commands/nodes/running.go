package nodes

import (
	"encoding/json"
	"path/filepath"

	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/store/file"
)

// running is what a node notes about itself for `node status`. It is believed only
// if a node with this process id answers.
type running struct {
	PID      int               `json:"pid"`
	Settings settings.Settings `json:"settings"`
}

func runningPath(dir string) string { return filepath.Join(dir, "node.settings") }

func keepSettings(dir string, r running) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return file.Write(runningPath(dir), text)
}

func keptSettings(dir string) (running, bool) {
	var r running
	text, err := file.Read(runningPath(dir))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return running{}, false
	}
	return r, true
}
