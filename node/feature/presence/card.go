package presence

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// CardKind is the collection of session cards. A key is the member's key and the
// session's, in hex, with a slash between; only the member writes it. The value is a
// card's facts as JSON.
const CardKind = "card"

const (
	// keepClosed is how long a closed session stays known.
	keepClosed = 30 * 24 * time.Hour
	// seenEvery is how often an open session's card is written though nothing changed,
	// so that members that do not meet know who is still around.
	seenEvery = 24 * time.Hour
	// maxFacts is the largest card in bytes.
	maxFacts = 8 << 10
	// maxCards is how many sessions of one member are known by cards, the newest: four
	// times as many as are open at once.
	maxCards = 256
)

// facts are what a session card says. It is a record: written when something of it
// changes, not with every beacon.
type facts struct {
	Name    string        `json:"name"`
	Open    bool          `json:"open"`
	Visible bool          `json:"visible"`
	Person  bool          `json:"person,omitempty"` // the terminal's session: never listed
	Groups  []group.Group `json:"groups,omitempty"`
	Summary string        `json:"summary,omitempty"`
	Role    string        `json:"role,omitempty"`
	Cwd     string        `json:"cwd,omitempty"`
	Host    string        `json:"host,omitempty"`
	Kind    string        `json:"type,omitempty"`
	Channel string        `json:"channel,omitempty"`
	Model   string        `json:"model,omitempty"`
	Opened  time.Time     `json:"opened"`
	Seen    time.Time     `json:"seen"`    // when it was last known to be there
	Consent []byte        `json:"consent"` // the session's signature that it is the member's
}

// filed is a card as this node knows it.
type filed struct {
	facts
	key     ident.PublicKey // of the session
	member  ident.PublicKey
	written time.Time
}

// Kinds are the collections of records of this feature.
func (f *Feature) Kinds() []record.Kind {
	return []record.Kind{{
		Name: CardKind, Most: maxCards, Newest: true,
		Writes: func(_ ident.MeshID, author ident.PublicKey, key string) bool {
			member, _, ok := splitCard(key)
			return ok && member == author
		},
		Check:   func(value []byte) error { _, err := decodeFacts(value); return err },
		Changed: f.cardChanged,
	}}
}

func cardKey(member, session ident.PublicKey) string {
	return member.String() + "/" + session.String()
}

// splitCard reads what cardKey wrote.
func splitCard(key string) (member, session ident.PublicKey, ok bool) {
	a, b, ok := strings.Cut(key, "/")
	if !ok {
		return member, session, false
	}
	member, err := ident.ParsePublicKeyHex(a)
	if err != nil {
		return member, session, false
	}
	session, err = ident.ParsePublicKeyHex(b)
	return member, session, err == nil && cardKey(member, session) == key
}

// decodeFacts reads a card. It refuses one that could not be shown.
func decodeFacts(value []byte) (facts, error) {
	var c facts
	if len(value) > maxFacts {
		return c, fmt.Errorf("%w: %d bytes", ErrCard, len(value))
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCard, err)
	}
	if c.Name == "" || len(c.Groups) > group.MaxCount || len(c.Consent) != consentSize {
		return c, fmt.Errorf("%w: its name, groups or consent", ErrCard)
	}
	for _, word := range []string{c.Name, c.Role, c.Host, c.Kind, c.Channel, c.Model} {
		if len(word) > roster.MaxWord {
			return c, fmt.Errorf("%w: a word of %d bytes", ErrCard, len(word))
		}
	}
	if len(c.Cwd) > roster.MaxCwd || len(c.Summary) > 4*roster.MaxSummary {
		return c, fmt.Errorf("%w: a folder of %d or a summary of %d bytes", ErrCard, len(c.Cwd), len(c.Summary))
	}
	for _, g := range c.Groups {
		if clean, err := group.Clean(g.Name); err != nil || clean != g.Name || group.CheckRole(g.Role) != nil {
			return c, fmt.Errorf("%w: the group %q", ErrCard, g.Name)
		}
	}
	return c, nil
}

