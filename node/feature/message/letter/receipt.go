package letter

import (
	"fmt"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a receipt.
const (
	MaxItems  = 512
	MaxReason = 200
	// MaxReceipt is the largest receipt statement, signature included.
	MaxReceipt = 200 << 10
	// MaxPosted is the largest receipt statement that travels as a letter.
	MaxPosted = MaxLetter - 1

	maxItem = MaxTo*32 + MaxReason + 256
)

// Receipt is what a recipient's home says about messages.
type Receipt struct {
	Signer ident.PublicKey
	Items  []Item
}

// Item is the outcome of one message for some of its addresses.
type Item struct {
	Origin    ident.PublicKey
	ID        ID
	Hash      ident.ID // of the message statement; for Noted of a receipt statement
	Outcome   delivery.Outcome
	Addresses []ident.PublicKey
	Reason    string
}

// Size is an upper bound of what the item takes in a receipt.
func (i Item) Size() int { return 128 + len(i.Addresses)*32 + len(i.Reason) }

// Encode writes the statement body.
func (r Receipt) Encode() []byte {
	items := make([][]byte, len(r.Items))
	for n, i := range r.Items {
		items[n] = i.encode()
	}
	var f ident.Fields
	f.Bytes(1, r.Signer[:])
	f.List(2, items)
	return f.Body()
}

func (i Item) encode() []byte {
	var f ident.Fields
	f.Bytes(1, i.Origin[:])
	f.Bytes(2, i.ID[:])
	f.Bytes(3, i.Hash[:])
	f.Uint(4, uint64(i.Outcome))
	f.Bytes(5, joinKeys(i.Addresses))
	if i.Reason != "" {
		f.Text(7, i.Reason)
	}
	return f.Body()
}

// DecodeReceipt reads a statement body. It fails with ErrMalformed.
func DecodeReceipt(body []byte) (Receipt, error) {
	if len(body) > MaxReceipt {
		return Receipt{}, fmt.Errorf("%w: receipt of %d bytes, at most %d", ErrMalformed, len(body), MaxReceipt)
	}
	f, err := ident.ReadFields(body, 1, 2)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: receipt: %w", ErrMalformed, err)
	}
	var r Receipt
	f.Need(1, 2)
	f.Fixed(1, r.Signer[:])
	items := f.List(2, MaxItems, maxItem)
	if err := f.Err(); err != nil {
		return Receipt{}, fmt.Errorf("%w: receipt: %w", ErrMalformed, err)
	}
	for _, b := range items {
		i, err := decodeItem(b)
		if err != nil {
			return Receipt{}, fmt.Errorf("%w: receipt: item: %w", ErrMalformed, err)
		}
		r.Items = append(r.Items, i)
	}
	return r, nil
}

func decodeItem(b []byte) (Item, error) {
	f, err := ident.ReadFields(b, 1, 2, 3, 4, 5, 7)
	if err != nil {
		return Item{}, err
	}
	var i Item
	f.Need(1, 2, 3, 4, 5)
	f.Fixed(1, i.Origin[:])
	f.Fixed(2, i.ID[:])
	f.Fixed(3, i.Hash[:])
	outcome := f.Uint(4)
	addresses := f.Bytes(5, MaxTo*32)
	i.Reason = f.Text(7, MaxReason)
	if err := f.Err(); err != nil {
		return Item{}, err
	}
	if outcome == 0 || outcome > uint64(delivery.ONoted) {
		return Item{}, fmt.Errorf("unknown outcome %d", outcome)
	}
	if f.Has(7) && i.Reason == "" {
		return Item{}, fmt.Errorf("empty reason")
	}
	i.Outcome = delivery.Outcome(outcome)
	i.Addresses, err = cutKeys(addresses)
	return i, err
}

// Reason cuts a text to what a receipt carries.
func Reason(s string) string {
	if len(s) <= MaxReason {
		return s
	}
	s = s[:MaxReason]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
