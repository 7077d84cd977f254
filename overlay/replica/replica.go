package replica

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Tx is one transaction on the tables of one mesh's replica. A table is a sorted
// map of keys to values; one that does not exist reads as empty. What a Tx returns
// is valid until its function returns and must not be changed. The contract is
// tested by store/records/recordstest.
type Tx interface {
	// Get gives the value of key, nil if there is none.
	Get(table string, key []byte) []byte
	// Put sets the value of key, both copied. An error fails the transaction.
	Put(table string, key, value []byte) error
	// Delete removes key, if it is there.
	Delete(table string, key []byte) error
	// Ascend calls fn for each key from the first one ≥ from (nil: all), upwards,
	// until it returns false. fn may change the table.
	Ascend(table string, from []byte, fn func(key, value []byte) bool)
}

// Disk runs transactions. Neither function may be called inside the other.
type Disk interface {
	// Update runs fn and returns when what it wrote is on disk, or nothing of it.
	// fn may run more than once, each time from the state before.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on what is on disk.
	View(fn func(Tx) error) error
}

// Standing is what the admin log says of an author. The zero value is an author
// nobody knows: its records are neither taken nor claimed.
type Standing struct {
	// Member: it is a member now, all it signed counts.
	Member bool
	// Keep: it was removed or has left, and of its records exactly these count.
	// Nil: none.
	Keep *Keep
}

// counts tells whether any record of the author may be held.
func (s Standing) counts() bool { return s.Member || s.Keep != nil }

// takes tells whether a record of the author may be held.
func (s Standing) takes(r Record) bool {
	return s.Member || s.Keep != nil && s.Keep.Has(r.Log, r.N, r.hash)
}

// Authors knows who the authors are. It is called inside transactions, from
// several goroutines, and must answer from memory.
type Authors interface {
	// Standing tells what the admin log says of the member with this blind key.
	Standing(blind ident.PublicKey) Standing
}

// Config says what a Replica works with.
type Config struct {
	// Disk holds the tables.
	Disk Disk
	// Authors tells whose records count. Restand must be called when it changed.
	Authors Authors
	// Self is the own blind key; zero for a replica that writes nothing.
	Self ident.PublicKey
	// Inc is the incarnation of the own log when it is begun, the node's gen. An
	// own log that is on disk goes on with its own.
	Inc uint64
	// Changed is called at the end of every transaction that changed what is live,
	// with the slots that did, each once, the reserved ones left out. It also runs in
	// Append. An error fails the transaction. Nil: nobody asks.
	Changed func(tx Tx, slots []Slot) error
	// Foreign is called, outside of transactions, when records of the own author came
	// that this replica did not write or has not adopted: Adopt is due. It must not
	// block. Nil: Pending tells.
	Foreign func()
	// Mono is the monotonic clock, for the pace of authors. Nil means the time since New.
	Mono func() time.Duration
	// Now is mesh time, for the age of evidence and what is told to peers. Nil means
	// time.Now.
	Now func() time.Time
	// Log gets one line per event worth one. Nil discards.
	Log *slog.Logger
}

// Replica is the records of one mesh on this node. All its methods may be called at
// the same time; those that take a Tx belong into a transaction of Config.Disk.
type Replica struct {
	cfg   Config
	log   *slog.Logger
	paces *paces
}

// New makes a replica. It starts nothing. It fails with ErrConfig.
func New(cfg Config) (*Replica, error) {
	if cfg.Disk == nil || cfg.Authors == nil || cfg.Inc > maxNumber {
		return nil, fmt.Errorf("%w: disk and authors are needed, and an incarnation below 2^63", ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Mono == nil {
		start := time.Now()
		cfg.Mono = func() time.Duration { return time.Since(start) }
	}
	return &Replica{cfg: cfg, log: cfg.Log, paces: newPaces(cfg.Mono)}, nil
}