// take makes an entry a card. ok is false for one that no session stands behind.
func (f *Feature) take(mesh ident.MeshID, e record.Entry) (c filed, ok bool) {
	member, session, ok := splitCard(e.Key)
	if !ok {
		return c, false
	}
	said, err := decodeFacts(e.Value)
	if err != nil {
		return c, false
	}
	if !f.agreed(mesh, e.Key, said.Consent) && !consents(mesh, member, session, said.Consent) {
		return c, false
	}
	return filed{facts: said, key: session, member: member, written: e.At()}, true
}

// agreed tells whether a session's consent was found good already: a card seldom
// changes, and all are read anew whenever the members do.
func (f *Feature) agreed(mesh ident.MeshID, key string, consent []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.cards[mesh][key]
	return ok && bytes.Equal(c.Consent, consent)
}

// cardChanged follows one card. What it does waits for the commit.
func (f *Feature) cardChanged(tx *store.Tx, c record.Change) error {
	key, mesh := c.Key, c.Mesh
	var card filed
	shown := false
	if c.New != nil {
		card, shown = f.take(mesh, *c.New)
	}
	tx.OnCommit(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.commits++
		cards := f.cardsIn(mesh)
		if shown {
			cards[key] = card
			f.knew(mesh, card)
		} else {
			delete(cards, key)
		}
	})
	return nil
}

// reloadCards reads all cards of a mesh anew, again if one was committed meanwhile.
func (f *Feature) reloadCards(mesh ident.MeshID) {
	for f.cfg.Records != nil {
		f.mu.Lock()
		before := f.commits
		f.mu.Unlock()
		entries, err := f.cfg.Records.List(mesh, CardKind, "")
		if err != nil {
			f.cfg.Log.Warn("session cards not read", "mesh", mesh, "error", err)
			return
		}
		cards := make(map[string]filed, len(entries))
		for _, e := range entries {
			if c, ok := f.take(mesh, e); ok {
				cards[e.Key] = c
			}
		}
		if f.takeCards(mesh, cards, before) {
			return
		}
	}
}

// takeCards takes over what was read, unless a card was committed since.
func (f *Feature) takeCards(mesh ident.MeshID, cards map[string]filed, before uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.commits != before {
		return false
	}
	f.cards[mesh] = cards
	for _, c := range cards {
		f.knew(mesh, c)
	}
	return true
}

// knew has the watch take note of a session that is not new: one that is closed, or
// was opened some time before its card came. The caller holds f.mu.
func (f *Feature) knew(mesh ident.MeshID, c filed) {
	if c.Open && c.Seen.Sub(c.Opened) < roster.Grace || !c.Visible || c.Person {
		return
	}
	k := c.known(c.Open)
	f.watchOf(mesh).Knew(c.member, k.Card, c.Seen)
}

// cardsIn are the cards of a mesh by key. The caller holds f.mu.
func (f *Feature) cardsIn(mesh ident.MeshID) map[string]filed {
	cards, ok := f.cards[mesh]
	if !ok {
		cards = make(map[string]filed)
		f.cards[mesh] = cards
	}
	return cards
}

// fileCards writes the own cards that say something new, and deletes those of
// sessions that closed long ago.
func (f *Feature) fileCards(ctx context.Context) {
	if f.cfg.Records == nil {
		return
	}
	for _, m := range f.cfg.Meshes.List() {
		write, drop := f.overdueCards(m, f.MeshTime(m.ID))
		for key, said := range write {
			raw, err := json.Marshal(said)
			if err == nil {
				_, err = f.cfg.Records.Put(ctx, m.ID, CardKind, key, raw)
			}
			f.wrote(m.ID, key, said)
			if err != nil {
				f.cfg.Log.Warn("session card not written", "mesh", m.ID, "error", err)
				return
			}
		}
		for _, key := range drop {
			if _, err := f.cfg.Records.Delete(ctx, m.ID, CardKind, key); err != nil {
				f.cfg.Log.Warn("session card not deleted", "mesh", m.ID, "error", err)
				return
			}
			f.mu.Lock()
			delete(f.written, m.ID.String()+key)
			f.mu.Unlock()
		}
	}
}

