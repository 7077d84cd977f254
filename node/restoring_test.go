package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

// errKilled is what a process does in a test that is ended from outside: nothing more.
var errKilled = errors.New("killed")

// bed is a folder with data in it, and a restored one that is to take its place.
type bed struct {
	t *testing.T
	placing
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t, placing{dir: t.TempDir(), From: stagedPrefix + "1", Aside: asidePrefix + "1", Names: []string{keysName, storeName, configName}}}
	for name, text := range map[string]string{
		"keys/a.key": "old", "node.db": "old", "config.json": "old",
		".restore-1/keys/a.key": "new", ".restore-1/node.db": "new", ".restore-1/config.json": "new",
	} {
		b.write(name, text)
	}
	return b
}

func (b *bed) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) read(name string) string {
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(text)
}

// until runs steps, and is killed after so many renames. It tells whether it was.
func (b *bed) until(renames int, run func(placing) ([]string, error)) (killed bool) {
	b.t.Helper()
	defer func() {
		if r := recover(); r != nil {
			if killed = r == any(errKilled); !killed {
				panic(r)
			}
		}
	}()
	p := b.placing
	p.rename = func(from, to string) error {
		if renames--; renames < 0 {
			panic(errKilled)
		}
		return os.Rename(from, to)
	}
	if _, err := run(p); err != nil {
		b.t.Fatal(err)
	}
	return false
}

