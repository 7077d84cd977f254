package invite

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	owner    = ident.Seed{1}
	newcomer = ident.Seed{2}
	secret   = Secret{3}
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// mesh is a mesh with one invite that has the test's secret.
func mesh(t testing.TB) (*trust.Log, *trust.Keyring, ident.ID) {
	t.Helper()
	key := [32]byte{9}
	g := must[trust.Entry](t)(trust.CreateGenesis(owner, "otters", "ana", start, key))
	l := must[*trust.Log](t)(trust.NewLog(g))
	ring := trust.NewKeyring()
	if err := ring.Put(l, g.ID(), key); err != nil {
		t.Fatal(err)
	}
	// An epoch, so that the past has wraps to leave out and the welcome two keys.
	next := [32]byte{8}
	e := must[trust.Entry](t)(l.SignEpoch(owner.Member(), next, ring, start))
	add(t, l, e)
	if err := ring.Put(l, e.ID(), next); err != nil {
		t.Fatal(err)
	}
	return l, ring, inviteWith(t, l, secret, 2)
}

func add(t testing.TB, l *trust.Log, e trust.Entry) ident.ID {
	t.Helper()
	if _, err := l.Add(e); err != nil {
		t.Fatal(err)
	}
	return e.ID()
}

func inviteWith(t testing.TB, l *trust.Log, s Secret, uses int) ident.ID {
	t.Helper()
	v := trust.Invite{Key: s.Key().Public(), Role: trust.RoleMember, Uses: uses}
	return add(t, l, must[trust.Entry](t)(l.SignInvite(owner.Member(), v, start)))
}

func TestJoin(t *testing.T) {
	l, ring, id := mesh(t)
	link := Link{Secret: secret, PeerID: "12D3KooW", Addrs: []string{"/ip4/10.0.0.1/tcp/4001"}}
	blob := must[[]byte](t)(SealBlob(l, secret, id, link.PeerID))

	// The newcomer.
	parsed := must[Link](t)(ParseLink(link.String()))
	offer := must[Offer](t)(OpenBlob(parsed.Secret, blob))
	if offer.Card != (Card{Mesh: "otters", Inviter: "ana", Role: trust.RoleMember}) || offer.Peer != link.PeerID ||
		offer.Mesh() != l.Mesh() || offer.Invite.ID != id || !bytes.Equal(offer.Admitter.Seal, trust.KeysOf(owner).Seal) {
		t.Fatalf("offer %+v", offer)
	}
	claim := trust.SignClaim(offer.Mesh(), newcomer, parsed.Secret.Key(), trust.Claim{Invite: offer.Invite.ID, Peer: []byte("peer"), Name: "bob"})
	sealed := must[[]byte](t)(SealClaim(offer, claim))
	if len(sealed) > 8<<10 {
		t.Errorf("a claim of %d bytes does not fit a frame", len(sealed))
	}

	// The admitter.
	key := secret.Key().Public()
	opened := must[ident.Statement](t)(OpenClaim(l.Mesh(), owner.Member().Public(), owner.Seal(), key, sealed))
	add(t, l, must[trust.Entry](t)(l.SignAdmit(owner.Member(), trust.Admit{Claim: opened, Name: "bob", Invite: id}, start)))
	own := trust.KeysOf(newcomer)
	welcome := must[[]byte](t)(SealWelcome(l, ring, own.Member, key))

	// The newcomer again.
	log, keys, err := OpenWelcome(offer, own, newcomer.Seal(), welcome)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(log.State(), l.State()) || !reflect.DeepEqual(keys.Keys(), ring.Keys()) {
		t.Error("log or keys differ from the admitter's")
	}

	if _, _, err := OpenWelcome(offer, trust.KeysOf(ident.Seed{7}), ident.Seed{7}.Seal(), welcome); !errors.Is(err, ErrWelcome) {
		t.Errorf("somebody else opened the welcome: %v", err)
	}
	if _, err := SealWelcome(l, ring, ident.Seed{7}.Member().Public(), key); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("a welcome for a stranger: %v", err)
	}
	if _, err := SealWelcome(l, trust.NewKeyring(), own.Member, key); !errors.Is(err, trust.ErrNoKey) {
		t.Errorf("a welcome without keys: %v", err)
	}
}

