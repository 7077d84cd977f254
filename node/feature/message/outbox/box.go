package outbox

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/shelf"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

const (
	msgKey = 20 + 16
	dueKey = 20 + 32 + 8
)

// Message is what is remembered of an accepted message.
type Message struct {
	Mesh     ident.MeshID
	ID       letter.ID
	Session  ident.PublicKey // who sent it
	Member   ident.PublicKey // the origin
	Hash     ident.ID        // of the statement
	Request  [32]byte        // hash of the request as typed
	Ord      uint64
	Created  time.Time
	Age      time.Duration // at acceptance
	Deadline time.Duration // the age at which its time to live is used up
	Priority delivery.Priority
	Answer   []byte // the first answer, to be given again
	Cause    [16]byte
	Depth    uint64
	Thread   letter.ID
	Size     int // of the text, as counted against the limit
	// Many says that each home finds out which of its sessions are meant: what it
	// says is about all rows of that home.
	Many bool
}

// Row is one recipient's.
type Row struct {
	Address ident.PublicKey
	Home    ident.PublicKey // the member whose node has the address
	State   delivery.State
	Since   time.Time
	Index   int // in the message's To; from letter.Everyone on, of a member meant by a group
	Target  string
	Name    string
	Reason  string
	Also    bool // named, and meant by a group as well
	Nobody  bool // its home has the message, and found nobody there whom the group means
}

// Home is where letters go.
type Home struct {
	Mesh   ident.MeshID
	Member ident.PublicKey
}

// Due is something still to be sent to a home: a message, or with Seen that a
// message of that member was seen here.
type Due struct {
	Home     Home
	Ord      uint64
	Seen     bool
	ID       letter.ID
	Deadline time.Duration
	Hash     ident.ID        // with Seen: of the message
	Address  ident.PublicKey // with Seen: the address it was seen at
}

// Usage is what is counted against the limits.
type Usage struct {
	Ord   uint64 // the last one given
	Rows  uint64 // not final
	Bytes uint64 // of text kept for them
}

// Box is the outbox in one transaction.
type Box struct {
	record, due, usage shelf.Shelf
}

// In gives the outbox in tx.
func In(tx *store.Tx) Box {
	return Box{
		record: shelf.In(tx, shelf.OutRecord), due: shelf.In(tx, shelf.OutDue), usage: shelf.In(tx, shelf.OutUsage),
	}
}

// Usage tells how full the outbox is.
func (b Box) Usage() Usage {
	v := b.usage.Get(nil)
	if len(v) != 24 {
		return Usage{}
	}
	return Usage{
		Ord:  binary.BigEndian.Uint64(v),
		Rows: binary.BigEndian.Uint64(v[8:]), Bytes: binary.BigEndian.Uint64(v[16:]),
	}
}

func (b Box) setUsage(u Usage) error {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 24), u.Ord)
	v = binary.BigEndian.AppendUint64(v, u.Rows)
	return b.usage.Put(nil, binary.BigEndian.AppendUint64(v, u.Bytes))
}

// nextOrd gives the next ord: the clock in 48 bits and a counter in 16, above
// all before.
func (u *Usage) nextOrd(now time.Time) uint64 {
	u.Ord = max(u.Ord+1, uint64(max(0, now.UnixMilli()))<<16)
	return u.Ord
}

