package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

// maxFile is how large a file of rules may be, in bytes.
const maxFile = 1 << 20

// Source reads the policy from its files. A change of them counts at the next question.
// It is safe for concurrent use.
type Source struct {
	user, system string

	mu   sync.Mutex // guards what follows
	seen [2]stamp
	is   Policy
}

// stamp is what tells one state of a file from another.
type stamp struct {
	size int64
	at   time.Time
	err  string
}

// Path is where a user's rules are, in a claudemesh folder.
func Path(dir string) string { return filepath.Join(dir, "policy.json") }

// System is where the rules of the machine's administrator are.
func System() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "claudemesh", "policy.json")
	}
	return "/etc/claudemesh/policy.json"
}

// NewSource makes a source of two files, which need not exist.
func NewSource(user, system string) *Source { return &Source{user: user, system: system} }

// Policy is what the files say now.
func (s *Source) Policy() Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := [2]stamp{stampOf(s.system), stampOf(s.user)}
	if now == s.seen {
		return s.is
	}
	var systemErr, userErr error
	s.is = Policy{}
	s.is.System, systemErr = load(s.system)
	s.is.User, userErr = load(s.user)
	s.is.Broken = errors.Join(systemErr, userErr)
	s.seen = now
	return s.is
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{err: err.Error()}
	}
	return stamp{size: info.Size(), at: info.ModTime()}
}

// load reads one file; one that is not there has no rules.
func load(path string) (Rules, error) {
	f, err := file.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Rules{}, nil
	}
	if err != nil {
		return Rules{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	raw, err := readAll(f)
	if err == nil {
		var r Rules
		if r, err = Parse(raw); err == nil {
			return r, nil
		}
	}
	return Rules{}, fmt.Errorf("%s: %w", path, err)
}

func readAll(f *os.File) (raw []byte, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFile, info.Size(), maxFile)
	}
	raw = make([]byte, info.Size())
	n, err := f.ReadAt(raw, 0)
	if n == len(raw) {
		err = nil
	}
	return raw[:n], err
}

// Change has fn change the user's rules, and writes them.
func (s *Source) Change(fn func(*Rules)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := load(s.user)
	if err != nil {
		return err
	}
	fn(&r)
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the policy: %w", err)
	}
	s.seen = [2]stamp{}
	return file.Write(s.user, append(raw, '\n'))
}
