package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Config says what is to be set up, and where. All fields but Hooks and StatusLine are
// needed.
type Config struct {
	// Home is the user's home folder.
	Home string
	// Getenv reads the variables by which agents are told other folders.
	Getenv func(string) string
	// LookPath finds a program.
	LookPath func(string) (string, error)
	// Program is how agents call claudemesh: by its name, or by an absolute path.
	Program string
	// Copies is the folder for copies of what is changed.
	Copies string
	// Skill is the text that teaches an agent the commands.
	Skill string
	// Hooks and StatusLine say whether those of Claude Code are wanted.
	Hooks, StatusLine bool
	// Now dates copies.
	Now func() time.Time
}

// Result is what became of a file.
type Result string

// The results.
const (
	Added     Result = "added"
	Updated   Result = "updated"
	Unchanged Result = "unchanged"
	Removed   Result = "removed"
	Refused   Result = "refused" // and left as it is
)

// Change is what was done to one file.
type Change struct {
	Agent  string `json:"agent"`
	Path   string `json:"path"`
	What   string `json:"what"` // what of ours it holds
	Result Result `json:"result"`
	// Note is something the user should know; for a refusal, why.
	Note string `json:"note,omitempty"`
	// Main tells that without this file the agent does not get claudemesh at all.
	Main bool `json:"main,omitempty"`
	// Effect is what does not work because of a refusal.
	Effect string `json:"effect,omitempty"`
	// Reason is the kind of a refusal.
	Reason Reason `json:"reason,omitempty"`
}

// Reason is why a file is left as it is, as far as it matters for what to do.
type Reason string

// The reasons.
const (
	Locked  Reason = "locked"  // it may not be written
	Foreign Reason = "foreign" // something of another's stands where ours belongs
	Odd     Reason = "odd"     // all others: it is broken or of an unexpected shape
)

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, ErrReadOnly), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return Locked
	case errors.Is(err, ErrForeign):
		return Foreign
	}
	return Odd
}

// target is one file of an agent with something of ours in it.
type target struct {
	path, what string
	main       bool
	// without is what does not work as long as the file is without ours.
	without string
	// put returns the file with ours in it; a file that is missing is empty. What it
	// notes is for the user.
	put func(old []byte) (text []byte, note string, err error)
	// take returns the file without ours.
	take func(old []byte) ([]byte, error)
	// held says what of ours a file holds; nil: all that what names, or nothing.
	held func(text []byte) string
	// ownFolder: the file is ours as a whole, and so is its folder.
	ownFolder bool
}

// Setup writes and takes back. It is not safe for concurrent use.
type Setup struct {
	cfg   Config
	vault vault
}

// New checks nothing and changes nothing.
func New(cfg Config) *Setup { return &Setup{cfg, vault(cfg.Copies)} }

// Install puts claudemesh into the settings of an agent.
func (s *Setup) Install(agent string) ([]Change, error) {
	return s.each(agent, s.install, func(t target) string { return t.without })
}

// Uninstall takes claudemesh out of them.
func (s *Setup) Uninstall(agent string) ([]Change, error) {
	return s.each(agent, s.uninstall, func(target) string { return "what it holds of claudemesh stays in force" })
}

// Has tells whether an agent is set up with claudemesh, as far as can be read.
func (s *Setup) Has(agent string) bool {
	a, err := find(agent)
	if err != nil {
		return false
	}
	for _, t := range a.targets(s) {
		if !t.main {
			continue
		}
		c, err := look(t.path)
		if err != nil || !c.exists {
			return false
		}
		bare, err := t.take(c.data)
		return err == nil && !bytes.Equal(bare, c.data)
	}
	return false
}

