// Package allowance is how often each of some may do something: the pace at which a
// member's news are told, records are written, neighbours are answered. It counts in
// memory and knows nobody by name.
package allowance

import (
	"sync"
	"time"
)

// Of lets each of some do something at a pace: one every so often, and burst at
// once. It is safe for concurrent use.
type Of[K comparable] struct {
	mono  func() time.Duration
	every time.Duration
	burst int

	mu   sync.Mutex // guards free
	free map[K]time.Duration
}

// manyKeys is from how many on those are forgotten that have their whole burst again.
const manyKeys = 1024

// New makes an allowance of burst at once and one every so often, by the clock mono.
func New[K comparable](mono func() time.Duration, every time.Duration, burst int) *Of[K] {
	return &Of[K]{mono: mono, every: every, burst: burst, free: make(map[K]time.Duration)}
}

// Allow books one if there is room for it now.
func (a *Of[K]) Allow(k K) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.mono()
	next := a.next(k, now)
	if next > now {
		return false
	}
	a.free[k] = next
	return true
}

// Book books one in any case, and says how long it has to wait.
func (a *Of[K]) Book(k K) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.mono()
	a.free[k] = a.next(k, now)
	return max(0, a.free[k]-now)
}

// next is up to when things are booked with one more. The caller holds a.mu.
func (a *Of[K]) next(k K, now time.Duration) time.Duration {
	start := now - time.Duration(a.burst)*a.every
	if len(a.free) >= manyKeys {
		for o, free := range a.free {
			if free <= start {
				delete(a.free, o)
			}
		}
	}
	free, known := a.free[k]
	if !known || free < start {
		free = start
	}
	return free + a.every
}
