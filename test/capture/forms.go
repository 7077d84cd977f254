package capture

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
)

// Secret is something that must not be seen.
type Secret struct {
	// What says what it is, for people.
	What string
	// Raw is the thing itself: a text, or a key's bytes.
	Raw []byte
}

// Found lists which secrets are in packets, and in which form.
func Found(packets []byte, secrets []Secret) (out []string) {
	low := lower(packets)
	for _, s := range secrets {
		for name, form := range Forms(s.Raw) {
			in := packets
			if name == "text" || name == "hex" || name == "base32" {
				in, form = low, lower(form)
			}
			if bytes.Contains(in, form) {
				out = append(out, s.What+" as "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// lower is in lower case what is ASCII; packets are no text.
func lower(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// Forms are the ways in which bytes are written, by name. Those in base64 and base32
// are without padding, so that they are found with it as well.
func Forms(raw []byte) map[string][]byte {
	return map[string][]byte{
		"text":      raw,
		"hex":       []byte(hex.EncodeToString(raw)),
		"base64":    []byte(base64.RawStdEncoding.EncodeToString(raw)),
		"base64url": []byte(base64.RawURLEncoding.EncodeToString(raw)),
		"base32":    []byte(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)),
		"base58":    []byte(base58(raw)),
	}
}

// base58 is the alphabet that libp2p and others write keys in.
func base58(raw []byte) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	n, base, digit := new(big.Int).SetBytes(raw), big.NewInt(58), new(big.Int)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		out = append(out, alphabet[digit.Int64()])
	}
	zeros := len(raw) - len(bytes.TrimLeft(raw, "\x00"))
	slices.Reverse(out)
	return strings.Repeat("1", zeros) + string(out)
}
