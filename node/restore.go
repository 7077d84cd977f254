package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/file"
)

// Names in the user's folder that a backup is about.
const (
	storeName  = "node.db"
	keysName   = "keys"
	configName = "config.json"
)

// savedBuckets are the buckets of features whose rows are this machine's own word and
// nobody else's to give back. Their keys must not come from a bucket's counter. The
// first inner bucket is named by a mesh.
func savedBuckets() map[string]func(path []string) bool {
	return map[string]func([]string) bool{
		// grants and marks; not whom somebody was warned about
		"grant": func(path []string) bool { return len(path) == 3 && path[2] == "told" },
	}
}

// saved collects what a backup holds.
func (n *Node) saved(context.Context) (backup.Content, error) {
	c := backup.Content{Schema: schema, Created: n.cfg.Now().UTC().Truncate(time.Second)}
	var err error
	if c.Meshes, err = n.meshes.Saved(); err != nil {
		return c, err
	}
	c.Config, err = file.Read(filepath.Join(n.cfg.Dir, configName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("read settings: %w", err)
	}
	err = n.db.View(func(tx *store.Tx) error {
		c.Rows = nil
		for name, leave := range savedBuckets() {
			c.Rows = append(c.Rows, backup.Read(tx, leave, name)...)
		}
		return nil
	})
	return c, err
}

// Restore says what is to be put back, and where. All fields are needed.
type Restore struct {
	// Dir is the user's claudemesh folder, on which no node may run.
	Dir     string
	Content backup.Content
	Now     time.Time
	Log     *slog.Logger
}

// Restored says what was put back.
type Restored struct {
	// Meshes are their names on this machine.
	Meshes []string
	// Kept are the paths of what was there before.
	Kept []string
}

// Check builds what a backup holds in a folder beside the user's data and opens it as
// a node would. Nothing that is there changes, but for a node key where there is none, and
// that a restore is finished which was stopped in the middle.
// What it returns is put in place by Apply or removed by Discard; without meshes there
// is nothing but the settings to put in place.
func (r Restore) Check(ctx context.Context) (_ *Staged, err error) {
	if r.Content.Schema > schema {
		return nil, backup.ErrNewer
	}
	if err := errors.Join(settle(r.Dir, r.Log), Forget(r.Dir)); err != nil {
		return nil, err
	}
	name := stagedPrefix + strconv.FormatInt(r.Now.UnixMilli(), 10)
	s := &Staged{r: r, dir: filepath.Join(r.Dir, name)}
	if s.lock, err = stage(r.Dir, name); err != nil {
		return nil, err
	}
	if r.Content.Version == 0 {
		return s, nil // the settings of an earlier program
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Discard())
		}
	}()
	if err := file.Dir(filepath.Join(s.dir, keysName)); err != nil {
		return nil, err
	}
	return s, s.build(ctx)
}

// Staged is a restored folder that is not in place yet.
type Staged struct {
	r     Restore
	dir   string
	slugs []string
	lock  *file.Lock // as long as it is being built
}

// Discard removes what Check has built, unless a part of it is in place: then the rest is
// needed.
func (s *Staged) Discard() error {
	if there(filepath.Join(s.r.Dir, RestoringName)) {
		return nil
	}
	s.lock.Unlock() // Windows removes no file that is open
	return os.RemoveAll(s.dir)
}

// build writes the store and the keys, opens the meshes and binds them to this node.
func (s *Staged) build(ctx context.Context) (err error) {
	key, err := nodeKey(s.r.Dir)
	if err != nil {
		return err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return fmt.Errorf("node key: %w", err)
	}
	now := func() time.Time { return s.r.Now }
	db, err := store.Open(store.Config{Path: filepath.Join(s.dir, storeName), Schema: schema, Log: s.r.Log, Now: now})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- db.Run(ctx) }()
	defer func() {
		err = errors.Join(err, db.Close())
		stop()
		<-ran
	}()
	if err := mesh.Unpack(ctx, s.dir, db, s.r.Content.Meshes); err != nil {
		return err
	}
	if err := db.Update(ctx, func(tx *store.Tx) error { return s.rows(tx) }); err != nil {
		return err
	}
	meshes, err := mesh.Open(mesh.Config{Dir: s.dir, DB: db, Peer: id, Now: now, Log: s.r.Log})
	if err != nil {
		return err
	}
	if err := meshes.Restored(ctx); err != nil {
		return err
	}
	for _, m := range meshes.All() {
		s.slugs = append(s.slugs, m.Slug())
	}
	return nil
}

// rows writes those of features.
func (s *Staged) rows(tx *store.Tx) error {
	known := savedBuckets()
	for _, row := range s.r.Content.Rows {
		leave, ok := known[row.Path[0]]
		if !ok || leave(row.Path) {
			return fmt.Errorf("%w: rows of %q", backup.ErrContent, strings.Join(row.Path, "/"))
		}
	}
	return backup.Write(tx, s.r.Content.Rows)
}

// Apply puts what Check has built in place and keeps what was there under names with
// ".before-restore." and the time in ms. It refuses while a node holds the store. Stopped in
// the middle, it is finished by the next start of a node or the next restore.
func (s *Staged) Apply() (Restored, error) {
	out := Restored{Meshes: s.slugs}
	if err := s.unused(); err != nil {
		return out, err
	}
	p := s.placing()
	if s.r.Content.Config != nil {
		if err := file.Write(filepath.Join(s.dir, configName), s.r.Content.Config); err != nil {
			return out, err
		}
	}
	var err error
	out.Kept, err = p.begin()
	return out, err
}

// placing says what is put where.
func (s *Staged) placing() placing {
	p := placing{
		dir: s.r.Dir, From: filepath.Base(s.dir), Aside: asidePrefix + strconv.FormatInt(s.r.Now.UnixMilli(), 10), rename: os.Rename, built: s.lock,
	}
	if s.r.Content.Version != 0 {
		p.Names = []string{keysName, storeName}
	}
	if s.r.Content.Config != nil {
		p.Names = append(p.Names, configName)
	}
	return p
}

// unused fails with op.Conflict while another process has the store open. A store that
// cannot be opened for any other reason is what one restores for.
func (s *Staged) unused() error {
	path := filepath.Join(s.r.Dir, storeName)
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	db, err := store.Open(store.Config{Path: path, Schema: schema, Log: s.r.Log})
	if errors.Is(err, store.ErrLocked) {
		return op.Errorf(op.Conflict, "a node runs on %s: nothing was changed", s.r.Dir).
			WithHint("end it, or the service that starts it, and try again")
	}
	if err == nil {
		return db.Close()
	}
	return nil
}
