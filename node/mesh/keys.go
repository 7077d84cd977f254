package mesh

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// maxKeys is how many keys are given at once.
const maxKeys = 64

// Keys gives a member epoch keys that it lacks.
var Keys = op.Spec[KeysRequest, KeysResponse]{
	ID:    "mesh.keys",
	Doc:   "Give a member's node keys of the mesh that it lacks, sealed to that member.",
	Place: op.AtPeer,
}

// KeysRequest names epochs.
type KeysRequest struct {
	Epochs []string `json:"epochs" jsonschema:"ids of the entries that began them, hex; at most 64"`
}

// KeysResponse has those of the keys that are known.
type KeysResponse struct {
	Keys []SealedKey `json:"keys"`
}

// SealedKey is the key of one epoch.
type SealedKey struct {
	Epoch  string `json:"epoch"`
	Sealed []byte `json:"sealed" jsonschema:"the key by HPKE to the member's seal key, base64"`
}

// answerKeys gives keys to a member, by what this node's log says now.
func (a *Meshes) answerKeys(_ context.Context, c op.Caller, in KeysRequest) (KeysResponse, error) {
	out := KeysResponse{Keys: []SealedKey{}}
	m, asker, err := a.asked(c)
	if err != nil {
		return out, err
	}
	for _, text := range in.Epochs[:min(len(in.Epochs), maxKeys)] {
		id, err := parseID(text)
		if err != nil {
			return out, err
		}
		key, known := m.ring.Get(id)
		if !known {
			continue
		}
		w, err := trust.WrapKey(m.id, asker.Keys, key)
		if err != nil {
			return out, err
		}
		out.Keys = append(out.Keys, SealedKey{Epoch: text, Sealed: w.Sealed})
	}
	return out, nil
}

// asked finds the mesh and the member of another node that asks.
func (a *Meshes) asked(c op.Caller) (*Mesh, trust.Member, error) {
	id, err := ident.ParseMeshID(c.Mesh)
	if err != nil {
		return nil, trust.Member{}, op.Errorf(op.Denied, "only members' nodes may ask for this")
	}
	key, err := parseID(c.Member)
	if err != nil {
		return nil, trust.Member{}, err
	}
	m, here := a.Get(id)
	if !here || !m.In() {
		return nil, trust.Member{}, op.Errorf(op.NotFound, "this node is not in that mesh")
	}
	asker, ok := m.admin.State().Member(ident.PublicKey(key))
	if !ok {
		return nil, asker, op.Errorf(op.Denied, "you are no member of this mesh")
	}
	return m, asker, nil
}

func parseID(text string) (ident.ID, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(ident.ID{}) {
		return ident.ID{}, op.Errorf(op.Invalid, "%q is not 64 hex digits", text)
	}
	return ident.ID(raw), nil
}

// lacking are the epochs whose keys this node should have and has not, at most
// maxKeys of them, the heads first. now tells whether a head is among them, without
// which nothing can be sealed.
func (m *Mesh) lacking() (epochs []ident.ID, now bool) {
	epochs = m.ring.Missing(m.admin.State().EpochHeads)
	now = len(epochs) > 0
	for _, id := range m.ring.Missing(m.admin.Epochs()) {
		if !slices.Contains(epochs, id) {
			epochs = append(epochs, id)
		}
	}
	return epochs[:min(len(epochs), maxKeys)], now
}

// pull asks the members connected now for the keys that are missing, one after the
// other, until nothing is. It tells whether any was learned.
func (m *Mesh) pull(ctx context.Context) (learned bool, err error) {
	for member, at := range m.all.cfg.Net.Near(m.id) {
		want, _ := m.lacking()
		if len(want) == 0 || ctx.Err() != nil {
			break
		}
		in := KeysRequest{}
		for _, id := range want {
			in.Epochs = append(in.Epochs, hex.EncodeToString(id[:]))
		}
		out, asking := Keys.Call(ctx, at, op.Caller{}, in)
		if asking != nil {
			m.log().Debug("epoch keys not given", "mesh", m.id, "member", member, "error", asking)
			continue
		}
		got, keeping := m.takeKeys(ctx, want, out.Keys)
		learned = learned || got
		err = errors.Join(err, keeping)
	}
	return learned, err
}

// takeKeys opens what was given of what is wanted and keeps it on disk.
func (m *Mesh) takeKeys(ctx context.Context, want []ident.ID, given []SealedKey) (learned bool, err error) {
	m.taking.Lock()
	defer m.taking.Unlock()
	for _, k := range given {
		id, err := parseID(k.Epoch)
		if err != nil || !slices.Contains(want, id) {
			continue
		}
		if err := m.ring.Open(m.admin, id, trust.Wrap{Member: m.self, Sealed: k.Sealed}, m.sealKey); err != nil {
			m.log().Warn("epoch key does not fit", "mesh", m.id, "error", err)
			continue
		}
		learned = true
	}
	if !learned {
		return false, nil
	}
	m.ring.Unlock(m.admin, m.self, m.sealKey) // earlier keys travel under later ones
	err = m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error { return m.writeKeys(tx) })
	if err != nil {
		return learned, fmt.Errorf("keep epoch keys: %w", err)
	}
	return learned, nil
}

// epochSets remembers which sets of epochs a log has, as of its number of entries.
type epochSets struct {
	entries int
	sets    map[ident.ID][]ident.ID
}

// headsOf are the epochs that an epoch id stands for, if the log knows them.
func (m *Mesh) headsOf(epoch ident.ID) ([]ident.ID, bool) {
	n := m.admin.Len()
	m.mu.RLock()
	known := m.sets
	m.mu.RUnlock()
	if known.entries != n {
		known = epochSets{n, m.admin.EpochSets()}
		m.mu.Lock()
		m.sets = known
		m.mu.Unlock()
	}
	heads, ok := known.sets[epoch]
	return heads, ok
}

// SealGossip encrypts a gossip payload under the mesh's effective key. Without the
// key of a head it fails with trust.ErrNoKey, and with ErrNotMember after the own
// member was removed: what is sealed under an older key could be read by those who
// are out.
func (m *Mesh) SealGossip(plain []byte) ([]byte, error) {
	if !m.In() {
		return nil, ErrNotMember
	}
	epoch, key, err := m.ring.Effective(m.admin.State().EpochHeads)
	if err != nil {
		return nil, err
	}
	return seal.EpochSeal(key, epoch, seal.UseGossip, m.id, plain)
}

// OpenGossip decrypts a gossip payload of any epoch that the log knows, so that
// nobody falls silent while a new key makes its way. current is false for an older
// one, and ErrUnknownEpoch says that the log or the keys lack something: in both
// cases somebody's log differs. Who may say what is judged by the content's own
// signature, never by the key it was sealed under.
func (m *Mesh) OpenGossip(payload []byte) (plain []byte, current bool, err error) {
	epoch, err := seal.EpochOf(payload)
	if err != nil {
		return nil, false, err
	}
	heads := m.admin.State().EpochHeads
	current = trust.EpochID(heads) == epoch
	if !current {
		var known bool
		if heads, known = m.headsOf(epoch); !known {
			return nil, false, ErrUnknownEpoch
		}
	}
	_, key, err := m.ring.Effective(heads)
	if err != nil {
		return nil, false, ErrUnknownEpoch
	}
	plain, err = seal.EpochOpen(key, seal.UseGossip, m.id, payload)
	return plain, current, err
}
