package invite

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Scheme begins every link.
const Scheme = "claudemesh://join/"

// Limits of a link.
const (
	MaxLink  = 4 << 10 // characters
	MaxAddrs = 16
	MaxAddr  = 256 // bytes
	maxPeer  = 128 // bytes
)

// Secret is what an invite's bearer has. It prints as "redacted".
type Secret [16]byte

// NewSecret makes a random secret.
func NewSecret() (Secret, error) {
	var s Secret
	if _, err := rand.Read(s[:]); err != nil {
		return s, fmt.Errorf("make an invite: %w", err)
	}
	return s, nil
}

// Key is the invite key: its public half is in the invite's entry, and it signs
// the claim.
func (s Secret) Key() ident.PrivateKey {
	return ident.PrivateKeyFromSeed(ident.KDF(s[:], "invite/key"))
}

func (s Secret) blobKey() [32]byte { return ident.KDF(s[:], "invite/blob") }

// String hides the secret.
func (s Secret) String() string { return "redacted" }

// Format hides the secret under every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText fails with ident.ErrSecret.
func (s Secret) MarshalText() ([]byte, error) { return nil, ident.ErrSecret }

// Link is an invite with the way to the node that admits with it.
type Link struct {
	Secret Secret
	// PeerID is the admitter's libp2p peer id.
	PeerID string
	// Addrs are its addresses, as text; there may be none.
	Addrs []string
}

const (
	tagLinkSecret = 1
	tagLinkPeer   = 2
	tagLinkAddrs  = 3
)

// String is the link in full, the secret in it: for the person who invites, not
// for logs.
func (l Link) String() string {
	var f ident.Fields
	f.Bytes(tagLinkSecret, l.Secret[:])
	f.Text(tagLinkPeer, l.PeerID)
	if len(l.Addrs) > 0 {
		addrs := make([][]byte, len(l.Addrs))
		for i, a := range l.Addrs {
			addrs[i] = []byte(a)
		}
		f.List(tagLinkAddrs, addrs)
	}
	return Scheme + base64.RawURLEncoding.EncodeToString(f.Body())
}

// LogValue hides the link from logs.
func (l Link) LogValue() slog.Value { return slog.StringValue("invite link") }

// ParseLink reads what String writes, and nothing else. It fails with ErrLink.
func ParseLink(text string) (Link, error) {
	token, ok := strings.CutPrefix(text, Scheme)
	if !ok {
		return Link{}, ErrLink
	}
	if len(text) > MaxLink {
		return Link{}, fmt.Errorf("%w: it has %d characters, at most %d", ErrLink, len(text), MaxLink)
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") {
		return Link{}, fmt.Errorf("%w: it was cut or changed on its way; copy all of it", ErrLink)
	}
	l, err := parseLink(body)
	if err != nil {
		return Link{}, fmt.Errorf("%w: %w; copy all of it", ErrLink, err)
	}
	return l, nil
}

func parseLink(body []byte) (Link, error) {
	r, err := ident.ReadFields(body, tagLinkSecret, tagLinkPeer, tagLinkAddrs)
	if err != nil {
		return Link{}, err
	}
	r.Need(tagLinkSecret, tagLinkPeer)
	l := Link{PeerID: r.Text(tagLinkPeer, maxPeer)}
	r.Fixed(tagLinkSecret, l.Secret[:])
	for _, a := range r.List(tagLinkAddrs, MaxAddrs, MaxAddr) {
		if len(a) == 0 || bytes.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return Link{}, fmt.Errorf("bad address")
		}
		l.Addrs = append(l.Addrs, string(a))
	}
	if r.Err() != nil {
		return Link{}, r.Err()
	}
	if l.PeerID == "" || strings.ContainsFunc(l.PeerID, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return Link{}, fmt.Errorf("bad peer id")
	}
	if r.Has(tagLinkAddrs) && len(l.Addrs) == 0 {
		return Link{}, fmt.Errorf("empty list of addresses")
	}
	return l, nil
}