// sealTo seals a welcome's body as an admitter would that does not play fair.
func sealTo(t *testing.T, o Offer, body []byte) []byte {
	t.Helper()
	own := trust.KeysOf(newcomer)
	info := seal.Info(seal.UseWelcome, o.Mesh(), own.Member, seal.KeyID(own.Seal))
	return must[[]byte](t)(seal.Seal(own.Seal, info, o.Invite.Key[:], body))
}

func TestOpenWelcomeChecks(t *testing.T) {
	l, ring, id := mesh(t)
	offer := must[Offer](t)(OpenBlob(secret, must[[]byte](t)(SealBlob(l, secret, id, ""))))
	before := l.Entries()
	claim := trust.SignClaim(l.Mesh(), newcomer, secret.Key(), trust.Claim{Invite: id, Peer: []byte("p")})
	add(t, l, must[trust.Entry](t)(l.SignAdmit(owner.Member(), trust.Admit{Claim: claim, Name: "bob", Invite: id}, start)))
	other, _, _ := mesh(t)
	body := func(entries []trust.Entry, keys []byte) []byte {
		var raw [][]byte
		for _, e := range entries {
			raw = append(raw, e.Marshal())
		}
		var f ident.Fields
		f.List(tagWelcomeEntries, raw)
		f.Bytes(tagWelcomeKeys, keys)
		return f.Body()
	}
	var keys []byte
	for epoch, key := range ring.Keys() {
		keys = append(append(keys, epoch[:]...), key[:]...)
	}
	wrong := bytes.Clone(keys)
	wrong[63] ^= 1
	for name, b := range map[string][]byte{
		"no member":      body(before, keys),
		"another mesh":   body(other.Entries(), keys),
		"a log with gap": body(append([]trust.Entry{before[0]}, before[2:]...), keys),
		"no entries":     body(nil, keys),
		"a wrong key":    body(l.Entries(), wrong),
		"no keys":        body(l.Entries(), nil),
		"half a key":     body(l.Entries(), keys[:70]),
		"bare entries":   body([]trust.Entry{before[0], before[1].Bare()}, keys),
		"nothing":        nil,
		"rubbish":        []byte("rubbish"),
	} {
		if _, _, err := OpenWelcome(offer, trust.KeysOf(newcomer), newcomer.Seal(), sealTo(t, offer, b)); !errors.Is(err, ErrWelcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := OpenWelcome(offer, trust.KeysOf(newcomer), newcomer.Seal(), sealTo(t, offer, body(l.Entries(), keys))); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func TestOpenBlobChecks(t *testing.T) {
	l, _, id := mesh(t)
	good := must[[]byte](t)(SealBlob(l, secret, id, "peer"))
	if _, err := OpenBlob(Secret{4}, good); !errors.Is(err, ErrBlob) {
		t.Errorf("another secret: %v", err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	if _, err := OpenBlob(secret, flipped); !errors.Is(err, ErrBlob) {
		t.Errorf("a flipped bit: %v", err)
	}
	if _, err := SealBlob(l, Secret{4}, id, ""); !errors.Is(err, ErrBlob) {
		t.Errorf("sealed under another secret: %v", err)
	}
	other := inviteWith(t, l, Secret{4}, 1)
	key := secret.Key().Public()
	plain := must[[]byte](t)(seal.BoxOpen(secret.blobKey(), key[:], good))
	entries := func(id ident.ID) (raw [][]byte) {
		for _, e := range l.Past(id) {
			raw = append(raw, e.Bare().Marshal())
		}
		return raw
	}
	forge := func(change func(f *forgery)) []byte {
		f := &forgery{entries: entries(id), member: owner.Member().Public(), seal: trust.KeysOf(owner).Seal,
			card: Card{Mesh: "otters", Inviter: "ana", Role: trust.RoleMember}}
		change(f)
		return must[[]byte](t)(seal.BoxSeal(secret.blobKey(), key[:], f.body()))
	}
	if _, err := OpenBlob(secret, forge(func(*forgery) {})); err != nil {
		t.Errorf("the right one: %v", err)
	}
	for name, b := range map[string][]byte{
		"another invite":    forge(func(f *forgery) { f.entries = entries(other) }),
		"no invite":         forge(func(f *forgery) { f.entries = f.entries[:1] }),
		"no entries":        forge(func(f *forgery) { f.entries = nil }),
		"a gap":             forge(func(f *forgery) { f.entries = append(f.entries[:1:1], f.entries[2:]...) }),
		"another admitter":  forge(func(f *forgery) { f.member = newcomer.Member().Public() }),
		"another seal key":  forge(func(f *forgery) { f.seal = trust.KeysOf(newcomer).Seal }),
		"a lying card":      forge(func(f *forgery) { f.card.Mesh = "bank" }),
		"a lying role":      forge(func(f *forgery) { f.card.Role = trust.RoleAdmin }),
		"a changed entry":   forge(func(f *forgery) { f.entries[1][20] ^= 1 }),
		"a field too much":  must[[]byte](t)(seal.BoxSeal(secret.blobKey(), key[:], append(plain, 200, 1, 0))),
		"nothing":           must[[]byte](t)(seal.BoxSeal(secret.blobKey(), key[:], nil)),
		"a blob cut short":  good[:20],
		"something ahead":   append([]byte{0}, good...),
		"something behind":  append(bytes.Clone(good), 0),
		"nothing at all":    nil,
		"more than allowed": make([]byte, MaxBlob+1),
	} {
		if _, err := OpenBlob(secret, b); !errors.Is(err, ErrBlob) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type forgery struct {
	entries [][]byte
	member  ident.PublicKey
	seal    []byte
	card    Card
}

func (o *forgery) body() []byte {
	var f ident.Fields
	f.List(tagBlobEntries, o.entries)
	f.Bytes(tagBlobMember, o.member[:])
	f.Bytes(tagBlobSeal, o.seal)
	f.Text(tagBlobMesh, o.card.Mesh)
	f.Text(tagBlobInviter, o.card.Inviter)
	f.Uint(tagBlobRole, uint64(o.card.Role))
	return f.Body()
}

func TestOpenClaimChecks(t *testing.T) {
	l, _, id := mesh(t)
	offer := must[Offer](t)(OpenBlob(secret, must[[]byte](t)(SealBlob(l, secret, id, ""))))
	claim := trust.SignClaim(l.Mesh(), newcomer, secret.Key(), trust.Claim{Invite: id, Peer: []byte("p")})
	sealed := must[[]byte](t)(SealClaim(offer, claim))
	me, key := owner.Member().Public(), secret.Key().Public()
	if _, err := OpenClaim(l.Mesh(), me, newcomer.Seal(), key, sealed); !errors.Is(err, ErrClaim) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := OpenClaim(l.Mesh(), me, owner.Seal(), newcomer.Member().Public(), sealed); !errors.Is(err, ErrClaim) {
		t.Errorf("another invite: %v", err)
	}
	if _, err := OpenClaim(l.Mesh(), me, owner.Seal(), key, make([]byte, MaxClaim+1)); !errors.Is(err, ErrClaim) {
		t.Errorf("too long: %v", err)
	}
	info := seal.Info(seal.UseClaim, l.Mesh(), me, seal.KeyID(offer.Admitter.Seal))
	rubbish := must[[]byte](t)(seal.Seal(offer.Admitter.Seal, info, key[:], []byte("rubbish")))
	if _, err := OpenClaim(l.Mesh(), me, owner.Seal(), key, rubbish); !errors.Is(err, ErrClaim) {
		t.Errorf("no statement: %v", err)
	}
}

func TestLinkRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Link{
			Secret: Secret(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "secret")),
			PeerID: rapid.StringMatching(`[a-zA-Z0-9]{1,60}`).Draw(t, "peer"),
		}
		for range rapid.IntRange(0, 8).Draw(t, "addrs") {
			l.Addrs = append(l.Addrs, rapid.StringMatching(`/ip[46]/[0-9a-f.:]{1,40}/(tcp|udp)/[0-9]{1,5}`).Draw(t, "addr"))
		}
		got, err := ParseLink(l.String())
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Fatalf("%s came back as %+v, %v", l, got, err)
		}
	})
}

func TestParseLinkRefuses(t *testing.T) {
	good := Link{Secret: secret, PeerID: "12D3KooW", Addrs: []string{"/ip4/10.0.0.1/tcp/4001"}}.String()
	encode := func(f func(f *ident.Fields)) string {
		var fields ident.Fields
		f(&fields)
		return Scheme + base64.RawURLEncoding.EncodeToString(fields.Body())
	}
	for name, text := range map[string]string{
		"empty":              "",
		"scheme alone":       Scheme,
		"cut":                good[:len(good)-3],
		"other scheme":       strings.Replace(good, "claudemesh", "https", 1),
		"upper-case scheme":  strings.Replace(good, "claudemesh", "CLAUDEMESH", 1),
		"padded":             good + "=",
		"line break":         good[:40] + "\n" + good[40:],
		"space behind":       good + " ",
		"classic":            "claudemesh://join/eyJ2IjoxfQ",
		"too long":           Scheme + strings.Repeat("A", MaxLink),
		"short secret":       encode(func(f *ident.Fields) { f.Bytes(1, []byte("x")); f.Text(2, "p") }),
		"no peer":            encode(func(f *ident.Fields) { f.Bytes(1, secret[:]) }),
		"peer with a space":  encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "a b") }),
		"empty address":      encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "p"); f.List(3, [][]byte{{}}) }),
		"address not ASCII":  encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "p"); f.List(3, [][]byte{[]byte("é")}) }),
		"no address":         encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "p"); f.List(3, nil) }),
		"too many addresses": encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "p"); f.List(3, make([][]byte, MaxAddrs+1)) }),
		"unknown field":      encode(func(f *ident.Fields) { f.Bytes(1, secret[:]); f.Text(2, "p"); f.Text(4, "x") }),
	} {
		if l, err := ParseLink(text); !errors.Is(err, ErrLink) {
			t.Errorf("%s: ParseLink(%q) = %v, %v", name, text, l, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := Secret{0xde, 0xad, 0xbe, 0xef}
	link := Link{Secret: s, PeerID: "p"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "link", link)
	text := log.String() + fmt.Sprintf("%v %+v %#v %x %d %s", s, s, s, s, s, s)
	for _, bad := range []string{"deadbeef", "222", "0xde", strings.TrimPrefix(link.String(), Scheme)} {
		if strings.Contains(text, bad) {
			t.Errorf("a secret shows as %q in %s", bad, text)
		}
	}
	if b, err := json.Marshal(s); !errors.Is(err, ident.ErrSecret) {
		t.Errorf("json.Marshal = %s, %v", b, err)
	}
	a, b := must[Secret](t)(NewSecret()), must[Secret](t)(NewSecret())
	if a == b || a.Key().Public() == b.Key().Public() {
		t.Error("two secrets are alike")
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add(Link{Secret: secret, PeerID: "12D3KooW", Addrs: []string{"/ip4/10.0.0.1/tcp/4001", "/ip6/::1/udp/1/quic-v1"}}.String())
	f.Add(Scheme)
	f.Add("claudemesh://join/eyJ2IjoxfQ")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLink(text)
		if err != nil {
			return
		}
		back, err := ParseLink(l.String())
		if err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%q came back as %+v, %v", text, back, err)
		}
	})
}

