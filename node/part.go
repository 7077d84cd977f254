package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// part is something that lives as long as the node: it runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
	// vital ends the node when it fails; others are started again.
	vital bool
}

// restart back-off of a failed part.
const (
	firstRestart = 100 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// live starts the parts in order and, when ctx ends or a vital part fails, stops
// them in reverse, each waited for. It returns what ended it.
func live(ctx context.Context, log *slog.Logger, parts []part) error {
	ended, end := context.WithCancelCause(ctx)
	defer end(nil)
	stops := make([]func(), 0, len(parts))
	for _, p := range parts {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := keep(own, log, p); err != nil {
				end(fmt.Errorf("%s: %w", p.name, err))
			}
		})
		stops = append(stops, func() { cancel(); wg.Wait() })
	}
	<-ended.Done()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	return context.Cause(ended)
}

// keep runs a part again and again until its context ends. A vital part's failure
// is returned.
func keep(ctx context.Context, log *slog.Logger, p part) error {
	for wait := firstRestart; ; wait = min(2*wait, lastRestart) {
		err := p.run(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, ctx.Err()) {
				log.Warn("part ended badly", "part", p.name, "error", err)
			}
			return nil
		}
		if p.vital {
			if err == nil {
				err = errors.New("ended by itself")
			}
			return err
		}
		log.Error("part failed, starting it again", "part", p.name, "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
