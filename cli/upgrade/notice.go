package upgrade

import (
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

// Every is how often a newer release is looked for without being asked.
const Every = 24 * time.Hour

// checked is the content of the file that says when that was last done.
type checked struct {
	At time.Time `json:"checked_at"`
}

// Due tells whether a newer release may be looked for without being asked, and notes
// that it was, before it is: what fails is not tried again at once. Where that cannot
// be noted, nothing is due. dir is the user's claudemesh folder.
func Due(dir string, now time.Time) bool {
	path := filepath.Join(dir, "update-check.json")
	var last checked
	if text, err := file.Read(path); err == nil && json.Unmarshal(text, &last) == nil {
		if ago := now.Sub(last.At); ago >= 0 && ago < Every {
			return false
		}
	}
	text, err := json.Marshal(checked{At: now.UTC()})
	return err == nil && file.Write(path, append(text, '\n')) == nil
}
