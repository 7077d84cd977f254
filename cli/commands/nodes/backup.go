package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/store/file"
)

// Bounds of a passphrase: characters at least, as UTF-16 counts them, and bytes at most.
const (
	passphraseLeast = 12
	passphraseMost  = 1024
)

func (a *app) backupCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "backup [file]",
		Short: "Save your keys, meshes and settings into a sealed file",
		Long: "Save your keys, meshes and settings into a file sealed with a passphrase. Who has both\n" +
			"can be you in every mesh. Mail and what the meshes share are not in it: the others\n" +
			"give that back after a restore.",
		Example: "claudemesh backup ~/claudemesh.cmb",
		Args:    run.Words(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := backupPath(args)
			if err != nil {
				return err
			}
			passphrase, err := a.passphrase(cmd.Context(), from, true)
			if err != nil {
				return err
			}
			stop := a.Term.Working("deriving the key")
			in := backup.NewSave(path, passphrase, a.Yes)
			stop()
			out, err := run.Call(cmd.Context(), a.App, backup.Save, in)
			if err != nil {
				return err
			}
			return run.Show(a.App, out, func(backup.SaveResponse) {
				a.Term.Line("%s Saved %s to %s.", term.Green(term.OK), a.Count(len(out.Meshes), "mesh", "meshes"), term.Bold(out.File))
				a.Term.Note("  Without the passphrase it is worth nothing; nobody can reset it.")
			})
		},
	}
	cmd.Flags().StringVar(&from, "passphrase-file", "", "read the passphrase from the first line of a `file`")
	return cmd
}

// backupPath is where a backup goes, absolute.
func backupPath(args []string) (string, error) {
	name := "claudemesh-backup-" + strings.NewReplacer(":", "-", ".", "-").Replace(time.Now().UTC().Format("2006-01-02T15:04:05.000Z")) + ".cmb"
	if len(args) > 0 {
		name = args[0]
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("find the working folder: %w", err)
	}
	return path, nil
}

// passphrase asks for the passphrase of a backup, twice for a new one, or reads it
// from a file.
func (a *app) passphrase(ctx context.Context, from string, fresh bool) (string, error) {
	var text string
	var err error
	if from != "" {
		text, err = passphraseOf(from)
	} else {
		text, err = a.typedPassphrase(ctx, fresh)
	}
	if err != nil {
		return "", err
	}
	if n := len(utf16.Encode([]rune(text))); fresh && n < passphraseLeast {
		return "", run.Usage("choose a longer one: it is all that protects the keys in the file",
			"the passphrase has %d characters, at least %d are needed", n, passphraseLeast)
	}
	return text, nil
}

func (a *app) typedPassphrase(ctx context.Context, fresh bool) (string, error) {
	text, err := a.Term.Secret(ctx, "Passphrase:")
	if err == nil && fresh {
		var again string
		if again, err = a.Term.Secret(ctx, "Once more:"); err == nil && again != text {
			return "", run.Usage("type it anew", "the two passphrases differ")
		}
	}
	if errors.Is(err, term.ErrNoAnswer) {
		return "", run.Usage("run it in a terminal, or give --passphrase-file", "there is nobody to ask for the passphrase")
	}
	return text, err
}

// passphraseOf reads the first line of a file, which may be a pipe from another program.
func passphraseOf(path string) (string, error) {
	raw, err := firstBytes(path, passphraseMost+len("\r\n"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", op.Errorf(op.NotFound, "there is no file %s", path).WithHint("give --passphrase-file the file that holds the passphrase")
	}
	if err != nil {
		return "", op.Errorf(op.Invalid, "the passphrase file cannot be read: %w", err).WithHint("give a file with one line")
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(line) == 0 || len(line) > passphraseMost || !utf8.ValidString(line) {
		return "", run.Usage("put the passphrase into its first line, as UTF-8 text", "%s holds no passphrase", path)
	}
	return line, nil
}

// firstBytes reads a file, of a long one only the beginning.
func firstBytes(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, int64(most)))
	return raw, errors.Join(err, f.Close())
}

func (a *app) restoreCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "restore <file>",
		Short: "Put back what a backup holds",
		Long: "Put back what a backup holds. Everything in it is checked first; what is there now is\n" +
			"kept beside it, under names with .before-restore. in them; where that is a key which the\n" +
			"backup does not hold, you are asked first. A node that runs is stopped.\n" +
			"From then on this machine is your home in those meshes: if the old one still runs, it\n" +
			"is suspended there. Should it be stopped in the middle, the next start finishes it.",
		Example: "claudemesh restore ~/claudemesh.cmb",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := a.openBackup(cmd.Context(), args[0], from)
			if err != nil {
				return err
			}
			out, err := a.restore(cmd.Context(), content)
			if err != nil {
				return err
			}
			return run.Show(a.App, out, a.printRestored)
		},
	}
	cmd.Flags().StringVar(&from, "passphrase-file", "", "read the passphrase from the first line of a `file`")
	return cmd
}

