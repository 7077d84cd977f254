package roster

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Card tags.
const (
	cardAttest, cardStatus, cardOpened, cardHidden = 1, 2, 4, 6
	cardSummary, cardRole, cardCwd, cardHost       = 3, 5, 7, 9
	cardType, cardChannel, cardModel               = 11, 13, 15
	cardSource, cardSaid, cardGroups, cardCounts   = 17, 19, 21, 23
	cardConsent                                    = 25
)

// Tags of a group within a card, and of the counts.
const (
	groupName, groupRole             = 1, 3
	countIn, countOut                = 1, 3
	countCalls, countErrors, countUp = 5, 7, 9
)

// Sight is who may see a session. The numbers are on the wire.
type Sight uint8

// The kinds of sight.
const (
	Listed   Sight = iota // everybody sees it
	Unlisted              // the terminal's: addressable, never shown
	Hiding                // shown like one that has gone
)

// Card describes one session. Its encoding is a body with the fields (tag: meaning):
// 1 attest statement, 2 status, 3 summary, 4 opened (unix ms), 5 role, 6 sight,
// 7 cwd, 9 host, 11 peer type, 13 channel, 15 model, 17 status source, 19 when the
// status was last said (unix ms), 21 groups (bodies with 1 name, 3 role), 23 counts
// (a body with 1 messages in, 3 out, 5 tool calls, 7 errors, 9 seconds up),
// 25 the session's own signature that it belongs to the member.
//
// Its reader fills in Key and Name once the attestation was checked.
type Card struct {
	Attest  []byte // the member's attestation of the session, as it travels
	Status  status.Mark
	Summary string
	Opened  time.Time
	Sight   Sight
	Role    string
	Cwd     string
	Host    string
	Kind    string // ai or human
	Channel string // the agent's kind, as in claude-code
	Model   string
	Groups  []group.Group
	Counts  Counts
	Consent []byte // 64 bytes, or none

	// Key and Name are what the attestation says.
	Key  ident.PublicKey
	Name string
}

// Counts is what a session did, all in all.
type Counts struct {
	In, Out, Calls, Errors uint64
	Up                     time.Duration // how long it was open, in whole seconds
}

// Steady is the card without what changes by itself while its session does nothing
// that others care about.
func (c Card) Steady() Card {
	c.Counts, c.Status.At = Counts{}, time.UnixMilli(0)
	return c
}

// Encode writes a card as it stands in a beacon.
func (c Card) Encode() []byte {
	var f ident.Fields
	f.Bytes(cardAttest, c.Attest)
	f.Text(cardStatus, c.Status.Value)
	optional(&f, cardSummary, c.Summary)
	f.Uint(cardOpened, uint64(c.Opened.UnixMilli()))
	optional(&f, cardRole, c.Role)
	if c.Sight != Listed {
		f.Uint(cardHidden, uint64(c.Sight))
	}
	optional(&f, cardCwd, c.Cwd)
	optional(&f, cardHost, c.Host)
	optional(&f, cardType, c.Kind)
	optional(&f, cardChannel, c.Channel)
	optional(&f, cardModel, c.Model)
	optional(&f, cardSource, string(c.Status.Source))
	f.Uint(cardSaid, uint64(max(c.Status.At.UnixMilli(), 0)))
	if len(c.Groups) > 0 {
		f.List(cardGroups, encodeGroups(c.Groups))
	}
	if c.Counts != (Counts{}) {
		f.Bytes(cardCounts, c.Counts.encode())
	}
	if len(c.Consent) > 0 {
		f.Bytes(cardConsent, c.Consent)
	}
	return f.Body()
}

func optional(f *ident.Fields, tag uint64, s string) {
	if s != "" {
		f.Text(tag, s)
	}
}

func encodeGroups(groups []group.Group) [][]byte {
	out := make([][]byte, 0, len(groups))
	for _, g := range groups {
		var f ident.Fields
		f.Text(groupName, g.Name)
		optional(&f, groupRole, g.Role)
		out = append(out, f.Body())
	}
	return out
}

