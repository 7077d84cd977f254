package replica

import (
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// What an author may have taken here. Honest ones write 100 records a second at most,
// so what they write never waits for anything, and a log that was not heard of for a
// while is caught up with at once, as far as it can have grown meanwhile. Who writes
// faster is kept up with at this pace: its news beyond is neither stored nor passed on
// and comes by the exchanges, which ask for so much. Nothing that is taken depends on
// it, so that in the end all hold the same.
const (
	newsPerSecond = 120
	newsBurst     = 1000
	takePerSecond = 120
	takeBurst     = maxEntries
	// doubtsPerSecond bounds how much news is verified that is not the next of its log.
	doubtsPerSecond = 100
	doubtsBurst     = 500
)

// meter is what is left of an allowance that grows with time.
type meter struct {
	left float64
	at   time.Duration
}

func (m *meter) grow(now time.Duration, perSecond, burst float64) {
	if m.at == 0 {
		m.left = burst
	} else {
		m.left = min(burst, m.left+perSecond*(now-m.at).Seconds())
	}
	m.at = max(now, 1)
}

// paces are the allowances of all authors, who are members: there are no others.
type paces struct {
	mono func() time.Duration

	mu      sync.Mutex // guards what follows
	authors map[ident.PublicKey]*allowance
}

// allowance is one author's.
type allowance struct{ news, take, doubts meter }

func newPaces(mono func() time.Duration) *paces {
	return &paces{mono: mono, authors: make(map[ident.PublicKey]*allowance)}
}

// of brings an author's allowance up to now. The caller holds p.mu.
func (p *paces) of(author ident.PublicKey) *allowance {
	a, ok := p.authors[author]
	if !ok {
		a = new(allowance)
		p.authors[author] = a
	}
	now := p.mono()
	a.news.grow(now, newsPerSecond, newsBurst)
	a.take.grow(now, takePerSecond, takeBurst)
	a.doubts.grow(now, doubtsPerSecond, doubtsBurst)
	return a
}

// hears tells whether more news of an author is taken now.
func (p *paces) hears(author ident.PublicKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of(author).news.left >= 1
}

// heard books news that is about to be stored.
func (p *paces) heard(author ident.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(author).news.left--
}

// doubt books the verifying of news that is not the next of its log; false: there was
// too much of it.
func (p *paces) doubt(author ident.PublicKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.of(author)
	if a.doubts.left < 1 {
		return false
	}
	a.doubts.left--
	return true
}

// room is how many records of an author an exchange may ask for now.
func (p *paces) room(author ident.PublicKey) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, int(p.of(author).take.left))
}

// spend books records that an exchange brought, once they are known to be of their
// authors.
func (p *paces) spend(records []Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		p.of(r.Log.Author).take.left--
	}
}
