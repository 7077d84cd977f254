package letter

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// crying is a message to many and the letter it comes in.
func crying() (Message, Letter) {
	m := sample()
	m.Reach, m.To, m.Targets = Mesh, nil, []string{"@g", "*"}
	return m, Letter{Ord: 9, Addresses: []Address{{Everyone, 0}}, Remaining: MaxTTL}
}

func (c Cry) sign(m Message, l Letter) []byte {
	member := ident.PrivateKeyFromSeed([32]byte{1})
	l.Statement = ident.Sign(ident.KindMessage, ident.MeshID{1}, m.Encode(), member).Marshal()
	c.Letter = l.Pack()
	return ident.Sign(KindCry, ident.MeshID{1}, c.Encode(), member).Marshal()
}

func TestLargestCryFits(t *testing.T) {
	m, l := crying()
	m.Body, m.Targets, m.Subtype = strings.Repeat("x", MaxBody), nil, strings.Repeat("x", MaxSubtype)
	m.ReplyTo, m.Thread, m.Depth = ID{1}, ID{2}, 1<<63
	for range MaxFiles {
		m.Files = append(m.Files, make([]byte, MaxFile))
	}
	for i := range MaxTargets {
		m.Targets = append(m.Targets, strings.Repeat(string(rune('a'+i)), MaxTargetBytes/MaxTargets))
	}
	l.Attest, l.Ord = make([]byte, MaxAttest), 1<<63
	c := Cry{}
	for i := range MaxMembers {
		c.Members = append(c.Members, ident.PublicKey{byte(i), byte(i >> 8), 1})
	}
	for i := range MaxBefore {
		c.Before = append(c.Before, Before{uint64(1<<62 - i), m.Targets})
	}
	raw := c.sign(m, l)
	if len(raw) > 126<<10 {
		t.Errorf("%d bytes do not fit through the air", len(raw))
	}
	h, err := ParseCry(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Verify(ident.MeshID{1}); err != nil {
		t.Error(err)
	}
	if err := h.Verify(ident.MeshID{2}); err == nil {
		t.Error("good in another mesh")
	}
	if !reflect.DeepEqual(h.Before, c.Before) {
		t.Error("other messages before it")
	}
	for _, k := range c.Members {
		if !h.For(k) {
			t.Fatalf("not for %s", k)
		}
	}
	if h.For(ident.PublicKey{0, 0, 2}) || h.For(ident.PublicKey{255, 255}) {
		t.Error("for somebody else")
	}
}

func TestCryRefused(t *testing.T) {
	all := []string{"*"}
	cases := map[string]func(*Message, *Letter, *Cry){
		"with a list of keys": func(m *Message, _ *Letter, _ *Cry) { m.To = []ident.PublicKey{key(3)} },
		"direct":              func(m *Message, _ *Letter, _ *Cry) { m.Reach, m.To, m.Targets = Direct, []ident.PublicKey{key(3)}, nil },
		"to an address":       func(_ *Message, l *Letter, _ *Cry) { l.Addresses = []Address{{0, 0}} },
		"for nobody":          func(_ *Message, _ *Letter, c *Cry) { c.Members = nil },
		"for one twice":       func(_ *Message, _ *Letter, c *Cry) { c.Members = append(c.Members, c.Members[0]) },
		"before itself":       func(_ *Message, _ *Letter, c *Cry) { c.Before = []Before{{9, all}} },
		"turned":              func(_ *Message, _ *Letter, c *Cry) { c.Before = []Before{{1, all}, {2, all}} },
		"before nobody":       func(_ *Message, _ *Letter, c *Cry) { c.Before = []Before{{1, nil}} },
		"too many before": func(_ *Message, _ *Letter, c *Cry) {
			for i := range MaxBefore + 1 {
				c.Before = append(c.Before, Before{uint64(50 - i), all})
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			m, l := crying()
			l.Ord = 9
			c := Cry{Members: []ident.PublicKey{key(1), key(2)}}
			if _, err := ParseCry(c.sign(m, l)); err != nil {
				t.Fatal(err)
			}
			change(&m, &l, &c)
			if _, err := ParseCry(c.sign(m, l)); !errors.Is(err, ErrMalformed) {
				t.Errorf("ParseCry = %v", err)
			}
		})
	}
}
