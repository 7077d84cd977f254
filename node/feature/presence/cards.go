package presence

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// filed is a card as this node knows it.
type filed struct {
	card.Facts
	key     ident.PublicKey // of the session
	member  ident.PublicKey
	written time.Time
}

// Kinds are the collections of records of this feature.
func (f *Feature) Kinds() []record.Kind {
	return []record.Kind{{
		Name: card.Kind, Most: card.Most, Newest: true,
		Writes: func(_ ident.MeshID, author ident.PublicKey, key string) bool {
			member, _, ok := card.Split(key)
			return ok && member == author
		},
		Check:   func(value []byte) error { _, err := card.Decode(value); return err },
		Changed: f.cardChanged,
	}}
}

// take makes an entry a card. ok is false for one that no session stands behind.
func (f *Feature) take(mesh ident.MeshID, e record.Entry) (c filed, ok bool) {
	member, session, ok := card.Split(e.Key)
	if !ok {
		return c, false
	}
	said, err := card.Decode(e.Value)
	if err != nil {
		return c, false
	}
	if !f.agreed(mesh, e.Key, said.Consent) && !card.Consents(mesh, member, session, said.Consent) {
		return c, false
	}
	return filed{Facts: said, key: session, member: member, written: e.At()}, true
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
	var now filed
	shown := false
	if c.New != nil {
		now, shown = f.take(mesh, *c.New)
	}
	tx.OnCommit(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.commits++
		cards := f.cardsIn(mesh)
		if shown {
			cards[key] = now
			f.knew(mesh, now)
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
		entries, err := f.cfg.Records.List(mesh, card.Kind, "")
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
				_, err = f.cfg.Records.Put(ctx, m.ID, card.Kind, key, raw)
			}
			f.wrote(m.ID, key, said)
			if err != nil {
				f.cfg.Log.Warn("session card not written", "mesh", m.ID, "error", err)
				return
			}
		}
		for _, key := range drop {
			if _, err := f.cfg.Records.Delete(ctx, m.ID, card.Kind, key); err != nil {
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
func (f *Feature) overdueCards(m Mesh, now time.Time) (write map[string]card.Facts, drop []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := make(map[string]card.Own)
	for _, l := range f.sessions {
		if key, ok := l.keys[m.ID]; ok {
			own[card.Key(m.Self, key.Public())] = card.Own{Facts: f.facts(l, m, now), Unknown: l.Closed && l.Ended.IsZero()}
		}
	}
	shown := make(map[string]card.Facts)
	for key, c := range f.cardsIn(m.ID) {
		if c.member == m.Self {
			shown[key] = c.Facts
		}
	}
	justWrote := func(key string, said card.Facts) bool { return f.justWrote(m.ID, key, said) }
	return card.Due(own, shown, justWrote, now)
}

// writing is a card as it was last written.
type writing struct {
	card.Facts
	at time.Duration
}

// againAfter is how soon an unchanged card that is not shown is written again.
const againAfter = time.Hour

func (f *Feature) wrote(mesh ident.MeshID, key string, said card.Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written[mesh.String()+key] = writing{said, f.cfg.Mono()}
}

// justWrote tells whether the same was written just now. Where it is not shown yet, the
// epoch or the time may be what it waits for. The caller holds f.mu.
func (f *Feature) justWrote(mesh ident.MeshID, key string, said card.Facts) bool {
	w, ok := f.written[mesh.String()+key]
	return ok && card.Same(w.Facts, said) && f.cfg.Mono()-w.at < againAfter
}

// facts is what a session's card should say. The caller holds f.mu.
func (f *Feature) facts(l *live, m Mesh, now time.Time) card.Facts {
	here := l.at(m.ID)
	said := card.Facts{
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
