package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
)

// sessionDir are folders that started sessions have in the temporary folder. A name of
// digits alone is a user's folder of sockets.
var sessionDir = regexp.MustCompile(`^claudemesh-[0-9A-Za-z]{6,}$`)

const (
	// deadAfter is the age from which a session's folder that nobody uses is dead.
	deadAfter = 24 * time.Hour
	// tokenAfter is the age from which a session's token that nobody renewed is stale.
	tokenAfter = 90 * 24 * time.Hour
)

// lookForDeadSessions looks for what sessions that are gone have left.
func lookForDeadSessions(ctx context.Context, x *exam) []Finding {
	var out []Finding
	if dead := x.deadDirs(ctx); len(dead) > 0 {
		out = append(out, warn("%s of sessions that are gone in %s: %s", count(len(dead), "folder", "folders"), x.Temp, some(dead)).
			hint("`claudemesh doctor --fix` removes them").by(func(context.Context) (op.Phrase, error) { return x.removeDirs(dead) }))
	}
	if old := x.oldTokens(); len(old) > 0 {
		out = append(out, warn("%s that nobody has used for 90 days in %s", count(len(old), "session token", "session tokens"), x.in("sessions")).
			hint("`claudemesh doctor --fix` removes them").by(func(context.Context) (op.Phrase, error) { return removeAll(old) }))
	}
	if len(out) == 0 {
		return one(pass("nothing is left of sessions that are gone"))
	}
	return out
}

// deadDirs are the names of folders of sessions that are gone.
func (x *exam) deadDirs(ctx context.Context) (out []string) {
	entries, err := os.ReadDir(x.Temp)
	if err != nil {
		return nil
	}
	used := make(map[string]bool)
	for _, p := range x.running(ctx) {
		used[filepath.Clean(p.Getenv(settings.EnvDir))] = true
		used[filepath.Clean(p.Getenv(agent.EnvFolder))] = true
	}
	for _, e := range entries {
		path := filepath.Join(x.Temp, e.Name())
		info, err := e.Info()
		if err != nil || !e.IsDir() || !sessionDir.MatchString(e.Name()) || used[path] {
			continue
		}
		if user, known := x.System.Owner(info); known && user != x.System.User {
			continue
		}
		if l, ours := agent.ReadLaunched(path); ours {
			if l.PID > 0 && !x.Alive(l.PID) {
				out = append(out, e.Name())
			}
			continue
		}
		if allDigits(e.Name()[len("claudemesh-"):]) || x.Now().Sub(newest(path, info)) < deadAfter || !exists(filepath.Join(path, "config.json")) || exists(filepath.Join(path, "node.db")) {
			continue
		}
		out = append(out, e.Name())
	}
	return out
}

func allDigits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// newest is when something in a folder was written last.
func newest(dir string, info fs.FileInfo) time.Time {
	at := info.ModTime()
	if config, err := os.Stat(filepath.Join(dir, "config.json")); err == nil && config.ModTime().After(at) {
		at = config.ModTime()
	}
	return at
}

// removeDirs removes folders inside the temporary one, following no link.
func (x *exam) removeDirs(names []string) (op.Phrase, error) {
	root, err := os.OpenRoot(x.Temp)
	if err != nil {
		return op.Phrase{}, err
	}
	defer root.Close()
	for _, name := range names {
		if err := root.RemoveAll(name); err != nil {
			return op.Phrase{}, err
		}
	}
	return op.Phrasef("removed %s from %s", count(len(names), "folder", "folders"), x.Temp), nil
}

// oldTokens are the paths of tokens that nobody renewed for long.
func (x *exam) oldTokens() (out []string) {
	entries, err := os.ReadDir(x.in("sessions"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && x.Now().Sub(info.ModTime()) > tokenAfter {
			out = append(out, x.in("sessions", e.Name()))
		}
	}
	return out
}

func removeAll(paths []string) (op.Phrase, error) {
	var failed error
	for _, path := range paths {
		failed = errors.Join(failed, os.Remove(path))
	}
	return op.Phrasef("removed %s", count(len(paths), "stale token", "stale tokens")), failed
}