// openBackup reads and opens a backup file.
func (a *app) openBackup(ctx context.Context, path, from string) (backup.Content, error) {
	raw, err := readBackup(path)
	if err != nil {
		return backup.Content{}, err
	}
	if _, err := backup.Head(raw); err != nil {
		return backup.Content{}, op.Errorf(op.Invalid, "%s: %w", path, err).WithHint("give a file that `claudemesh backup` wrote")
	}
	passphrase, err := a.passphrase(ctx, from, false)
	if err != nil {
		return backup.Content{}, err
	}
	stop := a.Term.Working("opening the backup")
	defer stop()
	plain, err := backup.Open(passphrase, raw)
	if err != nil {
		return backup.Content{}, op.Errorf(op.Internal, "%w", err).WithHint("type the passphrase that the backup was made with; nothing was changed")
	}
	c, err := backup.Parse(plain)
	if err != nil {
		return c, op.Errorf(op.Invalid, "%w", err).WithHint("nothing was changed; restore it with the program that made it")
	}
	return c, nil
}

func readBackup(path string) ([]byte, error) {
	f, err := file.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, op.Errorf(op.NotFound, "there is no file %s", path).WithHint("give the path of a backup")
	case errors.Is(err, file.ErrNotPlain):
		return nil, op.Errorf(op.Invalid, "%s is no plain file", path).WithHint("give the path of a backup")
	case err != nil:
		return nil, op.Errorf(op.Denied, "%w", err).WithHint("give the path of a backup that you may read")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, int64(backup.MaxFile)+1))
	if err != nil {
		return nil, op.Errorf(op.Invalid, "%w", err).WithHint("give the path of a backup")
	}
	return raw, nil
}

// restored is the document of a restore.
type restored struct {
	Meshes []string `json:"meshes"`
	Kept   []string `json:"kept"`
	// Replaced are the member keys that were here and are not in the backup.
	Replaced []node.Replaced `json:"replaced"`
	// Started tells that the node, which was stopped for it, runs again.
	Started bool `json:"started"`
}

// restore checks a backup, stops the node and puts the backup in place.
func (a *app) restore(ctx context.Context, c backup.Content) (restored, error) {
	dir, err := a.Dir()
	if err != nil {
		return restored{}, err
	}
	log := slog.New(slog.DiscardHandler)
	staged, err := node.Restore{Dir: dir, Content: c, Now: time.Now(), Log: log}.Check(ctx)
	if err != nil {
		return restored{}, op.Errorf(op.Invalid, "the backup cannot be restored: %w", err).WithHint("nothing was changed")
	}
	lost, err := staged.Replaced()
	if err == nil && len(lost) > 0 {
		a.nameMeshes(ctx, dir, lost)
		err = a.Sure(ctx, putAside(lost))
	}
	if err != nil {
		return restored{}, errors.Join(err, staged.Discard())
	}
	ctl := a.Control(dir, log)
	var done node.Restored
	ran, err := ctl.Without(ctx, false, func() (err error) {
		done, err = staged.Apply()
		return err
	})
	if err != nil {
		return restored{}, errors.Join(err, staged.Discard())
	}
	out := restored{Meshes: append([]string{}, done.Meshes...), Kept: append([]string{}, done.Kept...), Replaced: append([]node.Replaced{}, lost...)}
	if ran && a.Env.Getenv(run.EnvAutoStart) != "0" {
		_, _, err = ctl.Up(ctx)
		out.Started = err == nil
	}
	return out, err
}

// nameMeshes fills in the names of meshes that a running node knows. None is started: what
// it has may be what one restores for.
func (a *app) nameMeshes(ctx context.Context, dir string, lost []node.Replaced) {
	ctx, cancel := context.WithTimeout(ctx, run.ProbeLimit)
	defer cancel()
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	defer client.Close()
	known, err := mesh.List.Call(ctx, client, op.Caller{}, mesh.ListRequest{})
	if err != nil {
		return
	}
	for i := range lost {
		for _, m := range known.Meshes {
			if m.ID == lost[i].Mesh {
				lost[i].Slug = m.Slug
			}
		}
	}
}

// putAside asks whether the keys may be put aside that are not in a backup.
func putAside(lost []node.Replaced) op.Phrase {
	var all op.Phrase
	for i, l := range lost {
		name := run.First(l.Slug, l.Mesh)
		if l.Slug != "" {
			name += " (" + run.Short(l.Mesh) + ")"
		}
		one := op.Phrasef("%s", name)
		if l.Other {
			one = op.Phrasef("%s, which it has with another key", name)
		}
		if i > 0 {
			one = op.Phrasef("%s; %s", all, one)
		}
		all = one
	}
	return op.Phrasef("The backup does not hold your keys in: %s. Put them aside, with the mail there, and be in these meshes no more?", all)
}

func (a *app) printRestored(out restored) {
	if len(out.Meshes) == 0 {
		a.Term.Line("%s Restored the settings; the backup holds no mesh of this program.", term.Green(term.OK))
	} else {
		a.Term.Line("%s Restored %s: %s.", term.Green(term.OK), a.Count(len(out.Meshes), "mesh", "meshes"), strings.Join(out.Meshes, ", "))
	}
	for _, path := range out.Kept {
		a.Term.Line("  what was there before: %s", path)
	}
	for _, l := range out.Replaced {
		a.Term.Line("  no longer on this machine: your key %s in %s", run.Short(l.Member), run.First(l.Slug, l.Mesh))
	}
	if !out.Started {
		a.Term.Line("%s Go on: %s", term.To, term.Cyan("claudemesh status"))
	}
	if len(out.Meshes) == 0 {
		return
	}
	a.Term.Note("  Mail and shared data come back from the other members as they connect. If the old")
	a.Term.Note("  machine still runs, these meshes are suspended there.")
}
