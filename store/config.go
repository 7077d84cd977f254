package store

import (
	"fmt"
	"log/slog"
	"time"
)

// defaultLockTimeout is long enough for a process that is just ending.
const defaultLockTimeout = time.Second

// Config says which store to open and how.
type Config struct {
	// Path of the file. Its folder must exist. The file is created with mode
	// 0600 if there is none; beside it live PATH.schema-N, the copies made
	// before migrations.
	Path string
	// Schema is the format of the data that this program writes, 1 or more.
	Schema int
	// Migrate leads from older schemas to Schema, one step each.
	Migrate []Migration
	// LockTimeout is how long Open waits for another process to let go of
	// the file. Zero means one second.
	LockTimeout time.Duration
	// Log gets one line per event worth one. Nil discards.
	Log *slog.Logger
	// Fatal is called once, from the writer's or a reader's goroutine, when
	// the store has failed (see the package comment). The process must end:
	// the state on disk is unknown until it is opened anew. It may exit the
	// process itself. Nil: only Run's error tells.
	Fatal func(error)
	// Now is the clock for the age of feed entries. Nil means time.Now.
	Now func() time.Time
}

// Migration brings a store of schema From to schema From+1.
type Migration struct {
	From int
	// Do changes the data. All steps run in one transaction with the new
	// schema number; an error or a panic leaves the store as it was.
	Do func(tx *Tx) error
}

// checked returns the config with its defaults, or what is wrong with it.
func (c Config) checked() (Config, error) {
	if c.Path == "" {
		return c, fmt.Errorf("%w: no path", ErrConfig)
	}
	if c.Schema < 1 {
		return c, fmt.Errorf("%w: schema %d", ErrConfig, c.Schema)
	}
	seen := map[int]bool{}
	for _, m := range c.Migrate {
		if m.From < 1 || m.From >= c.Schema || m.Do == nil || seen[m.From] {
			return c, fmt.Errorf("%w: migration from schema %d", ErrConfig, m.From)
		}
		seen[m.From] = true
	}
	if c.LockTimeout <= 0 {
		c.LockTimeout = defaultLockTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
