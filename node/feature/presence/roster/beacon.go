package roster

import (
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a beacon. MaxSessions times the largest card without a summary stays below
// MaxBeacon (see Fit), and that below what gossip carries.
const (
	MaxBeacon   = 124 << 10 // bytes, signed
	MaxSessions = 64        // sessions of one member at one node
	maxAttest   = 1 << 10
	maxBind     = 4 << 10
	maxAddrs    = 16
	maxAddr     = 128
	maxHeads    = 64
	MaxSummary  = 500 // characters
	MaxWord     = 64  // bytes: role, kind, model, host …
	MaxCwd      = 256
	lastMoment  = 253402300799999 // Unix ms: the end of the year 9999
)

// Lease is how long a beacon speaks for its sessions; Interval is how often one is
// sent at least.
const (
	Lease    = 75 * time.Second
	Interval = 20 * time.Second
	// Grace is how long a session without a lease is away before it is gone, and
	// how long a detached session stays open at its node.
	Grace = 90 * time.Second
)

// ErrBeacon is the cause of every refused beacon.
var ErrBeacon = errors.New("malformed beacon")

// Beacon tags.
const (
	tagBoot, tagSeq, tagClock, tagLease, tagSessions = 1, 2, 3, 4, 5
	tagHeads, tagBind, tagAddrs                      = 6, 7, 9
)

// Beacon is what a node says of its sessions. It is the body of a statement of
// kind beacon, signed by the member. Fields (tag: meaning): 1 boot number, 2 seq,
// 3 clock (unix ms), 4 lease (ms), 5 cards, 6 admin log heads, 7 bind statement,
// 9 addresses.
//
// A card is a body of its own, see [Card].
type Beacon struct {
	Boot, Seq uint64
	Clock     time.Time     // the sender's wall clock
	Lease     time.Duration // how long it speaks for its sessions
	Cards     []Card
	Node      Node
}

// Newer tells whether b was made after other, by the same node.
func (b Beacon) Newer(other Beacon) bool {
	return b.Boot > other.Boot || b.Boot == other.Boot && b.Seq > other.Seq
}

// Node is what a beacon says of the node rather than of its sessions.
type Node struct {
	// Bind is the member's binding statement.
	Bind []byte
	// Addrs are the addresses it can be dialled at.
	Addrs []string
	// Heads are the heads of its admin log, so that a difference is noticed.
	Heads []ident.ID
}

// Encode writes the body to be signed.
func (b Beacon) Encode() []byte {
	var f ident.Fields
	f.Uint(tagBoot, b.Boot)
	f.Uint(tagSeq, b.Seq)
	f.Uint(tagClock, uint64(b.Clock.UnixMilli()))
	f.Uint(tagLease, uint64(b.Lease.Milliseconds()))
	cards := make([][]byte, 0, len(b.Cards))
	for _, c := range b.Cards {
		cards = append(cards, c.Encode())
	}
	f.List(tagSessions, cards)
	heads := make([][]byte, 0, len(b.Node.Heads))
	for _, h := range b.Node.Heads {
		heads = append(heads, h[:])
	}
	f.List(tagHeads, heads)
	if len(b.Node.Bind) > 0 {
		f.Bytes(tagBind, b.Node.Bind)
	}
	if len(b.Node.Addrs) > 0 {
		list := make([][]byte, 0, len(b.Node.Addrs))
		for _, a := range b.Node.Addrs {
			list = append(list, []byte(a))
		}
		f.List(tagAddrs, list)
	}
	return f.Body()
}

// Decode reads a beacon's body. It checks shape and limits, not signatures.
func Decode(body []byte) (Beacon, error) {
	r, err := ident.ReadFields(body, tagBoot, tagSeq, tagClock, tagLease, tagSessions, tagHeads, tagBind, tagAddrs)
	if err != nil {
		return Beacon{}, fmt.Errorf("%w: %w", ErrBeacon, err)
	}
	r.Need(tagBoot, tagSeq, tagClock, tagLease, tagSessions, tagHeads)
	b := Beacon{
		Boot: r.Uint(tagBoot), Seq: r.Uint(tagSeq),
		Clock: time.UnixMilli(int64(r.Uint(tagClock))),
		Node:  Node{Bind: r.Bytes(tagBind, maxBind)},
	}
	lease := r.Uint(tagLease)
	for _, a := range r.List(tagAddrs, maxAddrs, maxAddr) {
		b.Node.Addrs = append(b.Node.Addrs, string(a))
	}
	for _, h := range r.List(tagHeads, maxHeads, len(ident.ID{})) {
		if len(h) != len(ident.ID{}) {
			return Beacon{}, fmt.Errorf("%w: a head of %d bytes", ErrBeacon, len(h))
		}
		b.Node.Heads = append(b.Node.Heads, ident.ID(h))
	}
	raw := r.List(tagSessions, MaxSessions+1, MaxBeacon)
	if err := r.Err(); err != nil {
		return Beacon{}, fmt.Errorf("%w: %w", ErrBeacon, err)
	}
	if r.Uint(tagClock) > lastMoment {
		return Beacon{}, fmt.Errorf("%w: a clock that no calendar has", ErrBeacon)
	}
	if lease > uint64((10 * Lease).Milliseconds()) {
		return Beacon{}, fmt.Errorf("%w: a lease of %d ms", ErrBeacon, lease)
	}
	b.Lease = time.Duration(lease) * time.Millisecond
	for _, body := range raw {
		c, err := decodeCard(body)
		if err != nil {
			return Beacon{}, err
		}
		b.Cards = append(b.Cards, c)
	}
	return b, nil
}
