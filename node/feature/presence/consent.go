package presence

import (
	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// consent returns the session's consent to be this member's, which never changes. The
// caller holds f.mu.
func (f *Feature) consent(l *live, m Mesh) []byte {
	sig, ok := l.consents[m.ID]
	if !ok {
		key, have := l.keys[m.ID]
		if !have {
			return nil
		}
		sig = card.Consent(m.ID, m.Self, key)
		l.consents[m.ID] = sig
	}
	return sig[:]
}

// consented are the consents of a member's sessions that were found good already: each
// beacon repeats them.
func (f *Feature) consented(mesh ident.MeshID, member ident.PublicKey) map[ident.PublicKey][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[ident.PublicKey][]byte)
	if h, ok := f.roster(mesh).Homes[member]; ok {
		for _, c := range h.Beacon.Cards {
			out[c.Key] = c.Consent
		}
	}
	return out
}
