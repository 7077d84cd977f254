package trust

import (
	"crypto/hpke"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Keyring holds the epoch keys that one member knows, by the id of the entry
// that began the epoch. It may be used from several goroutines and prints no
// key.
type Keyring struct {
	mu   sync.RWMutex // guards keys
	keys map[ident.ID][32]byte
}

// NewKeyring makes an empty keyring.
func NewKeyring() *Keyring { return &Keyring{keys: map[ident.ID][32]byte{}} }

// Put adds a key after checking it against the commitment of its epoch in l.
// It fails with ErrKey.
func (k *Keyring) Put(l *Log, epoch ident.ID, key [32]byte) error {
	e, ok := l.Get(epoch)
	if !ok {
		return fmt.Errorf("epoch %s: %w: no such entry", epoch, ErrKey)
	}
	if commit, ok := commitOf(e.body); !ok || commit != CommitKey(key) {
		return fmt.Errorf("epoch %s: %w", epoch, ErrKey)
	}
	k.put(epoch, key)
	return nil
}

// Open adds a key that another member gave, by WrapKey. It fails with seal.ErrOpen,
// or ErrKey if it is not the key of that epoch in l.
func (k *Keyring) Open(l *Log, epoch ident.ID, w Wrap, sealKey hpke.PrivateKey) error {
	e, ok := l.Get(epoch)
	if !ok {
		return fmt.Errorf("epoch %s: %w: no such entry", epoch, ErrKey)
	}
	commit, ok := commitOf(e.body)
	if !ok {
		return fmt.Errorf("epoch %s: %w", epoch, ErrKey)
	}
	key, err := OpenWrap(l.mesh, w, sealKey, commit)
	if err != nil {
		return fmt.Errorf("epoch %s: %w", epoch, err)
	}
	k.put(epoch, key)
	return nil
}

func (k *Keyring) put(epoch ident.ID, key [32]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[epoch] = key
}

// Get finds a key.
func (k *Keyring) Get(epoch ident.ID) ([32]byte, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.keys[epoch]
	return key, ok
}

// Keys is a copy of all keys, for the disk.
func (k *Keyring) Keys() map[ident.ID][32]byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return maps.Clone(k.keys)
}

// Unlock opens all it can: the keys wrapped for the member in l, and the earlier
// keys that those give. It returns the epochs whose keys are new, ascending.
// What does not open is left out: the member then asks others for it.
func (k *Keyring) Unlock(l *Log, member ident.PublicKey, sealKey hpke.PrivateKey) []ident.ID {
	var learned []ident.ID
	epochs := l.epochs()
	for _, e := range epochs {
		if _, known := k.Get(e.id); known {
			continue
		}
		if key, ok := openOwn(l.mesh, e, member, sealKey); ok {
			k.put(e.id, key)
			learned = append(learned, e.id)
		}
	}
	// A later epoch holds keys of earlier ones, so one pass from the end does.
	for _, e := range slices.Backward(epochs) {
		learned = append(learned, k.openPrev(l, e)...)
	}
	return sorted(learned)
}

// epochs are the entries that begin an epoch, each after its parents.
func (l *Log) epochs() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Entry
	for _, e := range l.entries {
		if _, ok := commitOf(e.body); ok {
			out = append(out, e)
		}
	}
	return out
}

// openOwn opens the wrap of member in e, if there is one.
func openOwn(mesh ident.MeshID, e Entry, member ident.PublicKey, sealKey hpke.PrivateKey) ([32]byte, bool) {
	i, ok := slices.BinarySearchFunc(e.wraps, member, func(w Wrap, k ident.PublicKey) int {
		return w.Member.Compare(k)
	})
	if !ok {
		return [32]byte{}, false
	}
	commit, _ := commitOf(e.body)
	key, err := OpenWrap(mesh, e.wraps[i], sealKey, commit)
	return key, err == nil
}

// openPrev opens the earlier keys in e, if its own is known.
func (k *Keyring) openPrev(l *Log, e Entry) []ident.ID {
	part := epochPart(e.body)
	key, known := k.Get(e.id)
	if part == nil || !known {
		return nil
	}
	var learned []ident.ID
	for _, p := range part.Prev {
		if _, have := k.Get(p.Entry); have {
			continue
		}
		plain, err := seal.BoxOpen(prevKey(key, l.mesh), p.Entry[:], p.Box)
		if err != nil || len(plain) != 32 {
			continue
		}
		if k.Put(l, p.Entry, [32]byte(plain)) == nil {
			learned = append(learned, p.Entry)
		}
	}
	return learned
}

// prevKey is the key under which an epoch's entry carries earlier keys.
func prevKey(key [32]byte, mesh ident.MeshID) [32]byte {
	return ident.KDF(key[:], "prev"+string(mesh[:]))
}

// Missing are those of epochs whose keys are not known.
func (k *Keyring) Missing(epochs []ident.ID) []ident.ID {
	return slices.DeleteFunc(slices.Clone(epochs), func(id ident.ID) bool {
		_, ok := k.Get(id)
		return ok
	})
}

// Effective is the key of a set of head epochs, such as State.EpochHeads, with
// the id that names the set. It fails with ErrNoKey if one of theirs is missing.
func (k *Keyring) Effective(heads []ident.ID) (epoch ident.ID, key [32]byte, err error) {
	heads = sorted(heads)
	keys := make([][32]byte, 0, len(heads))
	for _, h := range heads {
		key, ok := k.Get(h)
		if !ok {
			return ident.ID{}, [32]byte{}, fmt.Errorf("epoch %s: %w", h, ErrNoKey)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return ident.ID{}, [32]byte{}, ErrNoKey
	}
	return EpochID(heads), EffectiveKey(keys...), nil
}

// Epoch0 is the key of the epoch that l's genesis began. It fails with ErrNoKey.
func (k *Keyring) Epoch0(l *Log) ([32]byte, error) {
	key, ok := k.Get(l.epochs()[0].id)
	if !ok {
		return [32]byte{}, fmt.Errorf("epoch 0: %w", ErrNoKey)
	}
	return key, nil
}

// Format hides the keys under every verb.
func (k *Keyring) Format(f fmt.State, _ rune) { fmt.Fprint(f, "keyring") }

// LogValue hides the keys from logs.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue("keyring") }

// newEpoch makes an epoch with this key for all members of s but those in
// without: the part that is signed, and the wraps that travel along.
func newEpoch(s *State, without []Principal, ring *Keyring, key [32]byte) (EpochPart, []Wrap, error) {
	var wraps []Wrap
	members := slices.SortedFunc(maps.Keys(s.Members), ident.PublicKey.Compare)
	if len(members) > MaxWraps {
		return EpochPart{}, nil, fmt.Errorf("%w: %d members, at most %d", ErrTooMany, len(members), MaxWraps)
	}
	for _, m := range members {
		if slices.Contains(without, Principal(m)) {
			continue
		}
		w, err := WrapKey(s.Mesh, s.Members[m].Keys, key)
		if err != nil {
			return EpochPart{}, nil, err
		}
		wraps = append(wraps, w)
	}
	part := EpochPart{Commit: CommitKey(key), Wraps: wrapsHash(wraps)}
	for _, h := range s.EpochHeads[:min(len(s.EpochHeads), maxPrev)] {
		earlier, ok := ring.Get(h)
		if !ok {
			continue
		}
		box, err := seal.BoxSeal(prevKey(key, s.Mesh), h[:], earlier[:])
		if err != nil {
			return EpochPart{}, nil, err
		}
		part.Prev = append(part.Prev, PrevKey{Entry: h, Box: box})
	}
	return part, wraps, nil
}
