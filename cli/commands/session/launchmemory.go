package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/store/file"
)

// launchPrefix begins the files, beside the tokens of sessions and removed with those,
// that tell as what a conversation was launched.
const launchPrefix = "launch-"

// launchMemory is such a file.
type launchMemory struct {
	run.LastUsed
	Conversation string `json:"conversation"`
	Folder       string `json:"folder"`
}

func (a *app) launchesFolder() string { return filepath.Join(a.Folder, "sessions") }

// rememberLaunch keeps what was chosen, for the next launch and for when this
// conversation goes on.
func (a *app) rememberLaunch(s flow.Session, conversation string) {
	l := run.LastUsed{Mesh: s.Mesh, Name: &s.Name.Value, Role: &s.Role.Value, Groups: &s.Groups.Value, Mode: &s.Mode.Value}
	a.Remember(l)
	if conversation == "" || file.Dir(a.launchesFolder()) != nil {
		return
	}
	cwd, err := os.Getwd()
	if err != nil {
		return
	}
	sum := sha256.Sum256([]byte(conversation))
	text, err := json.Marshal(launchMemory{LastUsed: l, Conversation: conversation, Folder: cwd})
	if err == nil {
		_ = file.Write(filepath.Join(a.launchesFolder(), launchPrefix+hex.EncodeToString(sum[:16])+".json"), text)
	}
}

// launchedBefore is as what the conversation was launched that is to go on.
func (a *app) launchedBefore(f launchFlags) (run.LastUsed, bool) {
	if f.resume == "" && !f.goOn {
		return run.LastUsed{}, false
	}
	cwd, err := os.Getwd()
	if err != nil {
		return run.LastUsed{}, false
	}
	s, err := a.Setup(false, false)
	if err != nil {
		return run.LastUsed{}, false
	}
	kept := s.Conversations()
	var newest launchMemory
	for _, m := range a.launches() {
		// One in which nothing was said, or that could not be started, is none to go on with.
		at, is := kept[m.Conversation]
		switch {
		case f.resume != "" && m.Conversation == f.resume:
			return m.LastUsed, true
		case f.goOn && m.Folder == cwd && is && !at.Before(kept[newest.Conversation]):
			newest = m
		}
	}
	return newest.LastUsed, newest.Conversation != ""
}

// launches reads what is remembered; what cannot be read is none.
func (a *app) launches() []launchMemory {
	entries, err := os.ReadDir(a.launchesFolder())
	if err != nil {
		return nil
	}
	var out []launchMemory
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), launchPrefix) {
			continue
		}
		var m launchMemory
		text, err := file.Read(filepath.Join(a.launchesFolder(), e.Name()))
		if err != nil || json.Unmarshal(text, &m) != nil {
			continue
		}
		out = append(out, m)
	}
	return out
}
