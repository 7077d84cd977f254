package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/store/file"
)

// launchPrefix begins the files, beside the tokens of sessions and removed with those,
// that tell as what a conversation was launched.
const launchPrefix = "launch-"

// launchMemory is such a file.
type launchMemory struct {
	lastUsed
	Conversation string `json:"conversation"`
	Folder       string `json:"folder"`
}

func (a *app) launchesFolder() string { return filepath.Join(a.folder, "sessions") }

// rememberLaunch keeps what was chosen, for the next launch and for when this
// conversation goes on.
func (a *app) rememberLaunch(s flow.Session, conversation string) {
	l := lastUsed{Mesh: s.Mesh, Name: &s.Name.Value, Role: &s.Role.Value, Groups: &s.Groups.Value, Mode: &s.Mode.Value}
	a.remember(l)
	if conversation == "" || file.Dir(a.launchesFolder()) != nil {
		return
	}
	cwd, err := os.Getwd()
	if err != nil {
		return
	}
	sum := sha256.Sum256([]byte(conversation))
	text, err := json.Marshal(launchMemory{lastUsed: l, Conversation: conversation, Folder: cwd})
	if err == nil {
		_ = file.Write(filepath.Join(a.launchesFolder(), launchPrefix+hex.EncodeToString(sum[:16])+".json"), text)
	}
}

// launchedBefore is as what the conversation was launched that is to go on.
func (a *app) launchedBefore(f launchFlags) (lastUsed, bool) {
	if f.resume == "" && !f.goOn {
		return lastUsed{}, false
	}
	cwd, err := os.Getwd()
	if err != nil {
		return lastUsed{}, false
	}
	var newest launchMemory
	var when int64
	for _, m := range a.launches() {
		fits := f.resume != "" && m.Conversation == f.resume || f.goOn && m.Folder == cwd
		if fits && m.written >= when {
			newest, when = m.launchMemory, m.written
		}
	}
	return newest.lastUsed, newest.Conversation != ""
}

// launchOf is a file and when it was written, in nanoseconds.
type launchOf struct {
	launchMemory
	written int64
}

// launches reads what is remembered; what cannot be read is none.
func (a *app) launches() []launchOf {
	entries, err := os.ReadDir(a.launchesFolder())
	if err != nil {
		return nil
	}
	var out []launchOf
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), launchPrefix) {
			continue
		}
		var m launchOf
		text, err := file.Read(filepath.Join(a.launchesFolder(), e.Name()))
		if err != nil || json.Unmarshal(text, &m.launchMemory) != nil {
			continue
		}
		if info, err := e.Info(); err == nil {
			m.written = info.ModTime().UnixNano()
		}
		out = append(out, m)
	}
	return out
}
