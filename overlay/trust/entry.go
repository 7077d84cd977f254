package trust

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Limits of what travels with an entry, outside its signed body.
const (
	// MaxWraps is how many members one epoch key can be wrapped for.
	MaxWraps = 10000
	// MaxList is the longest keep list, in bytes.
	MaxList = 16 << 20
	// MaxEntry is the longest entry with all that travels along, in bytes.
	MaxEntry = 32 << 20
)

const wrapSize = 32 + 32 + seal.Overhead

// Tags of an entry as it is stored and sent.
const (
	tagStmt  = 1
	tagWraps = 2
	tagLists = 3
)

// Head begins the body of every log entry.
type Head struct {
	// Signer signed the entry.
	Signer ident.PublicKey
	// Parents are the heads of the signer's log, ascending; genesis has none.
	Parents []ident.ID
	// Time is when the signer's clock said it signed, in whole milliseconds.
	// It is shown and never judged.
	Time time.Time
}

// Body is the decoded body of one kind of log entry: Genesis, Invite,
// Uninvite, Admit, RoleChange, Remove, Leave, Epoch, Set or Void.
type Body interface {
	// Kind is the statement's kind.
	Kind() ident.Kind
	// Encode writes the signed body.
	Encode() []byte
	// Header is what all kinds have.
	Header() Head
}

// Header makes Head a part of Body.
func (h Head) Header() Head { return h }

// write puts what all kinds have in front.
func (h Head) write(f *ident.Fields, kind ident.Kind) {
	f.Text(tagKind, string(kind))
	f.Bytes(tagSigner, h.Signer[:])
	writeIDs(f, tagParents, h.Parents)
	f.Uint(tagTime, millis(h.Time))
}

// Tags that all log entries have.
const (
	tagKind    = 1
	tagSigner  = 2
	tagParents = 3
	tagTime    = 4
)

// readHead opens a log entry of one kind. known are the tags of the kind alone.
func readHead(body []byte, kind ident.Kind, known ...uint64) (Head, *reader, error) {
	r, err := read(body, append(known, tagKind, tagSigner, tagParents, tagTime)...)
	if err != nil {
		return Head{}, nil, fmt.Errorf("%s: %w", kind, err)
	}
	if got := r.Text(tagKind, 32); got != string(kind) {
		return Head{}, nil, fmt.Errorf("%w: %q instead of %q", ErrKind, got, kind)
	}
	r.Need(tagSigner, tagTime)
	h := Head{
		Signer:  r.Key(tagSigner),
		Parents: readSortedIDs[ident.ID](r, tagParents, MaxParents),
		Time:    readTime(r, tagTime),
	}
	if kind != ident.KindGenesis {
		r.Need(tagParents)
	} else {
		r.check(len(h.Parents) == 0, "genesis has parents")
	}
	return h, r, nil
}

// DecodeBody reads the body of a log entry of any kind.
func DecodeBody(body []byte) (Body, error) {
	kind, err := kindOf(body)
	if err != nil {
		return nil, err
	}
	switch kind {
	case ident.KindGenesis:
		return decoded(DecodeGenesis(body))
	case ident.KindInvite:
		return decoded(DecodeInvite(body))
	case ident.KindUninvite:
		return decoded(DecodeUninvite(body))
	case ident.KindAdmit:
		return decoded(DecodeAdmit(body))
	case ident.KindRole:
		return decoded(DecodeRoleChange(body))
	case ident.KindRemove:
		return decoded(DecodeRemove(body))
	case ident.KindLeave:
		return decoded(DecodeLeave(body))
	case ident.KindEpoch:
		return decoded(DecodeEpoch(body))
	case ident.KindSet:
		return decoded(DecodeSet(body))
	case ident.KindVoid:
		return decoded(DecodeVoid(body))
	}
	return nil, fmt.Errorf("%w: %q is no kind of log entry", ErrKind, kind)
}

