package card

import "github.com/claudemesh/claudemesh/overlay/ident"

// kindConsent is the statement by which a session agrees to be a member's: its body
// is the member's key, and the session's key signs it. An attestation alone shows
// only what the member says.
const kindConsent ident.Kind = "consent"

// ConsentSize is a consent's size in bytes.
const ConsentSize = 64

// Consent has a session agree to be a member's. It is the same whenever it is made.
func Consent(mesh ident.MeshID, member ident.PublicKey, session ident.PrivateKey) [ConsentSize]byte {
	return ident.Sign(kindConsent, mesh, member[:], session).Sigs[0]
}

// Consents tells whether a consent is that of a session to be a member's.
func Consents(mesh ident.MeshID, member, session ident.PublicKey, consent []byte) bool {
	if len(consent) != ConsentSize {
		return false
	}
	s := ident.Statement{Body: member[:], Sigs: [][64]byte{[64]byte(consent)}}
	return s.Verify(kindConsent, mesh, session) == nil
}
