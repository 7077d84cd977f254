package replica

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

var errSoon = errors.New("not there yet")

// Write is what Append makes a record of.
type Write struct {
	Slot    Slot
	Clock   Clock // NextClock gives it
	Epoch   ident.ID
	Deleted bool
	// Seal makes the ciphertext; AAD(h) is what to bind it to. Called once per run of
	// the transaction.
	Seal func(h Header) ([]byte, error)
}

// Append writes a record to the own log. It fails with ErrTooLarge, ErrFull,
// ErrReserved, ErrForeign or what Seal returned.
func (r *Replica) Append(tx Tx, key ident.PrivateKey, w Write) (Record, error) {
	return Record{}, errSoon
}

// Slot gives the live records of a slot that count, by author and incarnation.
func (r *Replica) Slot(tx Tx, slot Slot) ([]Record, error) { return nil, errSoon }

// Slots calls fn for each slot with live records from the first one ≥ from on,
// ascending, until it returns false. Reserved slots are left out.
func (r *Replica) Slots(tx Tx, from Slot, fn func(Slot) bool) {}

// Own calls fn for each live record of the own log, ascending by number, from the
// first one ≥ from on, until it returns false. Reserved slots are left out.
func (r *Replica) Own(tx Tx, from uint64, fn func(Record) bool) error { return errSoon }

// Trim takes records of the own log out of all replicas, by their numbers (at most
// MaxTrim; numbers that are not live are ignored). Which are due is the caller's to
// decide: own records beaten for 30 days, own deletions 30 days old that beat nothing.
func (r *Replica) Trim(tx Tx, key ident.PrivateKey, clock Clock, numbers []uint64) error {
	return errSoon
}

// MaxTrim is how many records one Trim takes out.
const MaxTrim = 5000

// Result is what an exchange did.
type Result struct {
	Sent, Received       int   // records
	BytesSent, BytesCame int64 // of frames
	Taken                int   // records that became live here
	PeerClock            time.Time
	Equal                bool // both hold the same records now
}

// Proto is the inner protocol of Exchange.
const Proto = "records/1"

// Exchange brings both sides to the same records, as far as they know the same
// authors. One side is the opener. The stream and its deadlines are the caller's.
// What came before an error is kept.
func (r *Replica) Exchange(ctx context.Context, conn *wire.Conn, opener bool) (Result, error) {
	return Result{}, errSoon
}

// Verdict says what is to become of news.
type Verdict int

// The verdicts.
const (
	Ignore Verdict = iota // known already, or not to be judged: not passed on
	Accept                // new and well signed: passed on
	Reject                // nobody honest sends this
)

// News takes a record (its Raw) that came by gossip. want: exchange with whoever
// sent it, something lies between. An error is the disk's.
func (r *Replica) News(ctx context.Context, raw []byte) (v Verdict, want bool, err error) {
	return Ignore, false, errSoon
}

// Pending tells whether Adopt has something to do.
func (r *Replica) Pending(tx Tx) (bool, error) { return false, errSoon }

// Reseal makes the ciphertext of a record that is written anew under header h. A nil
// ciphertext without error drops the record.
type Reseal func(old Record, h Header) ([]byte, error)

// Adopt takes over what others hold of the own author and this replica did not write:
// it opens a new incarnation if the own log itself forked, writes anew what is later
// than the own records, with the same slots and clocks, and marks older incarnations
// replaced. Exchange with everybody in reach first. It may be called at any time, again
// after a failure, and does nothing if nothing is pending.
func (r *Replica) Adopt(ctx context.Context, key ident.PrivateKey, reseal Reseal) (adopted int, err error) {
	return 0, errSoon
}

// Restand judges all logs anew after the admin log changed.
func (r *Replica) Restand(ctx context.Context) error { return errSoon }

// Keep is the list, for a removal or a leave, of an author's live records that still
// count; nil if there are none. Its SHA-256 is the keep of the admin log.
func (r *Replica) KeepList(tx Tx, author ident.PublicKey) ([]byte, error) { return nil, errSoon }

// Sweep forgets evidence older than 30 days. Daily.
func (r *Replica) Sweep(ctx context.Context) error { return errSoon }

// Keep is what counts of an author that is gone: the union of some keep lists.
type Keep struct{ lists [][]byte }

// NewKeep makes a Keep of lists that KeepList made. One that cannot be is as good as
// empty, alike everywhere. The lists are kept, not copied.
func NewKeep(lists ...[]byte) *Keep { return &Keep{lists} }

// Has tells whether a record counts.
func (k *Keep) Has(log Log, n uint64, hash Sum) bool { return false }

// Reserved tells whether a slot is the replica's own.
func Reserved(s Slot) bool { return false }