func decoded[T Body](b T, err error) (Body, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

// kindOf reads the kind of a log entry's body. The tags listed are those of
// all kinds; each kind's decoder is stricter.
func kindOf(body []byte) (ident.Kind, error) {
	r, err := read(body, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	if err != nil {
		return "", err
	}
	r.Need(tagKind)
	return ident.Kind(r.Text(tagKind, 32)), r.done()
}

// Entry is one entry of an admin log with what travels along: the wrapped keys
// of its epoch and the lists its keep hashes stand for. An Entry is immutable
// and its fields fit together: wraps and lists are those the body commits to.
type Entry struct {
	stmt  ident.Statement
	wraps []Wrap
	lists [][]byte
	body  Body
	id    ident.ID
}

// ID is the entry's id, which also covers its kind, wraps and lists.
func (e Entry) ID() ident.ID { return e.id }

// Kind is the kind of statement.
func (e Entry) Kind() ident.Kind { return e.body.Kind() }

// Body is the decoded body. The caller must not change what it points to.
func (e Entry) Body() Body { return e.body }

// Signer signed the entry.
func (e Entry) Signer() ident.PublicKey { return e.body.Header().Signer }

// Statement is the signed statement as it came.
func (e Entry) Statement() ident.Statement { return e.stmt }

// Wraps are the wrapped keys of the entry's epoch, ascending by member.
func (e Entry) Wraps() []Wrap { return e.wraps }

// Lists are the keep lists, one for each keep hash that is not zero, in order.
func (e Entry) Lists() [][]byte { return e.lists }

// Marshal writes the entry for disk and wire.
func (e Entry) Marshal() []byte {
	var f ident.Fields
	f.Bytes(tagStmt, e.stmt.Marshal())
	if len(e.wraps) > 0 {
		f.Bytes(tagWraps, marshalWraps(e.wraps))
	}
	if len(e.lists) > 0 {
		f.List(tagLists, e.lists)
	}
	return f.Body()
}

// ParseEntry reads what Marshal writes. It checks the form of the body and that
// wraps and lists are those it commits to; the signature is checked by Log.Add.
func ParseEntry(b []byte) (Entry, error) {
	if len(b) > MaxEntry {
		return Entry{}, fmt.Errorf("entry: %w: %d bytes, at most %d", ident.ErrTooLarge, len(b), MaxEntry)
	}
	e, err := parseEntry(b)
	if err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	if err := e.checkAttached(); err != nil {
		return Entry{}, fmt.Errorf("%s: %w", e.Kind(), err)
	}
	return e, nil
}

// ParseBareEntry reads an entry that may lack its wraps and lists, as invites
// carry them. Only a log of OpenPast takes such an entry.
func ParseBareEntry(b []byte) (Entry, error) {
	if len(b) > MaxBody+256 {
		return Entry{}, fmt.Errorf("entry: %w: %d bytes", ident.ErrTooLarge, len(b))
	}
	e, err := parseEntry(b)
	if err != nil {
		return Entry{}, fmt.Errorf("entry: %w", err)
	}
	return e, nil
}

// Bare is the entry without wraps and lists.
func (e Entry) Bare() Entry {
	e.wraps, e.lists = nil, nil
	return e
}

func parseEntry(b []byte) (Entry, error) {
	r, err := ident.ReadFields(b, tagStmt, tagWraps, tagLists)
	if err != nil {
		return Entry{}, err
	}
	r.Need(tagStmt)
	raw := r.Bytes(tagStmt, MaxBody+256)
	wraps := r.Bytes(tagWraps, MaxWraps*wrapSize)
	lists := r.List(tagLists, MaxTargets, MaxList)
	if r.Err() != nil {
		return Entry{}, r.Err()
	}
	stmt, err := ident.ParseStatement(raw, MaxBody)
	if err != nil {
		return Entry{}, err
	}
	parsed, err := parseWraps(wraps)
	if err != nil {
		return Entry{}, err
	}
	return newEntry(stmt, parsed, lists)
}

// newEntry decodes the body of a statement with what travels along.
func newEntry(stmt ident.Statement, wraps []Wrap, lists [][]byte) (Entry, error) {
	body, err := DecodeBody(stmt.Body)
	if err != nil {
		return Entry{}, err
	}
	return Entry{stmt: stmt, wraps: wraps, lists: lists, body: body, id: stmt.ID()}, nil
}

// signEntry makes the entry of a body.
func signEntry(mesh ident.MeshID, signer ident.PrivateKey, body Body, wraps []Wrap, lists [][]byte) (Entry, error) {
	text := body.Encode()
	if len(text) > MaxBody {
		return Entry{}, fmt.Errorf("%s: %w: body of %d bytes, at most %d", body.Kind(), ident.ErrTooLarge, len(text), MaxBody)
	}
	e, err := newEntry(ident.Sign(body.Kind(), mesh, text, signer), wraps, lists)
	if err != nil {
		return Entry{}, err
	}
	return e, e.checkAttached()
}

// checkAttached checks that wraps and lists are those the body commits to.
func (e Entry) checkAttached() error {
	var want [32]byte
	if p := epochPart(e.body); p != nil {
		want = p.Wraps
	}
	if got := wrapsHash(e.wraps); got != want && !(len(e.wraps) == 0 && want == [32]byte{}) {
		return fmt.Errorf("%w: its wrapped keys are not those it was signed with", ErrInvalid)
	}
	keeps := keepsOf(e.body)
	if len(keeps) != len(e.lists) {
		return fmt.Errorf("%w: %d keep lists instead of %d", ErrInvalid, len(e.lists), len(keeps))
	}
	for i, l := range e.lists {
		if sha256.Sum256(l) != keeps[i] {
			return fmt.Errorf("%w: keep list %d is not the one it was signed with", ErrInvalid, i+1)
		}
	}
	return nil
}

// keepsOf are the keep hashes of a body that stand for a list.
func keepsOf(b Body) [][32]byte {
	var all [][32]byte
	switch b := b.(type) {
	case *Remove:
		all = b.Keeps
	case *Leave:
		all = [][32]byte{b.Keep}
	}
	var some [][32]byte
	for _, k := range all {
		if k != ([32]byte{}) {
			some = append(some, k)
		}
	}
	return some
}