func (c Counts) encode() []byte {
	var f ident.Fields
	f.Uint(countIn, c.In)
	f.Uint(countOut, c.Out)
	f.Uint(countCalls, c.Calls)
	f.Uint(countErrors, c.Errors)
	f.Uint(countUp, uint64(c.Up/time.Second))
	return f.Body()
}

func decodeCard(body []byte) (Card, error) {
	r, err := ident.ReadFields(body, cardAttest, cardStatus, cardSummary, cardOpened, cardRole, cardHidden,
		cardCwd, cardHost, cardType, cardChannel, cardModel, cardSource, cardSaid, cardGroups, cardCounts, cardConsent)
	if err != nil {
		return Card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	r.Need(cardAttest, cardStatus, cardOpened)
	c := Card{
		Attest:  r.Bytes(cardAttest, maxAttest),
		Status:  status.Mark{Value: r.Text(cardStatus, MaxWord), Source: status.Source(r.Text(cardSource, MaxWord)), At: time.UnixMilli(int64(r.Uint(cardSaid)))},
		Summary: r.Text(cardSummary, 4*MaxSummary), Opened: time.UnixMilli(int64(r.Uint(cardOpened))),
		Role: r.Text(cardRole, MaxWord), Cwd: r.Text(cardCwd, MaxCwd),
		Host: r.Text(cardHost, MaxWord), Kind: r.Text(cardType, MaxWord),
		Channel: r.Text(cardChannel, MaxWord), Model: r.Text(cardModel, MaxWord),
		Consent: r.Bytes(cardConsent, consentSize),
	}
	sight, counts := r.Uint(cardHidden), r.Bytes(cardCounts, maxCounts)
	groups := r.List(cardGroups, group.MaxCount, maxGroup)
	if err := r.Err(); err != nil {
		return Card{}, fmt.Errorf("%w: card: %w", ErrBeacon, err)
	}
	c.Sight = Sight(min(sight, uint64(Hiding)))
	c.Status = known(c.Status)
	if c.Groups, err = decodeGroups(groups); err != nil {
		return Card{}, fmt.Errorf("%w: groups: %w", ErrBeacon, err)
	}
	if c.Counts, err = decodeCounts(counts); err != nil {
		return Card{}, fmt.Errorf("%w: counts: %w", ErrBeacon, err)
	}
	return c, nil
}

// known puts what a newer version may say in words of this one.
func known(m status.Mark) status.Mark {
	if !status.Valid(m.Value) {
		m.Value = status.Working
	}
	if m.Source != status.Hook && m.Source != status.Manual {
		m.Source = status.Inferred
	}
	return m
}

// Limits within a card, in bytes.
const (
	consentSize = 64
	maxCounts   = 64
	maxGroup    = group.MaxName + group.MaxRole + 16
)

func decodeGroups(raw [][]byte) ([]group.Group, error) {
	var out []group.Group
	for _, body := range raw {
		r, err := ident.ReadFields(body, groupName, groupRole)
		if err != nil {
			return nil, err
		}
		r.Need(groupName)
		g := group.Group{Name: r.Text(groupName, group.MaxName), Role: r.Text(groupRole, group.MaxRole)}
		if err := r.Err(); err != nil {
			return nil, err
		}
		if clean, err := group.Clean(g.Name); err != nil || clean != g.Name || group.CheckRole(g.Role) != nil {
			continue // what nobody can join is nobody's group
		}
		out = append(out, g)
	}
	return out, nil
}

func decodeCounts(body []byte) (Counts, error) {
	r, err := ident.ReadFields(body, countIn, countOut, countCalls, countErrors, countUp)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{In: r.Uint(countIn), Out: r.Uint(countOut), Calls: r.Uint(countCalls), Errors: r.Uint(countErrors)}
	const century = 100 * 365 * 24 * 3600 // more seconds than that are none
	c.Up = time.Duration(min(r.Uint(countUp), century)) * time.Second
	return c, r.Err()
}
