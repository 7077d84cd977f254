package message

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// seenTTL is how long the news that a message was seen is sent for.
const seenTTL = 7 * day

// judgeShare is how many letters are worth another goroutine.
const judgeShare = 4

// incoming is a letter on its way into the inbox.
type incoming struct {
	letter    *letter.Letter
	statement ident.Statement
	hash      ident.ID
	msg       letter.Message
	verdict   delivery.Verdict
	reason    string
	name      string // of the sender
	known     bool   // all entries are here with this content
	air       bool   // it came through the air
	fresh     bool   // it is new here, and for somebody to see
	before    []letter.Before
	crowd     crowd // of a message to many: whom it means here

	news *news // a receipt that came as a letter, instead of all else
}

// Deliver takes letters from the node of a proven member, in the order sent. It
// returns one signed receipt for all, empty if there is nothing to say, once
// everything is committed. An error means that nothing is acknowledged.
func (f *Feature) Deliver(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, letters [][]byte) ([]byte, error) {
	items, err := f.take(ctx, mesh, f.parse(mesh, from, letters))
	if err != nil {
		return nil, err
	}
	return f.receipt(mesh, f.cfg.Trust.Self(mesh), items)
}

// take judges arrivals and stores them in one commit. It returns what a receipt says.
func (f *Feature) take(ctx context.Context, mesh ident.MeshID, arrivals []*incoming) ([]letter.Item, error) {
	if err := f.recognise(mesh, arrivals); err != nil {
		return nil, err
	}
	f.judge(mesh, arrivals)
	f.match(mesh, arrivals)
	gates := f.gates.Load()
	g := f.open(mesh, f.cfg.Trust.Self(mesh))
	var items []letter.Item
	var after []func()
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		g, items, after = g.again(), nil, nil
		for _, a := range arrivals {
			a.fresh = false
			found, then, err := f.receive(tx, g, a)
			if err != nil {
				return err
			}
			items = append(items, found...)
			after = append(after, then...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store %d letters: %w", len(arrivals), err)
	}
	for _, fn := range after {
		fn()
	}
	for _, a := range arrivals {
		if a.news == nil && !a.known && (a.verdict == delivery.Never || a.verdict == delivery.BadlySigned) {
			f.refuse(mesh, a.msg.Origin, "message") // who cried it, or whose node gave it
		}
		if a.fresh && f.cfg.Taken != nil && !isNotice(a.msg) {
			f.cfg.Taken(Taken{Mesh: mesh, Member: a.msg.Origin, Session: a.name, ID: a.msg.ID.String(), Priority: a.msg.Priority.String()})
		}
	}
	f.settle(g, gates)
	return items, nil
}

// receipt signs one receipt for the items that fit. What does not is sent again
// by its sender.
func (f *Feature) receipt(mesh ident.MeshID, self ident.PublicKey, items []letter.Item) ([]byte, error) {
	size, n := 256, 0
	for n < len(items) && n < letter.MaxItems && size+items[n].Size() <= letter.MaxReceipt {
		size += items[n].Size()
		n++
	}
	if n == 0 {
		return nil, nil
	}
	s, err := f.cfg.Trust.Sign(mesh, ident.KindReceipt, letter.Receipt{Signer: self, Items: items[:n]}.Encode())
	if err != nil {
		return nil, fmt.Errorf("sign a receipt: %w", err)
	}
	return s.Marshal(), nil
}

// parse reads letters. What is malformed, or says it is from another member, is
// left out: no receipt could name it.
func (f *Feature) parse(mesh ident.MeshID, from ident.PublicKey, letters [][]byte) []*incoming {
	var out []*incoming
	for _, raw := range letters {
		a, err := f.parseOne(mesh, from, raw)
		if err != nil {
			f.log.Warn("letter dropped", "mesh", mesh, "from", from, "error", err)
			f.refuse(mesh, from, "letter")
			continue
		}
		out = append(out, a)
	}
	return out
}

func (f *Feature) parseOne(mesh ident.MeshID, from ident.PublicKey, raw []byte) (*incoming, error) {
	l, receipt, err := letter.Parse(raw)
	if err != nil {
		return nil, err
	}
	if l == nil {
		n, err := f.readNews(mesh, from, receipt)
		return &incoming{news: n}, err
	}
	a, err := arrivalOf(l)
	if err == nil && a.msg.Origin != from {
		return nil, fmt.Errorf("message %s of another member", a.msg.ID)
	}
	return a, err
}

// arrivalOf reads the message in a letter.
func arrivalOf(l *letter.Letter) (*incoming, error) {
	a := &incoming{letter: l}
	var err error
	if a.statement, err = ident.ParseStatement(l.Statement, letter.MaxMessage); err != nil {
		return nil, err
	}
	if a.msg, err = letter.DecodeMessage(a.statement.Body); err != nil {
		return nil, err
	}
	a.hash = a.statement.ID()
	return a, nil
}

// recognise looks for what is here already: a duplicate needs no judgement.
func (f *Feature) recognise(mesh ident.MeshID, arrivals []*incoming) error {
	return f.cfg.DB.View(func(tx *store.Tx) error {
		in := inbox.In(tx)
		for _, a := range arrivals {
			if a.news != nil || !a.addressed() {
				continue
			}
			if a.everyone() {
				s, ok, err := in.Spread(mesh, a.msg.Origin, a.msg.ID)
				if err != nil {
					return err
				}
				a.known = ok && s.Hash == a.hash
				continue
			}
			a.known = true
			for _, to := range a.letter.Addresses {
				e, ok, err := in.Get(inbox.Key{Mesh: mesh, Address: a.msg.To[to.Index], ID: a.msg.ID, Origin: a.msg.Origin})
				if err != nil {
					return err
				}
				a.known = a.known && ok && e.Hash == a.hash
			}
		}
		return nil
	})
}

// addressed tells whether the addresses of the letter are in the message.
func (a *incoming) addressed() bool {
	for _, to := range a.letter.Addresses {
		if to.Index >= len(a.msg.To) && !(to.Index == letter.Everyone && a.msg.Reach == letter.Mesh) {
			return false
		}
	}
	return true
}

// judge gives every letter its verdict, outside of any transaction. Signatures are
// the costly part: a batch is shared among the processors.
func (f *Feature) judge(mesh ident.MeshID, arrivals []*incoming) {
	var open []*incoming
	for _, a := range arrivals {
		switch {
		case a.news != nil:
		case a.known: // unless it is forgotten meanwhile
			a.verdict = delivery.Unjudged
		case !f.mayReceive(outbox.Home{Mesh: mesh, Member: a.msg.Origin}):
			a.verdict, a.reason = delivery.Unjudged, "too many messages at once"
		default:
			open = append(open, a)
		}
	}
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(open); i = int(next.Add(1)) - 1 {
			open[i].verdict, open[i].reason = f.judgeOne(mesh, open[i])
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(open)/judgeShare) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

func (f *Feature) judgeOne(mesh ident.MeshID, a *incoming) (delivery.Verdict, string) {
	from := a.msg.Origin
	if err := a.statement.Verify(ident.KindMessage, mesh, a.msg.Session); err != nil {
		f.log.Warn("message with a bad signature", "mesh", mesh, "from", from, "message", a.msg.ID.String())
		return delivery.BadlySigned, ""
	}
	switch {
	case !a.addressed():
		return delivery.Never, "the letter's addresses are not in the message"
	case f.cfg.Now().Sub(a.msg.Created) > f.limits.Keep.Keys:
		return delivery.Unjudged, fmt.Sprintf("by the clock of the recipient's machine the message is %d days old: one of the two clocks is wrong", int(f.cfg.Now().Sub(a.msg.Created).Hours()/24))
	}
	name, err := f.cfg.Trust.Judge(mesh, a.claim())
	a.name = name
	switch {
	case err == nil:
		return delivery.Good, ""
	case errors.Is(err, ErrBlocked):
		return delivery.Blocked, ""
	case errors.Is(err, ErrLater):
		return delivery.Unjudged, err.Error()
	}
	return delivery.Never, err.Error()
}

// claim is what is to be judged of an arrival.
func (a *incoming) claim() Claim {
	c := Claim{Member: a.msg.Origin, Session: a.msg.Session, Attest: a.letter.Attest, Created: a.msg.Created}
	for _, to := range a.letter.Addresses {
		c.Many = c.Many || to.Index == letter.Everyone
		c.Direct = c.Direct || to.Index != letter.Everyone
	}
	return c
}

// mayReceive takes one from a member's receiving rate.
func (f *Feature) mayReceive(from outbox.Home) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.receiving[from]
	if b == nil {
		b = new(delivery.Bucket)
		f.receiving[from] = b
	}
	_, ok := b.Take(f.limits.ReceiveRate, f.cfg.Mono())
	return ok
}

// receive puts one letter into the inbox, for each of its addresses, and returns
// what the receipt says about it and what to do after the commit.
func (f *Feature) receive(tx *store.Tx, g *gate, a *incoming) ([]letter.Item, []func(), error) {
	if a.news != nil {
		then, err := f.applyNews(tx, a.news)
		return []letter.Item{{Hash: a.news.id, Outcome: delivery.ONoted}}, then, err
	}
	if !a.addressed() {
		if _, o := delivery.Arrive(delivery.Arrival{Verdict: a.verdict, Room: true}); o != delivery.Silent {
			return []letter.Item{a.item(o)}, nil, nil
		}
		return nil, nil, nil
	}
	if a.everyone() {
		items, added, err := f.spread(tx, g, a)
		if err == nil && added && a.verdict != delivery.Blocked {
			a.fresh = true
			err = cause.In(tx).Add(a.msg.Cause, a.msg.Depth, g.age)
		}
		return items, nil, err
	}
	byOutcome := make(map[delivery.Outcome]*letter.Item)
	var items []letter.Item
	added := false
	for _, to := range a.letter.Addresses {
		outcome, isNew, err := f.arrive(tx, g, a, to)
		if err != nil {
			return nil, nil, err
		}
		added = added || isNew
		if outcome == delivery.Silent {
			continue
		}
		if byOutcome[outcome] == nil {
			i := a.item(outcome)
			byOutcome[outcome] = &i
		}
		i := byOutcome[outcome]
		i.Addresses = append(i.Addresses, a.msg.To[to.Index])
	}
	for _, outcome := range []delivery.Outcome{delivery.ODelivered, delivery.ORefused, delivery.OLater} {
		if i := byOutcome[outcome]; i != nil {
			items = append(items, *i)
		}
	}
	if !added || a.verdict == delivery.Blocked { // it may not use up what others say
		return items, nil, nil
	}
	a.fresh = true
	return items, nil, cause.In(tx).Add(a.msg.Cause, a.msg.Depth, g.age)
}

// item is what a receipt says about a letter.
func (a *incoming) item(o delivery.Outcome) letter.Item {
	i := letter.Item{Origin: a.msg.Origin, ID: a.msg.ID, Hash: a.hash, Outcome: o}
	if o != delivery.ODelivered {
		i.Reason = letter.Reason(a.reason)
	}
	return i
}

// arrive puts a letter into the inbox of one address.
func (f *Feature) arrive(tx *store.Tx, g *gate, a *incoming, to letter.Address) (o delivery.Outcome, added bool, err error) {
	in := inbox.In(tx)
	key := inbox.Key{Mesh: g.mesh, Address: a.msg.To[to.Index], ID: a.msg.ID, Origin: a.msg.Origin}
	have, ok, err := in.Get(key)
	if err != nil {
		return 0, false, err
	}
	arrival := delivery.Arrival{Have: have.State, Same: ok && have.Hash == a.hash, Verdict: a.verdict, Room: true}
	if !ok {
		if arrival.Room, err = in.Room(g.mesh, 1, len(a.letter.Statement), f.limits.Inbox); err != nil {
			return 0, false, err
		}
		if !arrival.Room && a.reason == "" {
			a.reason = "the inbox is full"
		}
	}
	next, o := delivery.Arrive(arrival)
	if ok || next == delivery.Absent {
		return o, false, nil
	}
	if next == delivery.Waiting {
		again, err := told(tx, a.msg, key, g.age)
		if err != nil {
			return 0, false, err
		}
		if again {
			next = delivery.Quarantined
		}
	}
	e, err := in.Add(f.entry(g, a, key, next, to.Prev), a.letter.Statement)
	if err != nil || next != delivery.Waiting {
		return o, true, err
	}
	return o, true, g.arrived(tx, in, e, a.msg)
}
