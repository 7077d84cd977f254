package doctor

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store/file"
)

const (
	keyFolder = "keys"
	keySuffix = ".key"
)

// fromBackup is what to do about a key that is not as it was.
func fromBackup() op.Phrase {
	return op.Word("put the right file back: `claudemesh restore` of a backup, or from a copy")
}

// lookAtKeys tries every key: it is read, signs, and is the one that the mesh knows.
func lookAtKeys(ctx context.Context, x *exam) []Finding {
	var out []Finding
	keys, err := x.memberKeys()
	if err != nil {
		out = append(out, fail("%v", err).hint("%s", fromBackup()))
	}
	good := 0
	for id, k := range keys {
		if k.err != nil {
			out = append(out, fail("the key of mesh %s cannot be used: %v", id, k.err).hint("%s", fromBackup()))
			continue
		}
		good++
	}
	switch node, err := x.Node.Key(); {
	case errors.Is(err, fs.ErrNotExist): // a node makes one
	case err != nil:
		out = append(out, fail("%v", err).hint("%s; or remove node.key: the node makes a new one, and others learn it from your meshes", fromBackup()))
	default:
		good++
		if h, err := x.health(ctx); err == nil && h.Peer != node {
			out = append(out, fail("node.key is not the key that the running node was started with").
				hint("`claudemesh node down`; the next command starts it with the file as it is now"))
		}
	}
	out = append(out, x.mismatches(ctx, keys)...)
	if len(out) == 0 {
		return one(pass("%d keys, all sign and verify", good))
	}
	return out
}

// memberKey is a key file of a mesh.
type memberKey struct {
	public ident.PublicKey
	err    error
}

// memberKeys reads them all, by mesh id.
func (x *exam) memberKeys() (map[string]memberKey, error) {
	entries, err := os.ReadDir(x.in(keyFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]memberKey)
	for _, e := range entries {
		id, is := strings.CutSuffix(e.Name(), keySuffix)
		if !is {
			continue // an older one that was put aside
		}
		public, err := tryKey(x.in(keyFolder, e.Name()))
		out[id] = memberKey{public, err}
	}
	return out, nil
}

// tryKey reads a member's seed, and has its key sign something.
func tryKey(path string) (ident.PublicKey, error) {
	text, err := file.Read(path)
	if err != nil {
		return ident.PublicKey{}, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(ident.Seed{}) {
		return ident.PublicKey{}, errSeed
	}
	key := ident.Seed(raw).Member()
	said := []byte("claudemesh doctor")
	signed, public := key.Sign(said), key.Public()
	if !ed25519.Verify(public[:], said, signed[:]) {
		return public, errSign
	}
	return public, nil
}

// mismatches compares the keys with what the meshes know of them.
func (x *exam) mismatches(ctx context.Context, keys map[string]memberKey) (out []Finding) {
	list, err := x.meshes(ctx)
	if err != nil {
		return nil // the checks of the node and the meshes tell
	}
	for _, m := range list.Meshes {
		switch k, there := keys[m.ID]; {
		case !there:
			out = append(out, fail("the key of mesh %s is gone: %s is missing; the running node has it in memory alone", m.Slug, x.in(keyFolder, m.ID+keySuffix)).
				hint("make a backup while the node runs: `claudemesh backup`; then restore it"))
		case k.err == nil && k.public.String() != m.MemberKey:
			out = append(out, fail("the key of mesh %s does not match its public half: the file's is %s, the mesh knows you as %s", m.Slug, k.public.String()[:16], m.MemberKey[:16]).
				hint("%s", fromBackup()))
		}
	}
	return out
}