// done checks that all that was restored is in place, and what was before is kept.
func (b *bed) done() {
	b.t.Helper()
	for name, want := range map[string]string{
		"keys/a.key": "new", "node.db": "new", "config.json": "new", "restoring.json": "",
		"keys.before-restore.1/a.key": "old", "node.db.before-restore.1": "old", "config.json.before-restore.1": "old",
	} {
		if got := b.read(name); got != want {
			b.t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if there(filepath.Join(b.dir, ".restore-1")) {
		b.t.Error("what was built is still there")
	}
}

// However far a restore came before it was killed, and whoever went on before being killed as
// well, the next start comes to the same end.
func TestARestoreThatIsKilledIsFinished(t *testing.T) {
	const most = 6 // two renames for each of three names
	for first := range most + 1 {
		for second := range most + 1 {
			t.Run(fmt.Sprint(first, second), func(t *testing.T) {
				b := newBed(t)
				if b.until(first, placing.begin) {
					b.until(second, placing.finish)
				}
				if err := settle(b.dir, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
				b.done()
			})
		}
	}
}

// What a program made meanwhile that knows nothing of the restore is kept, too.
func TestWhatWasMadeMeanwhileIsKept(t *testing.T) {
	b := newBed(t)
	if !b.until(3, placing.begin) {
		t.Fatal("it was not killed")
	}
	b.write("node.db", "meanwhile")
	if err := settle(b.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b.done()
	if got := b.read("node.db.before-restore.1.2"); got != "meanwhile" {
		t.Errorf("what was made meanwhile is %q", got)
	}
}

// What was built and is gone leaves the old in its place, and the end, cut off, nothing to do.
func TestNothingIsLostWithoutWhatWasBuilt(t *testing.T) {
	b := newBed(t)
	if !b.until(1, placing.begin) {
		t.Fatal("it was not killed")
	}
	if err := os.RemoveAll(filepath.Join(b.dir, ".restore-1")); err != nil {
		t.Fatal(err)
	}
	if err := settle(b.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys/a.key", "node.db", "config.json"} {
		if got := b.read(name); got != "old" {
			t.Errorf("%s is %q", name, got)
		}
	}
	b = newBed(t)
	b.until(99, placing.begin)
	b.write(RestoringName, `{"from":".restore-1","aside":".before-restore.1","names":["keys","node.db","config.json"]}`)
	if err := settle(b.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b.done()
}

// A step that fails, without an end of the process, is undone, with all before it.
func TestARestoreThatFailsChangesNothing(t *testing.T) {
	for at := range 6 {
		b := newBed(t)
		p, n := b.placing, at
		p.rename = func(from, to string) error {
			if n--; n == -1 {
				return errKilled
			}
			return os.Rename(from, to)
		}
		if _, err := p.begin(); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"keys/a.key": "old", "node.db": "old", "config.json": "old", ".restore-1/node.db": "new", RestoringName: ""} {
			if got := b.read(name); got != want {
				t.Errorf("failed at %d: %s is %q, not %q", at, name, got, want)
			}
		}
	}
}

// A note that is damaged, or that names what no restore moves, moves nothing.
func TestANoteThatIsNotOurs(t *testing.T) {
	for _, text := range []string{
		"", "{", `{}`, `{"from":"../x","aside":".before-restore.1"}`, `{"from":".restore-1/..","aside":".before-restore.1"}`,
		`{"from":".restore-1","aside":".before-restore.1","names":["../../x"]}`, `{"from":".restore-1","aside":"/x","names":["keys"]}`,
	} {
		b := newBed(t)
		b.write(RestoringName, text)
		err := settle(b.dir, slog.New(slog.DiscardHandler))
		if e := op.AsError(err); err == nil || e.Code != op.Invalid || !strings.Contains(e.Hint, ".before-restore.") {
			t.Errorf("%s: %v", text, err)
		}
		if b.read("node.db") != "old" || b.read(RestoringName) != text {
			t.Errorf("%s: something was moved", text)
		}
	}
}

// A node's start finishes it, and waits for who is at it.
func TestAStartFinishesARestore(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	r := Restore{Dir: dir, Content: backup.Content{Version: 1, Schema: schema}, Now: now, Log: slog.New(slog.DiscardHandler)}
	s, err := r.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := file.TryLock(filepath.Join(dir, restoreLock))
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	b := &bed{t, s.placing()}
	b.write(RestoringName, fmt.Sprintf(`{"from":%q,"aside":%q,"names":["keys","node.db"]}`, b.From, b.Aside))
	started := make(chan error)
	go func() {
		n, err := New(Config{Dir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisplayName: "ana", Version: "test", Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = n.Close()
		}
		started <- err
	}()
	select {
	case err := <-started:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	lock.Unlock()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if there(filepath.Join(dir, RestoringName)) || there(filepath.Join(dir, b.From)) || !there(filepath.Join(dir, storeName)) {
		t.Error("it was not finished")
	}
}

// A start narrows the modes of secret files, and leaves what a link leads to as it is.
func TestTightenFollowsNoLink(t *testing.T) {
	b := newBed(t)
	b.write("outside", "x")
	outside, key := filepath.Join(b.dir, "outside"), filepath.Join(b.dir, "keys", "a.key")
	if err := errors.Join(os.Chmod(outside, 0o644), os.Chmod(key, 0o644), os.Symlink(outside, filepath.Join(b.dir, "keys", "b.key")), os.Mkdir(filepath.Join(b.dir, "keys", "c.key"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := tighten(b.dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{outside: 0o644, key: 0o600, filepath.Join(b.dir, "keys", "c.key"): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// What was built and never put in place is removed as soon as nobody builds there any more,
// and not before; nor is anything that is being put in place.
func TestWhatWasNeverPutInPlace(t *testing.T) {
	b := newBed(t)
	lock, err := stage(b.dir, ".restore-2")
	if err != nil {
		t.Fatal(err)
	}
	b.write(".restore-2/node.db", "new")
	if found, err := Unfinished(b.dir); err != nil || len(found) != 1 || filepath.Base(found[0]) != ".restore-1" {
		t.Errorf("unfinished: %v, %v", found, err)
	}
	if err := Forget(b.dir); err != nil || there(filepath.Join(b.dir, ".restore-1")) || !there(filepath.Join(b.dir, ".restore-2", "node.db")) {
		t.Errorf("forgot the wrong one: %v", err)
	}
	if _, err := stage(b.dir, ".restore-2"); op.CodeOf(err) != op.Conflict {
		t.Errorf("two build in one folder: %v", err)
	}
	b.write(RestoringName, "{}")
	lock.Unlock() // its process has ended
	if err := Forget(b.dir); err != nil || !there(filepath.Join(b.dir, ".restore-2")) {
		t.Errorf("took away what is being put in place: %v", err)
	}
	if err := os.Remove(filepath.Join(b.dir, RestoringName)); err != nil {
		t.Fatal(err)
	}
	if err := Forget(b.dir); err != nil || there(filepath.Join(b.dir, ".restore-2")) {
		t.Errorf("it stays: %v", err)
	}
}

// The next start removes it.
func TestAStartForgetsWhatWasNeverPutInPlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".restore-1", "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	if there(filepath.Join(dir, ".restore-1")) {
		t.Error("it stays")
	}
}