// Accept stores a message with its rows and puts those that are not final into
// the queues of their homes. It returns its ord. ErrKnown leaves all as it was.
func (b Box) Accept(m Message, statement, attest []byte, rows []Row, now time.Time) (uint64, error) {
	key := recordKey(m.Mesh, m.ID)
	if b.record.Get(messageKey(key)) != nil {
		return 0, ErrKnown
	}
	u := b.Usage()
	m.Ord = u.nextOrd(now)
	homes := make(map[ident.PublicKey]bool)
	for _, r := range rows {
		if err := b.record.Put(rowKey(key, r.Address), r.encode()); err != nil {
			return 0, err
		}
		if !r.State.Final() {
			u.Rows++
			homes[r.Home] = true
		}
	}
	m.Size = len(statement) + len(attest)
	if len(homes) > 0 {
		u.Bytes += uint64(m.Size)
		if err := b.record.Put(textKey(key), encodeText(statement, attest)); err != nil {
			return 0, err
		}
	}
	for home := range homes {
		d := Due{Home: Home{m.Mesh, home}, Ord: m.Ord, ID: m.ID, Deadline: m.Deadline}
		if err := b.due.Put(d.key(), d.encode()); err != nil {
			return 0, err
		}
	}
	if err := b.record.Put(messageKey(key), m.encode()); err != nil {
		return 0, err
	}
	return m.Ord, b.setUsage(u)
}

// QueueSeen queues the news that a message was seen. now is the wall clock.
func (b Box) QueueSeen(d Due, now time.Time) error {
	u := b.Usage()
	d.Ord, d.Seen = u.nextOrd(now), true
	if err := b.due.Put(d.key(), d.encode()); err != nil {
		return err
	}
	return b.setUsage(u)
}

// Drop takes something out of a home's queue: the news was taken.
func (b Box) Drop(h Home, ord uint64) error { return b.due.Delete(Due{Home: h, Ord: ord}.key()) }

// Message finds a message.
func (b Box) Message(mesh ident.MeshID, id letter.ID) (Message, bool, error) {
	v := b.record.Get(messageKey(recordKey(mesh, id)))
	if v == nil {
		return Message{}, false, nil
	}
	m, err := decodeMessage(v)
	m.Mesh, m.ID = mesh, id
	return m, err == nil, err
}

// Find lists up to max ids that begin with the given hex digits.
func (b Box) Find(mesh ident.MeshID, digits string, max int) []letter.ID {
	from, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil {
		return nil
	}
	var ids []letter.ID
	b.record.AscendPrefix(append(mesh[:len(mesh):len(mesh)], from...), func(k, _ []byte) bool {
		if len(k) == msgKey+1 && k[msgKey] == 0 && strings.HasPrefix(hex.EncodeToString(k[20:msgKey]), digits) {
			ids = append(ids, letter.ID(k[20:msgKey]))
		}
		return len(ids) < max
	})
	return ids
}

// Rows lists the rows of a message by address.
func (b Box) Rows(mesh ident.MeshID, id letter.ID) (rows []Row, err error) {
	b.record.AscendPrefix(append(recordKey(mesh, id), 2), func(k, v []byte) bool {
		var r Row
		if len(k) != msgKey+1+32 {
			err = fmt.Errorf("%w: row key of %d bytes", ErrBroken, len(k))
		} else {
			r, err = decodeRow(k[msgKey+1:], v)
		}
		rows = append(rows, r)
		return err == nil
	})
	return rows, err
}

// Text gives the statement and attestation of a message, nil once all is final.
func (b Box) Text(mesh ident.MeshID, id letter.ID) (statement, attest []byte, err error) {
	v := b.record.Get(textKey(recordKey(mesh, id)))
	if v == nil {
		return nil, nil, nil
	}
	return decodeText(v)
}

func (d Due) key() []byte {
	k := make([]byte, 0, dueKey)
	k = append(append(k, d.Home.Mesh[:]...), d.Home.Member[:]...)
	return binary.BigEndian.AppendUint64(k, d.Ord)
}

// recordKey is where all of a message stands; each of its parts has it as prefix.
func recordKey(mesh ident.MeshID, id letter.ID) []byte {
	return append(append(make([]byte, 0, msgKey), mesh[:]...), id[:]...)
}

func messageKey(record []byte) []byte { return append(record[:msgKey:msgKey], 0) }

func textKey(record []byte) []byte { return append(record[:msgKey:msgKey], 1) }

func rowKey(record []byte, address ident.PublicKey) []byte {
	return append(append(record[:msgKey:msgKey], 2), address[:]...)
}
