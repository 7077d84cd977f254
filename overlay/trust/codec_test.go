package trust

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Generators of valid fields.

func genID() *rapid.Generator[ident.ID] {
	return rapid.Custom(func(t *rapid.T) ident.ID {
		return ident.ID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
	})
}

func genIDs(t *rapid.T, label string, least, most int) []ident.ID {
	ids := sorted(rapid.SliceOfN(genID(), least, most).Draw(t, label))
	if len(ids) == 0 {
		return nil
	}
	return ids
}

func genPerson(t *rapid.T, label string) person {
	return who(rapid.SampledFrom([]string{"owner", "ann", "bob", "cat", "dan", "eve", "relay"}).Draw(t, label))
}

func genName(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-zA-Z0-9áéñ漢][a-zA-Z0-9 áéñ漢._-]{0,20}[a-z]`).Draw(t, label)
}

func genTime(t *rapid.T, label string) time.Time {
	return moment(uint64(rapid.Int64Range(0, maxTime).Draw(t, label)))
}

func genHead(t *rapid.T) Head {
	return Head{Signer: genPerson(t, "signer").pub, Parents: genIDs(t, "parents", 1, MaxParents), Time: genTime(t, "time")}
}

func genPreset(t *rapid.T) Preset {
	p := Preset{Mode: rapid.SampledFrom([]string{"", "push", "inbox", "off"}).Draw(t, "mode")}
	if rapid.Bool().Draw(t, "tag") {
		p.Tag = genName(t, "tag text")
	}
	for range rapid.IntRange(0, 3).Draw(t, "groups") {
		p.Groups = append(p.Groups, genName(t, "group"))
	}
	if rapid.Bool().Draw(t, "named") {
		p.Name = genName(t, "preset name")
	}
	return p
}

func genRole(t *rapid.T) Role {
	return rapid.SampledFrom([]Role{RoleMember, RoleService, RoleAdmin}).Draw(t, "role")
}

func gen32(t *rapid.T, label string) [32]byte { return [32]byte(genID().Draw(t, label)) }

func genPart(t *rapid.T) EpochPart {
	p := EpochPart{Commit: gen32(t, "commit"), Wraps: gen32(t, "wraps")}
	for _, id := range genIDs(t, "prev", 0, 3) {
		p.Prev = append(p.Prev, PrevKey{Entry: id, Box: rapid.SliceOfN(rapid.Byte(), prevBox, prevBox).Draw(t, "box")})
	}
	return p
}

func genClaim(t *rapid.T) (ident.Statement, Claim) {
	p := genPerson(t, "claimant")
	c := Claim{Invite: genID().Draw(t, "invite"), Keys: p.keys, Peer: rapid.SliceOfN(rapid.Byte(), 1, maxPeer).Draw(t, "peer")}
	if rapid.Bool().Draw(t, "named") {
		c.Name = genName(t, "wish")
	}
	return SignClaim(ident.MeshID{1}, p.seed, p.invite, c), c
}

// genBody makes a valid body of any kind.
func genBody(t *rapid.T) Body {
	h := genHead(t)
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		p := genPerson(t, "owner")
		return &Genesis{Head: Head{Signer: p.pub, Time: h.Time}, Name: genName(t, "mesh"), Owner: genName(t, "name"),
			Keys: p.keys, Nonce: gen32(t, "nonce"), Commit: gen32(t, "commit")}
	case 1:
		v := &Invite{Head: h, Key: genPerson(t, "key").pub, Role: genRole(t), Uses: rapid.IntRange(1, MaxUses).Draw(t, "uses"),
			Expires: genTime(t, "expires"), Admitter: genPerson(t, "admitter").pub, Preset: genPreset(t)}
		if v.Role == RoleAdmin {
			v.Uses, v.Admitter = 1, h.Signer
		}
		return v
	case 2:
		return &Uninvite{Head: h, Invites: genIDs(t, "invites", 1, 5)}
	case 3:
		claim, c := genClaim(t)
		a := &Admit{Head: h, Claim: claim, Claimed: c, Role: genRole(t), Name: genName(t, "name"), Preset: genPreset(t)}
		if rapid.Bool().Draw(t, "by invite") {
			a.Invite = c.Invite
		}
		return a
	case 4:
		c := &RoleChange{Head: h, Member: genPerson(t, "member").pub, Role: genRole(t)}
		if c.Member == h.Signer {
			c.Member = who("relay2").pub
		}
		return c
	case 5:
		v := &Remove{Head: h, Invites: genIDs(t, "invites", 0, 3)}
		for _, id := range genIDs(t, "targets", 1, 4) {
			v.Targets = append(v.Targets, Principal(id))
			v.Keeps = append(v.Keeps, gen32(t, "keep"))
		}
		if rapid.Bool().Draw(t, "epoch") {
			p := genPart(t)
			v.Epoch = &p
		}
		return v
	case 6:
		return &Leave{Head: h, Keep: gen32(t, "keep")}
	case 7:
		return &Epoch{Head: h, Part: genPart(t)}
	case 8:
		return &Set{Head: h, Key: rapid.StringN(1, 10, MaxSettingKey).Draw(t, "key"), Value: rapid.String().Draw(t, "value")}
	}
	return &Void{Head: h, Entries: genIDs(t, "entries", 1, 5)}
}

func TestBodiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := genBody(t)
		got, err := DecodeBody(b.Encode())
		if err != nil {
			t.Fatalf("%s: %v", b.Kind(), err)
		}
		if !reflect.DeepEqual(got, b) {
			t.Fatalf("%s came back as\n%+v\ninstead of\n%+v", b.Kind(), got, b)
		}
		if !bytes.Equal(got.Encode(), b.Encode()) {
			t.Fatalf("%s is written differently the second time", b.Kind())
		}
	})
}

func TestMemberStatementsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genPerson(t, "member")
		peer := func(label string) []byte { return rapid.SliceOfN(rapid.Byte(), 1, maxPeer).Draw(t, label) }
		num := func(label string) uint64 { return rapid.Uint64Range(0, maxUint).Draw(t, label) }
		dir := rapid.SampledFrom([]byte{DirInitiator, DirResponder}).Draw(t, "dir")

		b := Bind{Member: p.pub, Peer: peer("peer"), Gen: num("gen"), Until: genTime(t, "until"), Heads: genIDs(t, "heads", 0, 4)}
		same(t, b, DecodeBind)
		d := Delivery{Member: p.pub, Gen: num("dgen"), Seq: num("seq"), Key: p.keys.Seal, Created: genTime(t, "created")}
		same(t, d, DecodeDelivery)
		from := moment(uint64(rapid.Int64Range(1, maxTime-MaxAttest.Milliseconds()).Draw(t, "from")))
		a := Attest{Member: p.pub, Session: genPerson(t, "session").pub, Name: genName(t, "name"),
			Rights: Rights(rapid.Uint64().Draw(t, "rights")), Guest: gen32(t, "guest"), From: from,
			Until: from.Add(time.Duration(rapid.Int64Range(0, MaxAttest.Milliseconds()).Draw(t, "for")) * time.Millisecond), Seq: num("aseq")}
		if rapid.Bool().Draw(t, "ended") {
			a.Until, a.Guest = time.Time{}, [32]byte{}
		}
		same(t, a, DecodeAttest)
		pr := Proof{Member: p.pub, On: Transcript{Dir: dir, I: gen32(t, "i"), R: gen32(t, "r"), PeerI: peer("pi"), PeerR: peer("pr")},
			Heads: genIDs(t, "pheads", 0, 4), Bind: genID().Draw(t, "bind")}
		same(t, pr, DecodeProof)
		s := Stream{Member: p.pub, ProofI: genID().Draw(t, "proof i"), ProofR: genID().Draw(t, "proof r"), Dir: dir,
			Enc: rapid.SliceOfN(rapid.Byte(), seal.EncSize, seal.EncSize).Draw(t, "enc")}
		same(t, s, DecodeStream)
		_, c := genClaim(t)
		same(t, c, DecodeClaim)
	})
}

func same[T interface{ Encode() []byte }](t *rapid.T, in T, decode func([]byte) (T, error)) {
	t.Helper()
	got, err := decode(in.Encode())
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	if !reflect.DeepEqual(got, in) {
		t.Fatalf("%T came back as\n%+v\ninstead of\n%+v", in, got, in)
	}
}

// TestBodiesRefused: what breaks a rule of its kind does not decode.
func TestBodiesRefused(t *testing.T) {
	o, ann := who("owner"), who("ann")
	h := Head{Signer: o.pub, Parents: []ident.ID{{1}}, Time: start}
	many := func(n int) (ids []ident.ID) {
		for i := range n {
			ids = append(ids, ident.ID{byte(i >> 8), byte(i), 1})
		}
		return ids
	}
	claim := SignClaim(ident.MeshID{}, ann.seed, o.invite, Claim{Invite: ident.ID{1}, Peer: []byte("p")})
	invite := func(change func(v *Invite)) *Invite {
		v := &Invite{Head: h, Key: o.pub, Role: RoleMember, Uses: 1, Admitter: o.pub}
		change(v)
		return v
	}
	admit := func(change func(a *Admit)) *Admit {
		a := &Admit{Head: h, Claim: claim, Role: RoleMember, Name: "ann", Invite: ident.ID{1}}
		change(a)
		return a
	}
	remove := func(change func(v *Remove)) *Remove {
		v := &Remove{Head: h, Targets: []Principal{{1}}, Keeps: make([][32]byte, 1)}
		change(v)
		return v
	}
	genesis := func(change func(g *Genesis)) *Genesis {
		g := &Genesis{Head: Head{Signer: o.pub, Time: start}, Name: "m", Owner: "o", Keys: o.keys}
		change(g)
		return g
	}
	cases := []struct {
		name string
		b    Body
	}{
		{"no parents", &Leave{Head: Head{Signer: o.pub, Time: start}}},
		{"too many parents", &Leave{Head: Head{Signer: o.pub, Parents: many(MaxParents + 1), Time: start}}},
		{"parents out of order", &Leave{Head: Head{Signer: o.pub, Parents: []ident.ID{{2}, {1}}, Time: start}}},
		{"a parent twice", &Leave{Head: Head{Signer: o.pub, Parents: []ident.ID{{1}, {1}}, Time: start}}},
		{"a signer of small order", &Leave{Head: Head{Signer: ident.PublicKey{1}, Parents: h.Parents, Time: start}}},
		{"genesis with parents", genesis(func(g *Genesis) { g.Parents = h.Parents })},
		{"genesis without a name", genesis(func(g *Genesis) { g.Name = "" })},
		{"genesis with a name of two lines", genesis(func(g *Genesis) { g.Name = "a\nb" })},
		{"genesis with a name that turns text", genesis(func(g *Genesis) { g.Owner = "a\u202eb" })},
		{"genesis with a long name", genesis(func(g *Genesis) { g.Name = strings.Repeat("a", MaxName+1) })},
		{"genesis with a short seal key", genesis(func(g *Genesis) { g.Keys.Seal = g.Keys.Seal[1:] })},
		{"invite without uses", invite(func(v *Invite) { v.Uses = 0 })},
		{"invite with too many uses", invite(func(v *Invite) { v.Uses = MaxUses + 1 })},
		{"invite for an owner", invite(func(v *Invite) { v.Role = RoleOwner })},
		{"invite for two admins", invite(func(v *Invite) { v.Role, v.Uses = RoleAdmin, 2 })},
		{"invite for an admin by another", invite(func(v *Invite) { v.Role, v.Admitter = RoleAdmin, ann.pub })},
		{"invite with a bad mode", invite(func(v *Invite) { v.Preset.Mode = "loud" })},
		{"invite with a bad group", invite(func(v *Invite) { v.Preset.Groups = []string{"\x1b[31m"} })},
		{"uninvite of nothing", &Uninvite{Head: h}},
		{"uninvite of too many", &Uninvite{Head: h, Invites: many(MaxIDs + 1)}},
		{"admit by another invite than claimed", admit(func(a *Admit) { a.Invite = ident.ID{2} })},
		{"admit as owner", admit(func(a *Admit) { a.Role = RoleOwner })},
		{"admit of a bad name", admit(func(a *Admit) { a.Name = " ann" })},
		{"admit without a claim", admit(func(a *Admit) { a.Claim.Body = nil })},
		{"role of the signer", &RoleChange{Head: h, Member: o.pub, Role: RoleMember}},
		{"role none", &RoleChange{Head: h, Member: ann.pub, Role: RoleNone}},
		{"remove of the signer", remove(func(v *Remove) { v.Targets = []Principal{Principal(o.pub)} })},
		{"remove of nobody", remove(func(v *Remove) { v.Targets, v.Keeps = nil, nil })},
		{"remove without keeps", remove(func(v *Remove) { v.Keeps = nil })},
		{"remove with targets out of order", remove(func(v *Remove) { v.Targets = []Principal{{2}, {1}}; v.Keeps = make([][32]byte, 2) })},
		{"remove of too many", remove(func(v *Remove) {
			for _, id := range many(MaxTargets + 1) {
				v.Targets = append(v.Targets, Principal(id))
			}
			v.Keeps = make([][32]byte, len(v.Targets))
		})},
		{"epoch with earlier keys out of order", &Epoch{Head: h, Part: EpochPart{Prev: []PrevKey{
			{Entry: ident.ID{2}, Box: make([]byte, prevBox)}, {Entry: ident.ID{1}, Box: make([]byte, prevBox)}}}}},
		{"epoch with a short earlier key", &Epoch{Head: h, Part: EpochPart{Prev: []PrevKey{{Box: make([]byte, prevBox-1)}}}}},
		{"set without a key", &Set{Head: h}},
		{"set with a long value", &Set{Head: h, Key: "k", Value: strings.Repeat("v", MaxSettingValue+1)}},
		{"void of nothing", &Void{Head: h}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := encodeAnyway(c.b)
			if b, err := DecodeBody(text); err == nil {
				t.Errorf("decoded as %+v", b)
			}
		})
	}
}

// encodeAnyway encodes a body that may lack what Encode insists on.
func encodeAnyway(b Body) []byte {
	if a, ok := b.(*Admit); ok && a.Claim.Body == nil {
		a.Claim = ident.Sign(ident.KindClaim, ident.MeshID{}, nil, who("ann").key)
	}
	return b.Encode()
}

func TestStatementsRefused(t *testing.T) {
	p := who("ann")
	attest := Attest{Member: p.pub, Session: p.pub, Name: "s", From: start, Until: start.Add(MaxAttest)}
	long, back := attest, attest
	long.Until = start.Add(MaxAttest + time.Millisecond)
	back.Until = start.Add(-time.Millisecond)
	proof := Proof{Member: p.pub, On: Transcript{Dir: 'x', PeerI: []byte("i"), PeerR: []byte("r")}}
	cases := []struct {
		name string
		err  error
	}{
		{"attest over 24 h", second(DecodeAttest(long.Encode()))},
		{"attest that ends before it begins", second(DecodeAttest(back.Encode()))},
		{"proof in no direction", second(DecodeProof(proof.Encode()))},
		{"bind without a peer", second(DecodeBind(Bind{Member: p.pub}.Encode()))},
		{"bind with a long peer", second(DecodeBind(Bind{Member: p.pub, Peer: make([]byte, maxPeer+1)}.Encode()))},
		{"stream with a short key", second(DecodeStream(Stream{Member: p.pub, Dir: 'i', Enc: []byte("x")}.Encode()))},
		{"claim with one key twice", second(DecodeClaim(Claim{Keys: Keys{p.pub, p.pub, p.keys.Seal}, Peer: []byte("p")}.Encode()))},
		{"delivery of no key", second(DecodeDelivery(Delivery{Member: p.pub, Key: []byte("x")}.Encode()))},
	}
	for _, c := range cases {
		if c.err == nil {
			t.Errorf("%s was decoded", c.name)
		}
	}
	if _, err := DecodeAttest(attest.Encode()); err != nil {
		t.Errorf("attest of 24 h: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestEntryIsWhatItsBodyCommitsTo(t *testing.T) {
	o := found(t)
	o.admit("bob", RoleMember)
	e, err := o.log.SignRemove(o.key, Removal{Targets: []Principal{Principal(who("bob").pub)}, Key: [32]byte{1},
		Lists: map[Principal][]byte{Principal(who("bob").pub): []byte("list")}}, o.ring, o.now)
	mustT(t, err)
	good, err := ParseEntry(e.Marshal())
	mustT(t, err)
	if !bytes.Equal(good.Marshal(), e.Marshal()) || good.ID() != e.ID() || len(good.Wraps()) != 1 || len(good.Lists()) != 1 {
		t.Fatalf("came back as %+v", good)
	}
	otherWrap := e
	otherWrap.wraps = []Wrap{{Member: e.wraps[0].Member, Sealed: bytes.Clone(e.wraps[0].Sealed)}}
	otherWrap.wraps[0].Sealed[0] ^= 1
	otherList := e
	otherList.lists = [][]byte{[]byte("lost")}
	twice := e
	twice.lists = append(slices.Clone(e.lists), e.lists...)
	for name, bad := range map[string]Entry{"bare": e.Bare(), "other wrap": otherWrap, "other list": otherList, "list twice": twice} {
		if _, err := ParseEntry(bad.Marshal()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: ParseEntry = %v", name, err)
		}
		if _, err := o.log.Add(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: Add = %v", name, err)
		}
	}
	if bare, err := ParseBareEntry(e.Bare().Marshal()); err != nil || bare.ID() != e.ID() {
		t.Errorf("ParseBareEntry: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "Ana García", "漢字", "x_1-2.3", strings.Repeat("a", MaxName), "🦦 otter"} {
		if err := CheckName(good); err != nil {
			t.Errorf("CheckName(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{"", " a", "a ", "a\tb", "a\x7f", "a\u0085", "a\u200bb", "a\u2066b", "\ufeff", "\xff", strings.Repeat("a", MaxName+1)} {
		if err := CheckName(bad); !errors.Is(err, ErrName) {
			t.Errorf("CheckName(%q) = %v", bad, err)
		}
	}
}

func TestRolesAndRights(t *testing.T) {
	for r := RoleMember; r <= RoleAdmin; r++ {
		if got, err := ParseRole(r.String()); err != nil || got != r {
			t.Errorf("ParseRole(%s) = %v, %v", r, got, err)
		}
	}
	for _, bad := range []string{"owner", "none", "", "Admin"} {
		if _, err := ParseRole(bad); err == nil {
			t.Errorf("ParseRole(%q) worked", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		r := Rights(rapid.Uint64().Draw(t, "rights")) & AllRights
		if got, err := ParseRights(r.String()); err != nil || got != r {
			t.Fatalf("ParseRights(%q) = %v, %v", r, got, err)
		}
	})
	if _, err := ParseRights("send,fly"); err == nil {
		t.Error("an unknown right was read")
	}
}