func FuzzOpenBlob(f *testing.F) {
	l, _, id := mesh(f)
	sealed := must[[]byte](f)(SealBlob(l, secret, id, "peer"))
	key := secret.Key().Public()
	f.Add(must[[]byte](f)(seal.BoxOpen(secret.blobKey(), key[:], sealed)))
	f.Fuzz(func(t *testing.T, plain []byte) { // behind the box, which nobody forges
		if o, err := parseBlob(plain); err == nil {
			if err := o.check(key); err == nil && o.Card.Mesh != "otters" {
				t.Error("a forged mesh")
			}
		}
	})
}

func FuzzOpenWelcome(f *testing.F) {
	l, ring, _ := mesh(f)
	var raw [][]byte
	for _, e := range l.Entries() {
		raw = append(raw, e.Marshal())
	}
	var keys []byte
	for epoch, key := range ring.Keys() {
		keys = append(append(keys, epoch[:]...), key[:]...)
	}
	var b ident.Fields
	b.List(tagWelcomeEntries, raw)
	b.Bytes(tagWelcomeKeys, keys)
	f.Add(b.Body())
	f.Fuzz(func(t *testing.T, plain []byte) {
		log, _, err := parseWelcome(plain)
		if err == nil && log.Len() == 0 {
			t.Error("an empty log")
		}
	})
}

func FuzzOpenClaim(f *testing.F) {
	f.Add(make([]byte, seal.Overhead))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := OpenClaim(ident.MeshID{}, ident.PublicKey{}, owner.Seal(), ident.PublicKey{}, b); err == nil {
			t.Error("a forgery opened")
		}
	})
}
