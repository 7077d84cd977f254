package letter

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func key(n byte) ident.PublicKey {
	return ident.PrivateKeyFromSeed([32]byte{n}).Public()
}

func sample() Message {
	return Message{
		ID: ID{1}, Origin: key(1), Session: key(2), Reach: Direct, To: []ident.PublicKey{key(3), key(4)},
		Priority: delivery.Next, Body: "hello", Cause: CauseOf(key(1), ID{1}),
		Created: time.UnixMilli(1_700_000_000_123), TTL: 7 * 24 * time.Hour,
	}
}

func drawMessage(t *rapid.T) Message {
	m := sample()
	copy(m.ID[1:], rapid.SliceOfN(rapid.Byte(), 15, 15).Draw(t, "id"))
	m.Priority = delivery.Priority(rapid.IntRange(1, 3).Draw(t, "priority"))
	m.Body = rapid.String().Draw(t, "body")
	m.Subtype = rapid.StringMatching("[a-z]{0,32}").Draw(t, "subtype")
	m.Files = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, MaxFile), 0, MaxFiles).Draw(t, "files")
	if len(m.Files) == 0 {
		m.Files = nil
	}
	copy(m.ReplyTo[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "reply"))
	copy(m.Thread[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "thread"))
	m.Depth = rapid.Uint64().Draw(t, "depth")
	m.TTL = time.Duration(rapid.Int64Range(1, MaxTTL.Milliseconds()).Draw(t, "ttl")) * time.Millisecond
	if rapid.Bool().Draw(t, "mesh") {
		m.Reach, m.Targets = Mesh, []string{"@group", "*"}[:rapid.IntRange(1, 2).Draw(t, "targets")]
		m.To = m.To[:rapid.IntRange(0, 2).Draw(t, "beside")]
	}
	return m
}

func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		got, err := DecodeMessage(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("got  %+v\nwant %+v", got, m)
		}
	})
}

func TestMessageRefused(t *testing.T) {
	many := make([]ident.PublicKey, MaxTo+1)
	for i := range many {
		many[i][0], many[i][1] = byte(i), byte(i>>8)
	}
	cases := map[string]func(*Message){
		"no id":             func(m *Message) { m.ID = ID{} },
		"no address":        func(m *Message) { m.To = nil },
		"an address twice":  func(m *Message) { m.To = append(m.To, m.To[0]) },
		"too many":          func(m *Message) { m.To = many },
		"unknown reach":     func(m *Message) { m.Reach = 3; m.Targets = []string{"x"} },
		"mesh with nothing": func(m *Message) { m.Reach = Mesh },
		"direct to a group": func(m *Message) { m.Targets = []string{"@g"} },
		"a target twice":    func(m *Message) { m.Reach, m.Targets = Mesh, []string{"@g", "@g"} },
		"an empty target":   func(m *Message) { m.Reach, m.Targets = Mesh, []string{""} },
		"too many targets":  func(m *Message) { m.Reach, m.Targets = Mesh, strings.Split(strings.Repeat("x", MaxTargets+1), "") },
		"target not UTF-8":  func(m *Message) { m.Reach, m.Targets = Mesh, []string{"\xff"} },
		"targets too long": func(m *Message) {
			m.Reach = Mesh
			for i := range 5 {
				m.Targets = append(m.Targets, strings.Repeat(string(rune('a'+i)), MaxTarget-1))
			}
		},
		"priority 0":        func(m *Message) { m.Priority = 0 },
		"priority 4":        func(m *Message) { m.Priority = 4 },
		"body too long":     func(m *Message) { m.Body = strings.Repeat("x", MaxBody+1) },
		"body not UTF-8":    func(m *Message) { m.Body = "\xff" },
		"subtype too long":  func(m *Message) { m.Subtype = strings.Repeat("x", MaxSubtype+1) },
		"too many files":    func(m *Message) { m.Files = make([][]byte, MaxFiles+1) },
		"file too long":     func(m *Message) { m.Files = [][]byte{make([]byte, MaxFile+1)} },
		"lives for ever":    func(m *Message) { m.TTL = MaxTTL + time.Millisecond },
		"lives not at all":  func(m *Message) { m.TTL = 0 },
		"far in the future": func(m *Message) { m.Created = time.UnixMilli(1<<48 + 1) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			m := sample()
			change(&m)
			if _, err := DecodeMessage(m.Encode()); !errors.Is(err, ErrMalformed) {
				t.Errorf("DecodeMessage = %v", err)
			}
		})
	}
}

