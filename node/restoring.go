package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

// RestoringName is the file in the user's folder that is there while a restore is put in
// place. What has been stopped in the middle is finished by the next start of a node, or the
// next restore, whichever comes first.
const RestoringName = "restoring.json"

const (
	stagedPrefix = ".restore-"
	asidePrefix  = ".before-restore."
	restoreLock  = "restoring.lock"
	// restoreWait is for how long another process may be at it.
	restoreWait = 10 * time.Second
	// stagedLock is in what is being built, held by who builds it. It is not put in place.
	stagedLock = "lock"
)

// placing puts what a restore has built in the place of what is there. It is what
// RestoringName holds: written before the first step, removed after the last.
type placing struct {
	// From is the folder with what was built, inside the user's; Aside is what the names end
	// in under which that is kept which was there before.
	From  string   `json:"from"`
	Aside string   `json:"aside"`
	Names []string `json:"names"`

	dir    string
	rename func(from, to string) error
	built  *file.Lock // on what lies in From; nil: nobody builds there
}

// begin makes it known what will be done, durably, and does it. A failure is undone.
func (p placing) begin() (kept []string, err error) {
	lock, err := lockRestore(p.dir)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode what is restored: %w", err)
	}
	if err := errors.Join(syncTree(filepath.Join(p.dir, p.From)), file.Write(p.note(), text)); err != nil {
		return nil, err
	}
	if p.built != nil {
		p.built.Unlock() // from here on the note protects it; Windows removes no file that is open
	}
	return p.finish()
}

// finish does what is still to be done: what lies in From is not in place yet. Run again
// after it was stopped anywhere, it comes to the same end.
func (p placing) finish() (kept []string, err error) {
	var undo []func() error
	move := func(from, to string) error {
		if err := p.rename(from, to); err != nil {
			return err
		}
		undo = append(undo, func() error { return p.rename(to, from) })
		return nil
	}
	for _, name := range p.Names {
		from, at := filepath.Join(p.dir, p.From, name), filepath.Join(p.dir, name)
		aside := at + p.Aside
		switch {
		case there(from) && there(at):
			for n := 2; there(aside); n++ { // something was made here meanwhile
				aside = at + p.Aside + "." + strconv.Itoa(n)
			}
			if err = move(at, aside); err == nil {
				err = move(from, at)
			}
		case there(from):
			err = move(from, at)
		case !there(at) && there(aside): // what was built is gone: better the old than nothing
			err = move(aside, at)
		}
		if err != nil {
			return nil, p.back(err, undo)
		}
		if there(aside) {
			kept = append(kept, aside)
		}
	}
	return kept, errors.Join(file.SyncDir(p.dir), os.RemoveAll(filepath.Join(p.dir, p.From)), file.Remove(p.note()))
}

// back undoes steps, the last one first. What cannot be undone stays known, to be finished.
func (p placing) back(err error, undo []func() error) error {
	for _, step := range slices.Backward(undo) {
		if failed := step(); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return errors.Join(err, file.Remove(p.note()))
}

func (p placing) note() string { return filepath.Join(p.dir, RestoringName) }

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncTree makes the names in a folder durable; the files in it are.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return file.SyncDir(path)
	})
}

// settle finishes a restore that was stopped in the middle, if one was.
func settle(dir string, log *slog.Logger) error {
	if !there(filepath.Join(dir, RestoringName)) {
		return nil
	}
	lock, err := lockRestore(dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	text, err := file.Read(filepath.Join(dir, RestoringName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // who was at it has finished
	}
	if err != nil {
		return fmt.Errorf("read what is restored: %w", err)
	}
	p := placing{dir: dir, rename: os.Rename}
	if json.Unmarshal(text, &p) != nil || !p.ours() {
		return op.Errorf(op.Invalid, "a restore was stopped in the middle, and %s, which tells how far it came, is damaged", p.note()).
			WithHint("restored is what lies in %s, before that was what ends in %s*: move what you want to node.db and keys, then remove that file",
				filepath.Join(dir, stagedPrefix+"*"), asidePrefix)
	}
	kept, err := p.finish()
	if err != nil {
		return op.Errorf(op.Unavailable, "a restore was stopped in the middle and cannot be finished: %w", err).
			WithHint("the folder %s must be yours to write; then try again, nothing is lost", dir)
	}
	log.Warn("a restore that was stopped in the middle is finished", "kept", kept)
	return nil
}

// ours tells whether it names what a restore moves, and nothing else.
func (p placing) ours() bool {
	in := func(prefix, name string) bool { return strings.HasPrefix(name, prefix) && filepath.Base(name) == name }
	return in(stagedPrefix, p.From) && in(asidePrefix, p.Aside) &&
		!slices.ContainsFunc(p.Names, func(name string) bool { return !slices.Contains([]string{keysName, storeName, configName}, name) })
}

// lockRestore keeps other processes from what one restores.
func lockRestore(dir string) (*file.Lock, error) {
	for until := time.Now().Add(restoreWait); ; time.Sleep(10 * time.Millisecond) {
		lock, err := file.TryLock(filepath.Join(dir, restoreLock))
		if lock != nil || err != nil {
			return lock, err
		}
		if time.Now().After(until) {
			return nil, op.Errorf(op.Conflict, "another process is restoring a backup in %s", dir).WithHint("wait until it is done, then try again")
		}
	}
}

// stage makes the folder in which a restore is built, which is the caller's until the lock
// on it is let go of.
func stage(dir, name string) (*file.Lock, error) {
	lock, err := lockRestore(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	if err := file.Dir(filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	built, err := file.TryLock(filepath.Join(dir, name, stagedLock))
	if err == nil && built == nil {
		err = op.Errorf(op.Conflict, "another process is restoring a backup in %s", dir).WithHint("wait until it is done, then try again")
	}
	return built, err
}

// Unfinished lists the folders with keys in them of restores that ended before anything was
// put in place: killed, as a rule. What a living process builds is not among them.
func Unfinished(dir string) ([]string, error) {
	var out []string
	err := unfinished(dir, func(path string) error {
		out = append(out, path)
		return nil
	})
	return out, err
}

// Forget removes them: their keys are nobody's to find.
func Forget(dir string) error { return unfinished(dir, os.RemoveAll) }

// unfinished does something with each such folder.
func unfinished(dir string, do func(path string) error) error {
	staged, _ := filepath.Glob(filepath.Join(dir, stagedPrefix+"*")) // the pattern is a good one
	if len(staged) == 0 || there(filepath.Join(dir, RestoringName)) {
		return nil // what is put in place now is finished first
	}
	lock, err := lockRestore(dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if there(filepath.Join(dir, RestoringName)) {
		return nil
	}
	var failed []error
	for _, path := range staged {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() {
			continue // gone meanwhile, or not of a restore
		}
		built, err := file.TryLock(filepath.Join(path, stagedLock))
		if err != nil || built == nil {
			failed = append(failed, err)
			continue
		}
		built.Unlock() // nobody takes it without the other lock
		failed = append(failed, do(path))
	}
	return errors.Join(failed...)
}
