package p2p

import (
	"net/netip"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"
)

// maxBuckets bounds how many keys one set of buckets remembers.
const maxBuckets = 4096

// Buckets holds one token bucket per key (a peer, an address).
type Buckets struct {
	perSecond rate.Limit
	burst     int

	mu sync.Mutex // guards m
	m  map[string]*rate.Limiter
}

// NewBuckets returns buckets of burst tokens that refill at perSecond.
func NewBuckets(perSecond float64, burst int) *Buckets {
	return &Buckets{perSecond: rate.Limit(perSecond), burst: burst, m: map[string]*rate.Limiter{}}
}

// Allow takes a token of key's bucket, if there is one.
func (b *Buckets) Allow(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.m[key]
	if l == nil {
		if len(b.m) >= maxBuckets {
			b.prune()
		}
		l = rate.NewLimiter(b.perSecond, b.burst)
		b.m[key] = l
	}
	return l.Allow()
}

// prune forgets full buckets, which are as good as new; if that frees too little, whichever come
// first: then more than maxBuckets keys are busy and a few of them get a fresh bucket.
func (b *Buckets) prune() {
	now := time.Now()
	for k, l := range b.m {
		if l.TokensAt(now) >= float64(b.burst) {
			delete(b.m, k)
		}
	}
	for k := range b.m {
		if len(b.m) < maxBuckets*3/4 {
			return
		}
		delete(b.m, k)
	}
}

// AddressKey is what limits per address count by: an IPv4 address, an IPv6 /64, or the whole
// multiaddr of anything else.
func AddressKey(a ma.Multiaddr) string {
	ip, err := manet.ToIP(a)
	if err != nil {
		return a.String()
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return a.String()
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return addr.String()
	}
	p, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr.String()
	}
	return p.String()
}
