package roster

import (
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a beacon. MaxSessions times the largest card stays below MaxBeacon.
const (
	MaxBeacon   = 112 << 10 // bytes, signed
	MaxSessions = 32        // sessions of one member at one node
	maxAttest   = 1 << 10
	maxBind     = 4 << 10
	maxAddrs    = 16
	maxAddr     = 128
	maxHeads    = 64
	MaxSummary  = 500 // characters
	MaxWord     = 64  // bytes: role, kind, model, host …
	MaxCwd      = 256
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

// Card tags.
const (
	cardAttest, cardStatus, cardOpened, cardHidden = 1, 2, 4, 6
	cardSummary, cardRole, cardCwd, cardHost       = 3, 5, 7, 9
	cardType, cardChannel, cardModel               = 11, 13, 15
)

// Beacon is what a node says of its sessions. It is the body of a statement of
// kind beacon, signed by the member. Fields (tag: meaning): 1 boot number, 2 seq,
// 3 clock (unix ms), 4 lease (ms), 5 cards, 6 admin log heads, 7 bind statement,
// 9 addresses.
//
// A card is a body of its own: 1 attest statement, 2 status, 3 summary, 4 opened
// (unix ms), 5 role, 6 hidden (1), 7 cwd, 9 host, 11 peer type, 13 channel,
// 15 model.
type Beacon struct {
	Boot, Seq uint64
	Clock     time.Time     // the sender's wall clock
	Lease     time.Duration // how long it speaks for its sessions
	Cards     []Card
	Node      Node
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

// Card describes one session. Its reader fills in Key and Name once the attestation
// was checked.
type Card struct {
	Attest  []byte // the member's attestation of the session, as it travels
	Status  string // idle, working or dnd
	Summary string
	Opened  time.Time
	Hidden  bool // addressable, and never listed
	Role    string
	Cwd     string
	Host    string
	Kind    string // ai or human
	Channel string // the agent's kind, as in claude-code
	Model   string

	// Key and Name are what the attestation says.
	Key  ident.PublicKey
	Name string
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

// Encode writes a card as it stands in a beacon.
func (c Card) Encode() []byte {
	var f ident.Fields
	f.Bytes(cardAttest, c.Attest)
	f.Text(cardStatus, c.Status)
	optional(&f, cardSummary, c.Summary)
	f.Uint(cardOpened, uint64(c.Opened.UnixMilli()))
	optional(&f, cardRole, c.Role)
	if c.Hidden {
		f.Uint(cardHidden, 1)
	}
	optional(&f, cardCwd, c.Cwd)
	optional(&f, cardHost, c.Host)
	optional(&f, cardType, c.Kind)
	optional(&f, cardChannel, c.Channel)
	optional(&f, cardModel, c.Model)
	return f.Body()
}

func optional(f *ident.Fields, tag uint64, s string) {
	if s != "" {
		f.Text(tag, s)
	}
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

func decodeCard(body []byte) (Card, error) {
	r, err := ident.ReadFields(body, cardAttest, cardStatus, cardSummary, cardOpened, cardRole, cardHidden,
		cardCwd, cardHost, cardType, cardChannel, cardModel)
	if err != nil {
		return Card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	r.Need(cardAttest, cardStatus, cardOpened)
	c := Card{
		Attest: r.Bytes(cardAttest, maxAttest), Status: r.Text(cardStatus, MaxWord),
		Summary: r.Text(cardSummary, 4*MaxSummary), Opened: time.UnixMilli(int64(r.Uint(cardOpened))),
		Role: r.Text(cardRole, MaxWord), Hidden: r.Uint(cardHidden) == 1, Cwd: r.Text(cardCwd, MaxCwd),
		Host: r.Text(cardHost, MaxWord), Kind: r.Text(cardType, MaxWord),
		Channel: r.Text(cardChannel, MaxWord), Model: r.Text(cardModel, MaxWord),
	}
	if err := r.Err(); err != nil {
		return Card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	return c, nil
}
