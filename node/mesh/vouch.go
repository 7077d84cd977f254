package mesh

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// attestBack is how far back an attestation reaches, so that a clock that is set
// back a little invalidates no message.
const attestBack = time.Hour

// Attest has the own member vouch for a session under a name, with rights.
func (m *Mesh) Attest(session ident.PublicKey, name string, rights trust.Rights) (stmt []byte, until time.Time) {
	now := m.all.cfg.Now()
	from := now.Add(-attestBack)
	until = from.Add(trust.MaxAttest)
	m.mu.Lock()
	m.attested = max(m.attested+1, uint64(now.UnixMilli()))
	seq := m.attested
	m.mu.Unlock()
	s := trust.SignAttest(m.id, m.member, trust.Attest{
		Session: session, Name: name, Rights: rights, From: from, Until: until, Seq: seq,
	})
	return s.Marshal(), until
}

// Vouched returns the session key and name that a current member's attestation
// vouches for at the given time, with the given rights.
func (m *Mesh) Vouched(member ident.PublicKey, raw []byte, when time.Time, need trust.Rights) (trust.Attest, error) {
	a, err := m.vouchers.check(m.id, raw)
	if err != nil {
		return trust.Attest{}, err
	}
	if _, ok := m.admin.State().Member(member); !ok || a.Member != member {
		return trust.Attest{}, fmt.Errorf("%w: %s", ErrNotMember, a.Member)
	}
	return a, a.Allows(when, need)
}

// maxVouchers is how many attestations are remembered.
const maxVouchers = 1024

// vouchers remembers attestations whose form and signature were found good: every
// message of a session brings the same one, and verifying costs as much as the
// message's own signature. Whether its member is one, and whether it holds at a
// time, is never remembered. The zero value is ready.
type vouchers struct {
	mu   sync.Mutex // guards good
	good map[[sha256.Size]byte]trust.Attest
}

// check decodes an attestation and verifies its signature.
func (v *vouchers) check(mesh ident.MeshID, raw []byte) (trust.Attest, error) {
	id := sha256.Sum256(raw)
	v.mu.Lock()
	a, ok := v.good[id]
	v.mu.Unlock()
	if ok {
		return a, nil
	}
	stmt, err := ident.ParseStatement(raw, trust.MaxBody)
	if err != nil {
		return trust.Attest{}, err
	}
	if a, err = trust.CheckAttest(mesh, stmt); err != nil {
		return trust.Attest{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.good) >= maxVouchers || v.good == nil {
		v.good = make(map[[sha256.Size]byte]trust.Attest)
	}
	v.good[id] = a
	return a, nil
}
