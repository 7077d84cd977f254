package node

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A peer must not be able to fill the disk by doing something that is worth a line,
// over and over: of each message text so many lines pass per minute. Who asks for
// debug lines gets them all.
const (
	logLines  = 60
	logWindow = time.Minute
)

// limited returns a logger that leaves out what comes too often, and says so.
func limited(log *slog.Logger, now func() time.Time) *slog.Logger {
	return slog.New(&limiter{Handler: log.Handler(), shared: &counts{now: now, seen: make(map[string]*window)}})
}

// limiter is a slog.Handler in front of another one. It is safe for concurrent use.
type limiter struct {
	slog.Handler
	shared *counts
}

// counts are shared by all loggers made from one.
type counts struct {
	now func() time.Time

	mu   sync.Mutex // guards seen
	seen map[string]*window
}

// window counts the lines of one text in one minute.
type window struct {
	until   time.Time
	passed  int
	leftOut int
}

// Handle implements slog.Handler.
func (l *limiter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return l.Handler.Handle(ctx, r)
	}
	pass, leftOut := l.shared.count(r.Message)
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out_before", leftOut))
	}
	if !pass {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// count tells whether a line may pass, and how many were left out in the minute before.
func (c *counts) count(text string) (pass bool, leftOut int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, known := c.seen[text]
	if !known {
		w = &window{}
		c.seen[text] = w
	}
	if now := c.now(); !now.Before(w.until) || w.until.Sub(now) > logWindow {
		leftOut = w.leftOut
		*w = window{until: now.Add(logWindow)}
	}
	if w.passed >= logLines {
		w.leftOut++
		return false, 0
	}
	w.passed++
	return true, leftOut
}

// WithAttrs implements slog.Handler.
func (l *limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limiter{Handler: l.Handler.WithAttrs(attrs), shared: l.shared}
}

// WithGroup implements slog.Handler.
func (l *limiter) WithGroup(name string) slog.Handler {
	return &limiter{Handler: l.Handler.WithGroup(name), shared: l.shared}
}
