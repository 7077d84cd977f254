package join

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Limits of what travels.
const (
	// MaxBlob is the largest sealed blob.
	MaxBlob = invite.MaxBlob
	// MaxWelcome is the largest sealed welcome.
	MaxWelcome = invite.MaxWelcome

	maxFrame = 8 << 10  // every frame but a chunk
	maxChunk = 64 << 10 // a chunk of a blob or welcome
	maxCode  = 32
)

// kind is a frame's first byte. A chunk has none.
type kind byte

const (
	kindAsk     kind = 1
	kindBlob    kind = 2
	kindClaim   kind = 3
	kindWelcome kind = 4
	kindRefused kind = 5
)

// fieldContent is the one field of each kind.
const fieldContent = 2

func frame(k kind, content []byte) []byte {
	var f ident.Fields
	f.Bytes(fieldContent, content)
	return append([]byte{byte(k)}, f.Body()...)
}

// lengthFrame announces n bytes in chunks.
func lengthFrame(k kind, n int) []byte {
	var f ident.Fields
	f.Uint(fieldContent, uint64(n))
	return append([]byte{byte(k)}, f.Body()...)
}

// readKind takes a frame of kind want apart; a refusal becomes its error.
func readKind(b []byte, want kind) (*ident.Reader, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty frame", ErrMalformed)
	}
	r, err := ident.ReadFields(b[1:], fieldContent)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Need(fieldContent)
	switch k := kind(b[0]); {
	case k == want:
		return r, nil
	case k == kindRefused:
		c := r.Text(fieldContent, maxCode)
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return nil, errorOf(reason(c))
	default:
		return nil, fmt.Errorf("%w: kind %d instead of %d", ErrMalformed, k, want)
	}
}

// decodeAsk reads the invite key of an ask frame.
func decodeAsk(b []byte) (ident.PublicKey, error) {
	r, err := readKind(b, kindAsk)
	if err != nil {
		return ident.PublicKey{}, err
	}
	key := r.Key(fieldContent)
	if err := r.Err(); err != nil {
		return ident.PublicKey{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return key, nil
}

// decodeClaim reads the sealed claim of a claim frame.
func decodeClaim(b []byte) ([]byte, error) {
	r, err := readKind(b, kindClaim)
	if err != nil {
		return nil, err
	}
	sealed := r.Bytes(fieldContent, maxFrame)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return sealed, nil
}

// decodeLength reads how many bytes follow a blob or welcome frame, 1 to max.
func decodeLength(b []byte, want kind, max int) (int, error) {
	r, err := readKind(b, want)
	if err != nil {
		return 0, err
	}
	n := r.Uint(fieldContent)
	if err := r.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if n == 0 || n > uint64(max) {
		return 0, fmt.Errorf("%w: %d bytes announced, at most %d allowed", ErrMalformed, n, max)
	}
	return int(n), nil
}

// sendLong writes a blob or welcome in chunks.
func sendLong(conn *wire.Conn, k kind, b []byte) error {
	if err := conn.WriteFrame(lengthFrame(k, len(b))); err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(len(b), maxChunk)
		if err := conn.WriteFrame(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return conn.Flush()
}

// readLong reads what sendLong writes. Memory grows with what has arrived, not with what was
// announced.
func readLong(conn *wire.Conn, k kind, max int) ([]byte, error) {
	head, err := conn.ReadFrame(maxFrame)
	if err != nil {
		return nil, err
	}
	n, err := decodeLength(head, k, max)
	if err != nil {
		return nil, err
	}
	var b []byte
	for len(b) < n {
		chunk, err := conn.ReadFrame(min(maxChunk, n-len(b)))
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 {
			return nil, fmt.Errorf("%w: empty chunk", ErrMalformed)
		}
		b = append(b, chunk...)
	}
	return b, nil
}
