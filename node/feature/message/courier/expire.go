package courier

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/store"
)

// expireMax is how many rows expire in one commit.
const expireMax = 256

// expireRetry is when it is tried again what could not be written, to a full disk say.
const expireRetry = 10 * time.Second

// expire ends rows whose time to live is used up, until ctx ends. A store that has
// failed for good ends the node by itself.
func (c *Courier) expire(ctx context.Context) error {
	for {
		next, err := c.expireNow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			c.cfg.Log.Warn("what expired is not noted yet", "error", err)
			next = c.cfg.Age() + expireRetry
		case next == 0:
			next = c.cfg.Age() + 24*time.Hour
		}
		timer := time.NewTimer(next - c.cfg.Age())
		select {
		case <-ctx.Done():
		case <-c.sooner:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// expireNow ends what is overdue and returns the age of the next deadline.
func (c *Courier) expireNow(ctx context.Context) (time.Duration, error) {
	c.mu.Lock()
	c.next = 0
	c.mu.Unlock()
	for {
		age := c.cfg.Age()
		var dues []outbox.Due
		var next time.Duration
		err := c.cfg.DB.View(func(tx *store.Tx) (err error) {
			dues, next, err = outbox.In(tx).Overdue(age, expireMax)
			return err
		})
		if err != nil {
			return 0, err
		}
		if len(dues) == 0 {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.next == 0 || next > 0 && next < c.next {
				c.next = next
			}
			return c.next, nil
		}
		err = c.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			box := outbox.In(tx)
			for _, d := range dues {
				if err := box.Expire(d, c.cfg.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, d := range dues {
			c.cfg.Log.Info("message expired", "mesh", d.Home.Mesh, "to", d.Home.Member, "message", d.ID.String())
			c.Done(d.Home, d.Ord)
		}
	}
}
