package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

// Save writes a backup file.
var Save = op.Spec[SaveRequest, SaveResponse]{
	ID: "backup.save",
	Doc: "Write what only this machine has into one sealed file: member keys, admin logs, mesh keys, settings. " +
		"The passphrase stays with whoever asks: the request carries the key derived from it.",
	Names: op.Names{CLI: "backup [file]"},
	Needs: op.Manage,
}

// SaveRequest says where to and under which key.
type SaveRequest struct {
	File string `json:"file" jsonschema:"absolute path of the file to write; it must not exist, unless replace is set"`
	// Salt and Key seal it: the key is Argon2id of the passphrase and the salt.
	Salt    string `json:"salt" jsonschema:"16 random bytes, hex"`
	Key     string `json:"key" jsonschema:"32 bytes, hex: Argon2id of passphrase and salt, 2 passes, 64 MiB, 1 lane"`
	Replace bool   `json:"replace,omitempty" jsonschema:"whether a file that is there may be replaced"`
}

// SaveResponse says what was written.
type SaveResponse struct {
	File   string   `json:"file"`
	Size   int      `json:"size" jsonschema:"bytes"`
	Meshes []string `json:"meshes" jsonschema:"the meshes in it, by name"`
}

// Text says what was written.
func (r SaveResponse) Text() string {
	return fmt.Sprintf("Wrote %s, %d bytes, meshes: %d.", r.File, r.Size, len(r.Meshes))
}

// NewSave asks for a file sealed with a passphrase.
func NewSave(path, passphrase string, replace bool) SaveRequest {
	salt := NewSalt()
	key := Key(passphrase, salt)
	return SaveRequest{File: path, Salt: hex.EncodeToString(salt[:]), Key: hex.EncodeToString(key[:]), Replace: replace}
}

// Saver writes backups of one node. A nil Saver can list its operations.
type Saver struct {
	// Content collects what there is to save.
	Content func(ctx context.Context) (Content, error)
}

// Ops binds the operations.
func (s *Saver) Ops() []op.Op { return []op.Op{Save.Bind(s.save)} }

func (s *Saver) save(ctx context.Context, _ op.Caller, in SaveRequest) (SaveResponse, error) {
	salt, err1 := hex.DecodeString(in.Salt)
	key, err2 := hex.DecodeString(in.Key)
	if errors.Join(err1, err2) != nil || len(salt) != SaltSize || len(key) != KeySize || !filepath.IsAbs(in.File) {
		return SaveResponse{}, op.Errorf(op.Invalid, "a backup needs an absolute path, a salt of %d and a key of %d bytes", SaltSize, KeySize).
			WithHint("use `claudemesh backup`, which makes them")
	}
	if err := place(in); err != nil {
		return SaveResponse{}, err
	}
	c, err := s.Content(ctx)
	if err != nil {
		return SaveResponse{}, err
	}
	plain, err := c.Encode()
	if err != nil {
		return SaveResponse{}, err
	}
	sealed, err := Seal([KeySize]byte(key), Salt(salt), plain)
	clear(plain)
	if err != nil {
		return SaveResponse{}, op.Errorf(op.TooLarge, "%w", err).WithHint("leave meshes you no longer need")
	}
	if err := file.Write(in.File, sealed); err != nil {
		return SaveResponse{}, writeError(in.File, err)
	}
	out := SaveResponse{File: in.File, Size: len(sealed), Meshes: []string{}}
	for _, m := range c.Meshes {
		out.Meshes = append(out.Meshes, m.Slug)
	}
	return out, nil
}

// place refuses a name that something has which is not to be replaced: in the place of a
// device, say, a file would break the machine, and in that of a link hide what it leads to.
func place(in SaveRequest) error {
	info, err := os.Lstat(in.File)
	switch {
	case err != nil:
		return nil // nothing is there, or writing tells why not
	case !info.Mode().IsRegular():
		return op.Errorf(op.Conflict, "%s is no plain file", in.File).WithHint("choose another name: only a file is replaced")
	case !in.Replace:
		return op.Errorf(op.Conflict, "%s exists already", in.File).WithHint("choose another name; --yes replaces it")
	}
	return nil
}

// writeError says what a person can do about a file that cannot be written.
func writeError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return op.Errorf(op.NotFound, "there is no folder %s", filepath.Dir(path)).WithHint("make it, or choose another place")
	case errors.Is(err, fs.ErrPermission):
		return op.Errorf(op.Denied, "%s may not be written", path).WithHint("choose another place")
	}
	return op.Errorf(op.Unavailable, "the backup was not written: %w", err).WithHint("choose another place, or free some space on the disk")
}
