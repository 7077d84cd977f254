package presence

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
	maxSummary  = 500 // characters
	maxWord     = 64  // bytes: role, kind, model, host …
	maxCwd      = 256
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

// beacon is what a node says of its sessions. It is the body of a statement of
// kind beacon, signed by the member. Fields (tag: meaning): 1 boot number, 2 seq,
// 3 clock (unix ms), 4 lease (ms), 5 cards, 6 admin log heads, 7 bind statement,
// 9 addresses.
//
// A card is a body of its own: 1 attest statement, 2 status, 3 summary, 4 opened
// (unix ms), 5 role, 6 hidden (1), 7 cwd, 9 host, 11 peer type, 13 channel,
// 15 model.
type beacon struct {
	boot, seq uint64
	clock     time.Time
	lease     time.Duration
	cards     []card
	node      Card
}

// card describes one session. Key and name are what the attestation says, filled
// in when it was checked.
type card struct {
	attest  []byte
	status  string
	summary string
	opened  time.Time
	hidden  bool
	role    string
	cwd     string
	host    string
	kind    string
	channel string
	model   string

	key  ident.PublicKey
	name string
}

func (b beacon) encode() []byte {
	var f ident.Fields
	f.Uint(tagBoot, b.boot)
	f.Uint(tagSeq, b.seq)
	f.Uint(tagClock, uint64(b.clock.UnixMilli()))
	f.Uint(tagLease, uint64(b.lease.Milliseconds()))
	cards := make([][]byte, 0, len(b.cards))
	for _, c := range b.cards {
		cards = append(cards, c.encode())
	}
	f.List(tagSessions, cards)
	heads := make([][]byte, 0, len(b.node.Heads))
	for _, h := range b.node.Heads {
		heads = append(heads, h[:])
	}
	f.List(tagHeads, heads)
	if len(b.node.Bind) > 0 {
		f.Bytes(tagBind, b.node.Bind)
	}
	if len(b.node.Addrs) > 0 {
		list := make([][]byte, 0, len(b.node.Addrs))
		for _, a := range b.node.Addrs {
			list = append(list, []byte(a))
		}
		f.List(tagAddrs, list)
	}
	return f.Body()
}

func (c card) encode() []byte {
	var f ident.Fields
	f.Bytes(cardAttest, c.attest)
	f.Text(cardStatus, c.status)
	optional(&f, cardSummary, c.summary)
	f.Uint(cardOpened, uint64(c.opened.UnixMilli()))
	optional(&f, cardRole, c.role)
	if c.hidden {
		f.Uint(cardHidden, 1)
	}
	optional(&f, cardCwd, c.cwd)
	optional(&f, cardHost, c.host)
	optional(&f, cardType, c.kind)
	optional(&f, cardChannel, c.channel)
	optional(&f, cardModel, c.model)
	return f.Body()
}

func optional(f *ident.Fields, tag uint64, s string) {
	if s != "" {
		f.Text(tag, s)
	}
}

// decodeBeacon reads a beacon's body. It checks shape and limits, not signatures.
func decodeBeacon(body []byte) (beacon, error) {
	r, err := ident.ReadFields(body, tagBoot, tagSeq, tagClock, tagLease, tagSessions, tagHeads, tagBind, tagAddrs)
	if err != nil {
		return beacon{}, fmt.Errorf("%w: %w", ErrBeacon, err)
	}
	r.Need(tagBoot, tagSeq, tagClock, tagLease, tagSessions, tagHeads)
	b := beacon{
		boot: r.Uint(tagBoot), seq: r.Uint(tagSeq),
		clock: time.UnixMilli(int64(r.Uint(tagClock))),
		node:  Card{Bind: r.Bytes(tagBind, maxBind)},
	}
	lease := r.Uint(tagLease)
	for _, a := range r.List(tagAddrs, maxAddrs, maxAddr) {
		b.node.Addrs = append(b.node.Addrs, string(a))
	}
	for _, h := range r.List(tagHeads, maxHeads, len(ident.ID{})) {
		if len(h) != len(ident.ID{}) {
			return beacon{}, fmt.Errorf("%w: a head of %d bytes", ErrBeacon, len(h))
		}
		b.node.Heads = append(b.node.Heads, ident.ID(h))
	}
	raw := r.List(tagSessions, MaxSessions+1, MaxBeacon)
	if err := r.Err(); err != nil {
		return beacon{}, fmt.Errorf("%w: %w", ErrBeacon, err)
	}
	if lease > uint64((10 * Lease).Milliseconds()) {
		return beacon{}, fmt.Errorf("%w: a lease of %d ms", ErrBeacon, lease)
	}
	b.lease = time.Duration(lease) * time.Millisecond
	for _, body := range raw {
		c, err := decodeCard(body)
		if err != nil {
			return beacon{}, err
		}
		b.cards = append(b.cards, c)
	}
	return b, nil
}

func decodeCard(body []byte) (card, error) {
	r, err := ident.ReadFields(body, cardAttest, cardStatus, cardSummary, cardOpened, cardRole, cardHidden,
		cardCwd, cardHost, cardType, cardChannel, cardModel)
	if err != nil {
		return card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	r.Need(cardAttest, cardStatus, cardOpened)
	c := card{
		attest: r.Bytes(cardAttest, maxAttest), status: r.Text(cardStatus, maxWord),
		summary: r.Text(cardSummary, 4*maxSummary), opened: time.UnixMilli(int64(r.Uint(cardOpened))),
		role: r.Text(cardRole, maxWord), hidden: r.Uint(cardHidden) == 1, cwd: r.Text(cardCwd, maxCwd),
		host: r.Text(cardHost, maxWord), kind: r.Text(cardType, maxWord),
		channel: r.Text(cardChannel, maxWord), model: r.Text(cardModel, maxWord),
	}
	if err := r.Err(); err != nil {
		return card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	return c, nil
}

// clip cuts text to at most n bytes at a character border, for cards of our own.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
