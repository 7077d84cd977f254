// Package safety makes the number by which two people find out, over a channel that
// they trust, that each has the other's right key: on both sides it is the same 30
// digits exactly if both have the same two member keys. It is a function of the two
// keys and nothing else.
package safety

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

const (
	groups = 6   // of digits
	bits   = 20  // of the hash in each
	limit  = 1e5 // what five digits hold
)

// Number is the safety number of two member keys, in whichever order: six groups of
// five digits with blanks between. It is made of the first 120 bits of SHA-256 over
// the keys in ascending order, 20 bits a group, modulo 100,000.
func Number(a, b ident.PublicKey) string {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	sum := sha256.Sum256(append(a[:], b[:]...))
	out := make([]string, 0, groups)
	var rest, have uint64
	for _, c := range sum[:groups*bits/8] {
		rest, have = rest<<8|uint64(c), have+8
		if have >= bits {
			have -= bits
			out = append(out, fmt.Sprintf("%05d", rest>>have%limit))
			rest &= 1<<have - 1
		}
	}
	return strings.Join(out, " ")
}
