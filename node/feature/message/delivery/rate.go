package delivery

import "time"

// Rate is a limit on how often something may happen.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Bucket counts against a Rate. The zero value is full. One goroutine uses it.
type Bucket struct {
	used float64 // of the burst
	at   time.Duration
}

// Take takes one, or tells how long to wait for it. now is monotonic.
func (b *Bucket) Take(r Rate, now time.Duration) (wait time.Duration, ok bool) {
	b.settle(r, now)
	if b.used+1 <= r.Burst {
		b.used++
		return 0, true
	}
	missing := b.used + 1 - r.Burst
	return time.Duration(missing / r.PerSecond * float64(time.Second)), false
}

// Full tells that nothing is taken, so that the bucket need not be kept.
func (b *Bucket) Full(r Rate, now time.Duration) bool {
	b.settle(r, now)
	return b.used == 0
}

func (b *Bucket) settle(r Rate, now time.Duration) {
	if now > b.at {
		b.used = max(0, b.used-(now-b.at).Seconds()*r.PerSecond)
		b.at = now
	}
}
