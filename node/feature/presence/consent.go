package presence

import "github.com/claudemesh/claudemesh/overlay/ident"

// kindConsent is the statement by which a session agrees to be a member's: its body
// is the member's key, and the session's key signs it. An attestation alone shows
// only what the member says.
const kindConsent ident.Kind = "consent"

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
	if len(sig) != 64 {
		return false
	}
	s := ident.Statement{Body: member[:], Sigs: [][64]byte{[64]byte(sig)}}
	return s.Verify(kindConsent, mesh, session) == nil
}