// each does something with the files of an agent. effect is what a refusal of one means.
func (s *Setup) each(agent string, do func(target) (Result, string, error), effect func(target) string) ([]Change, error) {
	a, err := find(agent)
	if err != nil {
		return nil, err
	}
	var out []Change
	for _, t := range a.targets(s) {
		c := Change{Agent: a.Name, Path: t.path, What: t.what, Main: t.main}
		before := t.holds()
		c.Result, c.Note, err = do(t)
		if c.Result == Removed && before != "" {
			c.What = before
		}
		if err != nil {
			c.Result, c.Note, c.Reason, c.Effect = Refused, err.Error(), reasonOf(err), effect(t)
		}
		out = append(out, c)
	}
	return out, nil
}

// holds says what of ours is in the file, as far as that is not the same for all.
func (t target) holds() string {
	if t.held == nil {
		return ""
	}
	c, err := look(t.path)
	if err != nil {
		return ""
	}
	return t.held(c.data)
}

// tries is how often a file that another program writes at the same time is tried.
const tries = 3

func (s *Setup) install(t target) (result Result, note string, err error) {
	for range tries {
		if result, note, err = s.installOnce(t); !errors.Is(err, errMoved) {
			return result, note, err
		}
	}
	return result, note, ErrBusy
}

func (s *Setup) installOnce(t target) (Result, string, error) {
	c, err := look(t.path)
	if err != nil {
		return "", "", err
	}
	text, said, err := t.put(c.data)
	if err != nil {
		return "", "", err
	}
	if c.exists && bytes.Equal(text, c.data) || !c.exists && len(text) == 0 {
		return Unchanged, said, nil
	}
	if c.exists && c.mode&0o200 == 0 {
		return "", "", ErrReadOnly
	}
	n, err := s.before(t, c)
	if err != nil {
		return "", "", err
	}
	if n != nil {
		n.After = digest(text)
	}
	// Noted first: whoever is told that a file is left as it is must find it so. A note
	// about a content that was never written is about no file.
	var old *note
	if was, ok := s.vault.notes()[c.path]; ok {
		old = &was
	}
	if err := s.vault.set(c.path, n); err != nil {
		return "", "", fmt.Errorf("remember what is written: %w", err)
	}
	if err := c.replace(text); err != nil {
		return "", "", errors.Join(err, s.vault.set(c.path, old))
	}
	if bare, err := t.take(c.data); err != nil || bytes.Equal(bare, c.data) {
		return Added, said, nil
	}
	return Updated, said, nil
}

// before keeps a copy of a file that is about to change, and tells what it was before
// anything of ours came into it; nil: that is not known.
func (s *Setup) before(t target, c content) (*note, error) {
	if !c.exists {
		return &note{}, nil
	}
	name, err := s.vault.copyOf(c, s.cfg.Now().UTC().Format("20060102T150405.000"))
	if err != nil {
		return nil, err
	}
	if bare, err := t.take(c.data); err == nil && bytes.Equal(bare, c.data) {
		return &note{Before: name}, nil
	}
	if _, _, known := s.vault.original(c); known {
		n := s.vault.notes()[c.path]
		return &n, nil
	}
	return nil, nil
}

func (s *Setup) uninstall(t target) (result Result, note string, err error) {
	for range tries {
		if result, err = s.uninstallOnce(t); !errors.Is(err, errMoved) {
			return result, "", err
		}
	}
	return result, "", ErrBusy
}

func (s *Setup) uninstallOnce(t target) (Result, error) {
	c, err := look(t.path)
	if err != nil {
		return "", err
	}
	if !c.exists {
		return Unchanged, nil
	}
	text, err := t.take(c.data)
	if err != nil {
		return "", err
	}
	data, existed, known := s.vault.original(c)
	if bytes.Equal(text, c.data) && !known {
		return Unchanged, nil
	}
	gone := t.ownFolder && len(text) == 0
	if known {
		text, gone = data, !existed
	} else if !gone {
		if _, err := s.vault.copyOf(c, s.cfg.Now().UTC().Format("20060102T150405.000")); err != nil {
			return "", err
		}
	}
	if gone {
		err = c.remove(t.ownFolder)
	} else {
		err = c.replace(text)
	}
	if err != nil {
		return "", err
	}
	return Removed, s.vault.set(c.path, nil)
}
