package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/store"
)

// format is how our content is told from the config.json of an earlier program, and
// version what this program writes.
const (
	format  = "claudemesh"
	version = 1
)

// Bounds of a content; more is no content of ours.
const (
	maxMeshes = 1000
	maxRows   = 1_000_000
	maxPath   = 8
	maxName   = 256
	maxKey    = 1 << 10
	maxValue  = 64 << 20
)

// Content is what a backup holds.
type Content struct {
	Format  string `json:"claudemesh_backup"`
	Version int    `json:"version"`
	// Schema is the format of the rows, that of the store they come from.
	Schema  int       `json:"schema"`
	Created time.Time `json:"created"`
	// Config is config.json as it was, nil if there was none.
	Config []byte `json:"config,omitempty"`
	Meshes []Mesh `json:"meshes"`
	// Rows are those of features.
	Rows []Row `json:"rows,omitempty"`
}

// Mesh is one mesh of a backup.
type Mesh struct {
	ID   string `json:"mesh_id"`
	Slug string `json:"slug"`
	// Seed is the member's, 32 bytes.
	Seed []byte `json:"seed"`
	Rows []Row  `json:"rows"`
}

// Row is a key of a store with its value.
type Row struct {
	Path  []string `json:"path"`
	Key   []byte   `json:"key"`
	Value []byte   `json:"value"`
}

// Encode writes a content.
func (c Content) Encode() ([]byte, error) {
	c.Format, c.Version = format, version
	out, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode backup: %w", err)
	}
	return out, nil
}

// Parse reads a content. That of an earlier program, a config.json, gives a Content
// with nothing but that: Version is 0. It fails with ErrContent or ErrNewer.
func Parse(raw []byte) (Content, error) {
	if len(raw) > MaxContent {
		return Content{}, ErrTooLarge
	}
	var head struct {
		Format  *string `json:"claudemesh_backup"`
		Version int     `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || bytes.TrimSpace(raw)[0] != '{' {
		return Content{}, fmt.Errorf("%w: it is no JSON document", ErrContent)
	}
	if head.Format == nil {
		return Content{Config: raw}, nil
	}
	if head.Version > version {
		return Content{}, fmt.Errorf("%w (format %d)", ErrNewer, head.Version)
	}
	var c Content
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrContent, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Content{}, fmt.Errorf("%w: there is more behind its end", ErrContent)
	}
	if err := c.check(); err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrContent, err)
	}
	return c, nil
}

// check refuses what no writer of ours makes. What the rows say is for their owners.
func (c Content) check() error {
	rows := len(c.Rows)
	switch {
	case c.Format != format || c.Version != version || c.Schema < 1:
		return fmt.Errorf("format %q, version %d, schema %d", c.Format, c.Version, c.Schema)
	case len(c.Meshes) > maxMeshes:
		return fmt.Errorf("%d meshes", len(c.Meshes))
	case c.Config != nil && !json.Valid(c.Config):
		return errors.New("its config.json is damaged")
	}
	seen := make(map[string]bool)
	for _, m := range c.Meshes {
		if seen[m.ID] || m.ID == "" || len(m.Seed) != 32 {
			return fmt.Errorf("mesh %q", m.ID)
		}
		seen[m.ID] = true
		if rows += len(m.Rows); rows > maxRows {
			return fmt.Errorf("over %d rows", maxRows)
		}
		if i := slices.IndexFunc(m.Rows, Row.bad); i >= 0 {
			return fmt.Errorf("row %d of mesh %q", i, m.ID)
		}
	}
	if i := slices.IndexFunc(c.Rows, Row.bad); i >= 0 || rows > maxRows {
		return fmt.Errorf("row %d of %d", i, rows)
	}
	return nil
}

func (r Row) bad() bool {
	return len(r.Path) == 0 || len(r.Path) > maxPath || len(r.Key) == 0 || len(r.Key) > maxKey || len(r.Value) > maxValue ||
		slices.ContainsFunc(r.Path, func(s string) bool { return s == "" || len(s) > maxName || s[0] == 0 })
}

// Read copies a bucket with all inside it. leave tells which inner buckets stay out,
// by their path below the store's root; nil leaves none out.
func Read(tx *store.Tx, leave func(path []string) bool, path ...string) []Row {
	var out []Row
	b := tx.Bucket(path...)
	if !b.Exists() || leave != nil && leave(path) {
		return nil
	}
	b.Ascend(nil, func(k, v []byte) bool {
		out = append(out, Row{Path: slices.Clone(path), Key: bytes.Clone(k), Value: bytes.Clone(v)})
		return true
	})
	for _, name := range b.Buckets() {
		out = append(out, Read(tx, leave, append(slices.Clone(path), name)...)...)
	}
	return out
}

// Write puts rows into a store.
func Write(tx *store.Tx, rows []Row) error {
	for _, r := range rows {
		if err := tx.Bucket(r.Path...).Put(r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}
