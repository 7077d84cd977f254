package letter

import (
	"bytes"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func FuzzDecodeMessage(f *testing.F) {
	f.Add(sample().Encode())
	m := sample()
	m.Reach, m.To, m.Targets, m.Subtype, m.Files = Mesh, nil, []string{"@all"}, "reminder", [][]byte{{1}}
	m.ReplyTo, m.Thread = ID{2}, ID{3}
	f.Add(m.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		again, err := DecodeMessage(m.Encode())
		if err != nil || !bytes.Equal(again.Encode(), m.Encode()) {
			t.Errorf("%+v, %v", m, err)
		}
		if len(m.Encode()) > len(b) {
			t.Errorf("%d bytes became %d", len(b), len(m.Encode()))
		}
	})
}

func FuzzDecodeReceipt(f *testing.F) {
	r := Receipt{Signer: key(1), Items: []Item{
		{Origin: key(2), ID: ID{1}, Outcome: delivery.ODelivered, Addresses: []ident.PublicKey{key(3)}},
		{Hash: ident.ID{5}, Outcome: delivery.ONoted, Reason: "why"},
	}}
	f.Add(r.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReceipt(b)
		if err != nil {
			return
		}
		again, err := DecodeReceipt(r.Encode())
		if err != nil || !bytes.Equal(again.Encode(), r.Encode()) || len(r.Items) > MaxItems {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(Letter{Statement: []byte("s"), Ord: 3, Addresses: []Address{{1, 2}}, Remaining: time.Hour}.Pack())
	f.Add(Letter{Statement: []byte("s"), Ord: 3, Addresses: []Address{{1, 2}, {Everyone, 1}}, Remaining: time.Hour}.Pack())
	f.Add(PackReceipt([]byte("receipt")))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, r, err := Parse(b)
		if err != nil {
			return
		}
		if l == nil {
			if !bytes.Equal(PackReceipt(r), b) {
				t.Errorf("receipt %x", r)
			}
			return
		}
		again, _, err := Parse(l.Pack())
		if err != nil || !bytes.Equal(again.Pack(), l.Pack()) {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

func FuzzParsePrefix(f *testing.F) {
	f.Add("0190a8f2-7c3e-7b1a-9d42-5f60718293a4")
	f.Add("0190A8F2-")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePrefix(s)
		if err == nil && (len(p) > 32 || len(p) > len(s)) {
			t.Errorf("%q became %q", s, p)
		}
		if id, err := ParseID(s); err == nil {
			if back, err := ParseID(id.String()); err != nil || back != id {
				t.Errorf("%q: %s", s, id)
			}
		}
	})
}

func FuzzParseCry(f *testing.F) {
	m, l := crying()
	c := Cry{Members: []ident.PublicKey{key(1), key(2)}, Before: []Before{{7, []string{"*"}}, {3, []string{"@g"}}}}
	f.Add(c.sign(m, l))
	f.Add(Cry{Members: c.Members}.sign(m, l))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseCry(b)
		if err != nil {
			return
		}
		again, err := ParseCry(ident.Statement{Body: h.statement.Body, Sigs: h.statement.Sigs}.Marshal())
		if err != nil || !bytes.Equal(again.Letter.Pack(), h.Letter.Pack()) {
			t.Errorf("%+v, %v", h, err)
		}
	})
}