func TestMessageUnknownFields(t *testing.T) {
	var odd, even ident.Fields
	odd.Bytes(19, []byte("later"))
	even.Bytes(20, []byte("later"))
	body := sample().Encode()
	if _, err := DecodeMessage(append(bytes.Clone(body), odd.Body()...)); err != nil {
		t.Errorf("an unknown odd field: %v", err)
	}
	if _, err := DecodeMessage(append(bytes.Clone(body), even.Body()...)); !errors.Is(err, ErrMalformed) {
		t.Errorf("an unknown even field: %v", err)
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Receipt{Signer: key(9)}
		for n := rapid.IntRange(0, 20).Draw(t, "items"); n > 0; n-- {
			r.Items = append(r.Items, Item{
				Origin: key(1), ID: ID{byte(n)}, Hash: ident.ID{7},
				Outcome:   delivery.Outcome(rapid.IntRange(1, 5).Draw(t, "outcome")),
				Addresses: []ident.PublicKey{key(3), key(4)}[:rapid.IntRange(0, 2).Draw(t, "to")],
				Reason:    Reason(rapid.String().Draw(t, "reason")),
			})
		}
		body := r.Encode()
		got, err := DecodeReceipt(body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), body) || len(got.Items) != len(r.Items) {
			t.Errorf("got %+v\nwant %+v", got, r)
		}
		size := 0
		for _, i := range r.Items {
			size += i.Size()
		}
		if len(body) > size+256 {
			t.Errorf("%d bytes, bound %d", len(body), size)
		}
	})
}

func TestReason(t *testing.T) {
	long := strings.Repeat("é", MaxReason)
	if got := Reason(long); len(got) > MaxReason || !strings.HasPrefix(long, got) {
		t.Errorf("%d bytes", len(got))
	}
	if Reason("short") != "short" {
		t.Error("a short one changed")
	}
}

// TestLargest: the largest message with the largest of all else fits a letter.
func TestLargest(t *testing.T) {
	m := sample()
	m.Body = strings.Repeat("x", MaxBody)
	m.Subtype = strings.Repeat("x", MaxSubtype)
	m.ReplyTo, m.Thread = ID{1}, ID{1}
	m.To = make([]ident.PublicKey, MaxTo)
	l := Letter{Attest: make([]byte, MaxAttest), Ord: 1 << 40, Remaining: MaxTTL}
	for i := range m.To {
		m.To[i][0], m.To[i][1] = byte(i), byte(i>>8)
		l.Addresses = append(l.Addresses, Address{Index: i, Prev: 1<<40 - 1})
	}
	for range MaxFiles {
		m.Files = append(m.Files, make([]byte, MaxFile))
	}
	l.Statement = ident.Sign(ident.KindMessage, ident.MeshID{1}, m.Encode(), ident.PrivateKeyFromSeed([32]byte{2})).Marshal()
	packed := l.Pack()
	got, _, err := Parse(packed)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(packed), err)
	}
	if !reflect.DeepEqual(*got, l) {
		t.Error("the letter changed")
	}
	if _, err := ident.ParseStatement(got.Statement, MaxMessage); err != nil {
		t.Error(err)
	}
}

