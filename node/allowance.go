package node

import (
	"sync"
	"time"
)

// allowance lets each of some do something at a pace: one every so often, and burst at
// once. It is safe for concurrent use.
type allowance[K comparable] struct {
	mono  func() time.Duration
	every time.Duration
	burst int

	mu   sync.Mutex // guards free
	free map[K]time.Duration
}

// manyKeys is from how many on those are forgotten that have their whole burst again.
const manyKeys = 1024

func newAllowance[K comparable](mono func() time.Duration, every time.Duration, burst int) *allowance[K] {
	return &allowance[K]{mono: mono, every: every, burst: burst, free: make(map[K]time.Duration)}
}

// allow books one if there is room for it now.
func (a *allowance[K]) allow(k K) bool {
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

// book books one, and says how long it has to wait.
func (a *allowance[K]) book(k K) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.mono()
	a.free[k] = a.next(k, now)
	return max(0, a.free[k]-now)
}

// next is up to when things are booked with one more. The caller holds a.mu.
func (a *allowance[K]) next(k K, now time.Duration) time.Duration {
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
