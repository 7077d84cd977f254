package trust

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxAttest is how long an attestation may run.
const MaxAttest = 24 * time.Hour

// Rights is a set of what a session may do.
type Rights uint64

// The rights. Bits that are not named here are kept and give nothing.
const (
	RightSend Rights = 1 << iota
	RightBroadcast
	RightStateRead
	RightStateWrite
	RightFileRead
	RightFileWrite
	RightCall
	RightProfile
	RightManage

	// AllRights is what a session has unless its member narrows it.
	AllRights = RightManage<<1 - 1
)

var rightNames = [...]string{"send", "broadcast", "state-read", "state-write",
	"file-read", "file-write", "call", "profile", "manage"}

// Has tells whether r holds all of need.
func (r Rights) Has(need Rights) bool { return r&need == need }

// String lists the names of the rights, with commas between.
func (r Rights) String() string {
	var names []string
	for i, n := range rightNames {
		if r.Has(1 << i) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// ParseRights reads what String writes.
func ParseRights(s string) (Rights, error) {
	var r Rights
	if s == "" {
		return 0, nil
	}
next:
	for name := range strings.SplitSeq(s, ",") {
		for i, n := range rightNames {
			if n == name {
				r |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("%w: %q is no right (%s)", ErrInvalid, name, strings.Join(rightNames[:], ", "))
	}
	return r, nil
}

// GuestPrincipal names a classic user behind a service: SHA-256(service's
// member key ‖ the user's classic public key).
func GuestPrincipal(service ident.PublicKey, classic [32]byte) Principal {
	return sha256.Sum256(append(service[:], classic[:]...))
}

// Attest vouches for a session key. Of several for one session the highest seq
// counts.
type Attest struct {
	// Member is the signer.
	Member ident.PublicKey
	// Session is the session's key.
	Session ident.PublicKey
	// Name is the session's name.
	Name string
	// Rights is what the session may do.
	Rights Rights
	// Guest is the classic public key of the user behind a service; zero: none.
	Guest [32]byte
	// From and Until bound its time, at most MaxAttest apart. A zero Until ends
	// the session's attestation.
	From, Until time.Time
	// Seq rises with each attestation of the session.
	Seq uint64
}

const (
	tagAttestMember  = 1
	tagAttestSession = 2
	tagAttestName    = 3
	tagAttestRights  = 4
	tagAttestGuest   = 5
	tagAttestFrom    = 6
	tagAttestUntil   = 7
	tagAttestSeq     = 8
)

// Encode writes the signed body.
func (a Attest) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagAttestMember, a.Member[:])
	f.Bytes(tagAttestSession, a.Session[:])
	f.Text(tagAttestName, a.Name)
	f.Uint(tagAttestRights, uint64(a.Rights))
	if a.Guest != ([32]byte{}) {
		f.Bytes(tagAttestGuest, a.Guest[:])
	}
	f.Uint(tagAttestFrom, millis(a.From))
	f.Uint(tagAttestUntil, millis(a.Until))
	f.Uint(tagAttestSeq, a.Seq)
	return f.Body()
}

// DecodeAttest reads what Encode writes.
func DecodeAttest(body []byte) (Attest, error) {
	r, err := read(body, tagAttestMember, tagAttestSession, tagAttestName, tagAttestRights,
		tagAttestGuest, tagAttestFrom, tagAttestUntil, tagAttestSeq)
	if err != nil {
		return Attest{}, fmt.Errorf("attest: %w", err)
	}
	r.Need(tagAttestMember, tagAttestSession, tagAttestName, tagAttestRights, tagAttestFrom, tagAttestUntil, tagAttestSeq)
	a := Attest{
		Member:  r.Key(tagAttestMember),
		Session: r.Key(tagAttestSession),
		Name:    r.name(tagAttestName),
		Rights:  Rights(r.Uint(tagAttestRights)),
		From:    readTime(r, tagAttestFrom),
		Until:   readTime(r, tagAttestUntil),
		Seq:     r.number(tagAttestSeq),
	}
	r.Fixed(tagAttestGuest, a.Guest[:])
	r.check(a.Until.IsZero() || !a.Until.Before(a.From) && a.Until.Sub(a.From) <= MaxAttest,
		"it must end within %s after it begins", MaxAttest)
	if err := r.done(); err != nil {
		return Attest{}, fmt.Errorf("attest: %w", err)
	}
	return a, nil
}

// SignAttest makes the statement; Member becomes the signer's key.
func SignAttest(mesh ident.MeshID, signer ident.PrivateKey, a Attest) ident.Statement {
	a.Member = signer.Public()
	return ident.Sign(ident.KindAttest, mesh, a.Encode(), signer)
}

// CheckAttest decodes an attestation and verifies its signature. That its
// signer is a member is the admin log's to say.
func CheckAttest(mesh ident.MeshID, stmt ident.Statement) (Attest, error) {
	a, err := DecodeAttest(stmt.Body)
	if err != nil {
		return Attest{}, err
	}
	return a, stmt.Verify(ident.KindAttest, mesh, a.Member)
}

// Allows checks that the session has the rights need at the time at. It fails
// with ErrExpired or ErrRight.
func (a Attest) Allows(at time.Time, need Rights) error {
	switch {
	case a.Until.IsZero():
		return fmt.Errorf("session %s: %w: its member ended it", a.Name, ErrExpired)
	case at.Before(a.From) || at.After(a.Until):
		return fmt.Errorf("session %s: %w: vouched for from %s to %s", a.Name, ErrExpired,
			a.From.Format(time.RFC3339), a.Until.Format(time.RFC3339))
	case !a.Rights.Has(need):
		return fmt.Errorf("session %s: %w: %s", a.Name, ErrRight, need&^a.Rights)
	}
	return nil
}

// Principal is whom the session acts as: its member, or the guest behind it.
func (a Attest) Principal() Principal {
	if a.Guest != ([32]byte{}) {
		return GuestPrincipal(a.Member, a.Guest)
	}
	return Principal(a.Member)
}

// Newer tells whether a counts and o does not, both being for one session. Of
// equal seq the one that ends counts, then the one that ends earlier, then the
// one that gives less.
func (a Attest) Newer(o Attest) bool {
	switch {
	case a.Seq != o.Seq:
		return a.Seq > o.Seq
	case !a.Until.Equal(o.Until):
		return millis(a.Until) < millis(o.Until)
	}
	return a.Rights < o.Rights
}