func TestLetterRefused(t *testing.T) {
	good := Letter{Statement: []byte("s"), Attest: []byte("a"), Ord: 5, Addresses: []Address{{0, 4}, {2, 0}}, Remaining: time.Second}
	if _, _, err := Parse(good.Pack()); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*Letter){
		"no address":       func(l *Letter) { l.Addresses = nil },
		"addresses turned": func(l *Letter) { l.Addresses = []Address{{2, 0}, {0, 0}} },
		"address twice":    func(l *Letter) { l.Addresses = []Address{{2, 0}, {2, 0}} },
		"index too high":   func(l *Letter) { l.Addresses = []Address{{Everyone + 1, 0}} },
		"prev not before":  func(l *Letter) { l.Addresses = []Address{{0, 5}} },
		"no ord":           func(l *Letter) { l.Ord = 0; l.Addresses = []Address{{0, 0}} },
		"attest too long":  func(l *Letter) { l.Attest = make([]byte, MaxAttest+1) },
		"lives for ever":   func(l *Letter) { l.Remaining = MaxTTL + time.Hour },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			l := good
			change(&l)
			if _, _, err := Parse(l.Pack()); !errors.Is(err, ErrMalformed) {
				t.Errorf("Parse = %v", err)
			}
		})
	}
	for name, b := range map[string][]byte{"empty": nil, "too long": make([]byte, MaxLetter+1)} {
		if _, _, err := Parse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Parse([]byte{9, 9}); !errors.Is(err, ErrKind) {
		t.Errorf("unknown kind: %v", err)
	}
	if l, r, err := Parse(PackReceipt([]byte("r"))); l != nil || string(r) != "r" || err != nil {
		t.Errorf("a receipt: %v, %q, %v", l, r, err)
	}
}

func TestIDs(t *testing.T) {
	at := time.UnixMilli(0x0190a8f27c3e)
	id, err := NewID(at)
	if err != nil {
		t.Fatal(err)
	}
	s := id.String()
	if !strings.HasPrefix(s, "0190a8f2-7c3e-7") || !strings.ContainsAny(s[19:20], "89ab") {
		t.Errorf("not a version 7 UUID: %s", s)
	}
	for _, form := range []string{s, strings.ToUpper(s)} {
		if got, err := ParseID(form); err != nil || got != id {
			t.Errorf("ParseID(%s) = %s, %v", form, got, err)
		}
	}
	for _, bad := range []string{
		"", "x", s[:35], s + "0", strings.ReplaceAll(s, "-", ""), "0190a8f27-c3e-7b1a-9d42-5f60718293a4",
		"00000000-0000-0000-0000-000000000000", "g190a8f2-7c3e-7b1a-9d42-5f60718293a4", "0190a8f2-7c3e-7b1a-9d42-5f60718293é",
	} {
		if _, err := ParseID(bad); !errors.Is(err, ErrID) {
			t.Errorf("ParseID(%q) = %v", bad, err)
		}
	}
	if p, err := ParsePrefix("0190A8f2-7c"); err != nil || p != "0190a8f27c" {
		t.Errorf("ParsePrefix = %q, %v", p, err)
	}
}

// TestLargestLetterFits: a list of everything that a message can have.
func TestLargestLetterFits(t *testing.T) {
	m := sample()
	m.Reach, m.To, m.Body = Mesh, nil, strings.Repeat("x", MaxBody)
	l := Letter{Attest: make([]byte, MaxAttest), Ord: 1 << 63, Remaining: MaxTTL}
	for i := range MaxTo {
		m.To = append(m.To, ident.PublicKey{byte(i), 1})
		l.Addresses = append(l.Addresses, Address{i, 1 << 62})
	}
	l.Addresses = append(l.Addresses, Address{Everyone, 1 << 62})
	for range MaxFiles {
		m.Files = append(m.Files, make([]byte, MaxFile))
	}
	for i := range MaxTargets {
		m.Targets = append(m.Targets, strings.Repeat(string(rune('a'+i)), MaxTargetBytes/MaxTargets))
	}
	m.Subtype, m.ReplyTo, m.Thread = strings.Repeat("x", MaxSubtype), ID{1}, ID{2}
	l.Statement = ident.Sign(ident.KindMessage, ident.MeshID{1}, m.Encode(), ident.PrivateKeyFromSeed([32]byte{1})).Marshal()
	if _, _, err := Parse(l.Pack()); err != nil {
		t.Error(err)
	}
}