// overdueCards compares the own sessions with their cards.
func (f *Feature) overdueCards(m Mesh, now time.Time) (write map[string]facts, drop []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	write = make(map[string]facts)
	cards := f.cardsIn(m.ID)
	mine := make(map[string]bool)
	stay := make(map[string]facts)
	for _, l := range f.sessions {
		key, ok := l.keys[m.ID]
		if !ok {
			continue
		}
		name := cardKey(m.Self, key.Public())
		old, have := cards[name]
		mine[name] = true
		said := f.facts(l, m, now)
		stay[name] = said
		if have && !old.Visible && !said.Visible {
			open := said.Open
			said = old.facts // while it hides its card stays what it was then
			said.Open = open
		}
		switch {
		case !said.Open && now.Sub(said.Seen) >= keepClosed:
			delete(stay, name)
			if have {
				drop = append(drop, name)
			}
		case !have && !said.Open && l.Ended.IsZero():
			delete(stay, name) // closed before there were cards: nobody knows it
		case f.justWrote(m.ID, name, said):
			// It is not shown yet: the epoch or the time may be what it waits for.
		case !have || !same(old.facts, said) || said.Open && said.Visible && now.Sub(old.Seen) >= seenEvery:
			write[name] = said
		}
	}
	for name, old := range cards { // of sessions that this node has forgotten
		switch {
		case old.member != m.Self || mine[name]:
		case old.Open:
			said := old.facts
			said.Open = false
			write[name], stay[name] = said, said
		case now.Sub(old.Seen) >= keepClosed:
			drop = append(drop, name)
		default:
			stay[name] = old.facts
		}
	}
	for _, name := range surplus(stay) {
		delete(write, name)
		if _, have := cards[name]; have {
			drop = append(drop, name)
		}
	}
	return write, drop
}

// surplus are those of a node's cards for which there is no room: of the closed ones
// those that were seen longest ago.
func surplus(cards map[string]facts) []string {
	names := slices.SortedFunc(maps.Keys(cards), func(a, b string) int {
		x, y := cards[a], cards[b]
		switch {
		case x.Open != y.Open && x.Open:
			return -1
		case x.Open != y.Open:
			return 1
		}
		return cmp.Or(y.Seen.Compare(x.Seen), cmp.Compare(a, b))
	})
	return names[min(len(names), maxCards):]
}

// writing is a card as it was last written.
type writing struct {
	facts
	at time.Duration
}

// againAfter is how soon an unchanged card that is not shown is written again.
const againAfter = time.Hour

func (f *Feature) wrote(mesh ident.MeshID, key string, said facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written[mesh.String()+key] = writing{said, f.cfg.Mono()}
}

// justWrote tells whether the same was written just now. The caller holds f.mu.
func (f *Feature) justWrote(mesh ident.MeshID, key string, said facts) bool {
	w, ok := f.written[mesh.String()+key]
	return ok && same(w.facts, said) && f.cfg.Mono()-w.at < againAfter
}

// facts is what a session's card should say. The caller holds f.mu.
func (f *Feature) facts(l *live, m Mesh, now time.Time) facts {
	here := l.at(m.ID)
	said := facts{
		Name: l.Names[m.ID.String()], Open: !l.Closed, Visible: !here.Hidden, Person: l.ID == UserSession,
		Groups: here.Groups, Summary: l.Summary[m.ID.String()], Role: l.Role, Cwd: l.Cwd, Host: l.Host,
		Kind: l.PeerType, Channel: l.Channel, Model: l.Model, Opened: l.Opened.UTC().Truncate(time.Millisecond),
		Seen: now.UTC().Truncate(time.Second), Consent: f.consent(l, m),
	}
	switch {
	case l.Closed:
		said.Seen = l.Ended.UTC().Truncate(time.Second)
	case here.Hidden:
		said.Seen = here.Hid.UTC().Truncate(time.Second)
	}
	return said
}

// same tells whether two cards say the same, but for when the session was seen.
func same(a, b facts) bool {
	a.Seen, b.Seen = time.Time{}, time.Time{}
	if len(a.Groups) == 0 && len(b.Groups) == 0 {
		a.Groups, b.Groups = nil, nil
	}
	if !a.Opened.Equal(b.Opened) {
		return false
	}
	a.Opened, b.Opened = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
