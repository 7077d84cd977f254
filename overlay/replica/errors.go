package replica

import "errors"

// When records are made or read.
var (
	// ErrRecord reports bytes that are no record.
	ErrRecord = errors.New("not a record")
	// ErrTooLarge reports a record whose ciphertext is over MaxCipher, or a trim
	// of more than MaxTrim records.
	ErrTooLarge = errors.New("record over the size limit")
	// ErrFull reports an author who has MaxLive live records.
	ErrFull = errors.New("too many live records")
	// ErrReserved reports a write to a slot that the replica itself uses.
	ErrReserved = errors.New("reserved slot")
)

// When replicas talk or read their tables.
var (
	// ErrProtocol reports a peer that breaks the exchange's rules.
	ErrProtocol = errors.New("the other side breaks the rules of the exchange")
	// ErrTables reports tables whose content cannot be.
	ErrTables = errors.New("the records' tables are damaged")
	// ErrConfig reports a Config that cannot work.
	ErrConfig = errors.New("replica: invalid configuration")
)
