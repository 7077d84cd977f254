package setup

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Conversations are those of which Claude Code has kept a transcript on this machine, by
// id, and when each was written last. One that was started and in which nothing was said
// has none.
func (s *Setup) Conversations() map[string]time.Time {
	out := make(map[string]time.Time)
	root := filepath.Join(s.claudeFolder(), "projects")
	folders, err := os.ReadDir(root)
	if err != nil {
		return out // none yet
	}
	for _, folder := range folders {
		kept, err := os.ReadDir(filepath.Join(root, folder.Name()))
		if err != nil {
			continue // no folder
		}
		for _, one := range kept {
			id, is := strings.CutSuffix(one.Name(), ".jsonl")
			if info, err := one.Info(); is && err == nil && info.ModTime().After(out[id]) {
				out[id] = info.ModTime()
			}
		}
	}
	return out
}
