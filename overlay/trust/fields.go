package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of what statements carry.
const (
	// MaxBody is the longest statement body, in bytes: a log entry without its
	// wraps and lists, or any other statement of this package.
	MaxBody = 64 << 10
	// MaxParents is how many parents, heads or proofs' heads a statement names.
	MaxParents = 64
	// MaxName is the longest name of a mesh or member, in bytes.
	MaxName = 160
	// MaxIDs is how many ids a void, an uninvite or a remove lists.
	MaxIDs = 1000
	// MaxTargets is how many principals one remove names.
	MaxTargets = 256
)

const (
	maxPeer = 64                // bytes of a libp2p peer id
	maxTime = 253402300799999   // the last millisecond of the year 9999
	maxUint = uint64(1)<<63 - 1 // generations and sequence numbers
	idSize  = len(ident.ID{})   // bytes
	keySize = ident.SealPublicSize
)

// CheckName reports, with ErrName, a name that no mesh or member may have: it
// must be 1 to MaxName bytes of UTF-8 without control characters, line breaks
// or marks that turn the direction of text, and not begin or end with a space.
// The rule is fixed, so that all nodes judge alike.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrName, len(name), MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unfit):
		return fmt.Errorf("%w: it has characters that do not show", ErrName)
	case name[0] == ' ' || name[len(name)-1] == ' ':
		return fmt.Errorf("%w: it begins or ends with a space", ErrName)
	}
	return nil
}

// unfit tells whether a name may not have r.
func unfit(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xad || r == 0x61c ||
		r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff || r == utf8.RuneError
}

// millis is a time as statements carry it: Unix milliseconds, 0 for none.
func millis(t time.Time) uint64 {
	if t.IsZero() || t.UnixMilli() < 0 {
		return 0
	}
	return uint64(t.UnixMilli())
}

// moment is the reverse of millis.
func moment(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// readTime reads a time field.
func readTime(r *reader, tag uint64) time.Time {
	ms := r.Uint(tag)
	if ms > maxTime {
		r.fail("field %d is no time", tag)
		return time.Time{}
	}
	return moment(ms)
}

// reader adds this package's checks to ident's; the first failure sticks.
type reader struct {
	*ident.Reader
	err error
}

// read takes a body apart. known are the tags of the kind.
func read(body []byte, known ...uint64) (*reader, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("%w: body of %d bytes, at most %d", ident.ErrTooLarge, len(body), MaxBody)
	}
	r, err := ident.ReadFields(body, known...)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r}, nil
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
}

// check fails unless ok.
func (r *reader) check(ok bool, format string, args ...any) {
	if !ok {
		r.fail(format, args...)
	}
}

// name reads a name and checks it.
func (r *reader) name(tag uint64) string {
	s := r.Text(tag, MaxName)
	if r.Err() == nil && r.err == nil {
		r.err = CheckName(s)
	}
	return s
}

// number reads an integer below 2^63.
func (r *reader) number(tag uint64) uint64 {
	v := r.Uint(tag)
	r.check(v <= maxUint, "field %d is too large", tag)
	return v
}

// done is the first error of all reads.
func (r *reader) done() error {
	if err := r.Err(); err != nil {
		return err
	}
	return r.err
}

// writeIDs writes a list of ids: n × 32 bytes. An empty list is left out.
func writeIDs[T ~[32]byte](f *ident.Fields, tag uint64, ids []T) {
	if len(ids) == 0 {
		return
	}
	b := make([]byte, 0, len(ids)*idSize)
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	f.Bytes(tag, b)
}

// readIDs reads what writeIDs writes.
func readIDs[T ~[32]byte](r *reader, tag uint64, most int) []T {
	b := r.Bytes(tag, most*idSize)
	if !r.Has(tag) || r.Err() != nil {
		return nil
	}
	if len(b) == 0 || len(b)%idSize != 0 {
		r.fail("field %d is no list of ids", tag)
		return nil
	}
	ids := make([]T, 0, len(b)/idSize)
	for ; len(b) > 0; b = b[idSize:] {
		ids = append(ids, T(b[:idSize]))
	}
	return ids
}

// readSortedIDs reads a list of ids that must ascend, each once.
func readSortedIDs[T ~[32]byte](r *reader, tag uint64, most int) []T {
	ids := readIDs[T](r, tag, most)
	r.check(ascending(ids), "field %d is not in order", tag)
	return ids
}

func ascending[T ~[32]byte](ids []T) bool {
	for i := 1; i < len(ids); i++ {
		if ident.ID(ids[i-1]).Compare(ident.ID(ids[i])) >= 0 {
			return false
		}
	}
	return true
}

// sorted returns ids in ascending order, each once.
func sorted[T ~[32]byte](ids []T) []T {
	out := slices.Clone(ids)
	slices.SortFunc(out, func(a, b T) int { return ident.ID(a).Compare(ident.ID(b)) })
	return slices.Compact(out)
}
