package ident

import (
	"bytes"
	"slices"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

// checkByArithmetic is Check as the definition has it.
func checkByArithmetic(k PublicKey) bool {
	p, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil && bytes.Equal(p.Bytes(), k[:]) &&
		new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0
}

// interesting are encodings about which a shortcut could be wrong: all y that
// differ from 0, p and the points of small order by little, with either sign.
func interesting() []PublicKey {
	var out []PublicKey
	seeds := append(slices.Clone(smallOrder[:]), PublicKey(append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)))
	for _, k := range seeds {
		for low := range 256 {
			k[0] = byte(low)
			for _, sign := range []byte{0, 0x80} {
				signed := k
				signed[31] |= sign
				out = append(out, signed)
			}
		}
	}
	return out
}

func TestCheckAgreesWithArithmetic(t *testing.T) {
	weak := 0
	for _, k := range interesting() {
		if (k.Check() == nil) != checkByArithmetic(k) {
			t.Errorf("%s: %v, by arithmetic %v", k, k.Check(), checkByArithmetic(k))
		}
		if p, err := new(edwards25519.Point).SetBytes(k[:]); err == nil && !checkByArithmetic(k) {
			weak++
			if k.weak() == nil {
				t.Errorf("%s passes for strong, the point is %x", k, p.Bytes())
			}
		}
	}
	if weak < 8 {
		t.Errorf("only %d weak points among them", weak)
	}
	rapid.Check(t, func(t *rapid.T) {
		k := PublicKey(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		if (k.Check() == nil) != checkByArithmetic(k) {
			t.Errorf("%s: %v", k, k.Check())
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := PrivateKeyFromSeed([32]byte{1})
	s := Sign("bench", MeshID{}, make([]byte, 512), k)
	for b.Loop() {
		if err := s.Verify("bench", MeshID{}, k.Public()); err != nil {
			b.Fatal(err)
		}
	}
}
