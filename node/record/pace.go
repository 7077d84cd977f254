package record

import (
	"context"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// pace slows writers down to writesPerSecond in each mesh; a burst of as many is free.
type pace struct {
	mono func() time.Duration

	mu   sync.Mutex // guards free
	free map[ident.MeshID]time.Duration
}

// writesPerSecond is how fast one author writes for long (docs/delivery.md 10).
const writesPerSecond = 100

// wait returns when one more write may begin, or with ctx's error.
func (p *pace) wait(ctx context.Context, mesh ident.MeshID) error {
	d := p.take(mesh)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// take books one write and says how long it has to wait. free is the time up to which
// writes are booked; it lags by at most the burst.
func (p *pace) take(mesh ident.MeshID) time.Duration {
	const each, burst = time.Second / writesPerSecond, time.Second
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.mono()
	free, ok := p.free[mesh]
	if !ok || free < now-burst {
		free = now - burst
	}
	p.free[mesh] = free + each
	return p.free[mesh] - now
}
