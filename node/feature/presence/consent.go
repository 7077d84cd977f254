package presence

import "github.com/claudemesh/claudemesh/overlay/ident"

// kindConsent is the statement by which a session agrees to be a member's: its body
// is the member's key, and the session's key signs it. An attestation alone shows
// only what the member says.
const kindConsent ident.Kind = "consent"

// consentSize is a consent's size in bytes.
const consentSize = 64

// consent returns the session's consent, which never changes. The caller holds f.mu.
func (f *Feature) consent(l *live, m Mesh) []byte {
	sig, ok := l.consents[m.ID]
	if !ok {
		key, have := l.keys[m.ID]
		if !have {
			return nil
		}
		sig = ident.Sign(kindConsent, m.ID, m.Self[:], key).Sigs[0]
		l.consents[m.ID] = sig
	}
	return sig[:]
}

// consents checks a consent.
func consents(mesh ident.MeshID, member, session ident.PublicKey, sig []byte) bool {
	if len(sig) != consentSize {
		return false
	}
	s := ident.Statement{Body: member[:], Sigs: [][64]byte{[64]byte(sig)}}
	return s.Verify(kindConsent, mesh, session) == nil
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
