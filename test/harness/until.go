package harness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Until asks again and again, every few milliseconds, until ask says yes. It
// returns ask's error, or with ctx's what ask last said it saw.
func Until(ctx context.Context, ask func() (yes bool, saw any, err error)) error {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, saw, err := ask()
		switch {
		case ctx.Err() != nil:
			return errors.Join(fmt.Errorf("waited in vain, last saw %v: %w", saw, context.Cause(ctx)), err)
		case err != nil:
			return err
		case yes:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
