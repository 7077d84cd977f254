package mcp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

const (
	// defaultGrace is how long after initialized the first notification may come:
	// earlier ones are lost by the client.
	defaultGrace = 2 * time.Second
	// defaultCall is how long a tool may take.
	defaultCall = 10 * time.Second
	// leaveTime is how long Serve waits at its end for what should have ended.
	leaveTime = 50 * time.Millisecond
)

// Config says what is served to whom. Doer, Feed, Catalogue, In and Out are needed.
type Config struct {
	// Doer performs the tools' operations, Feed gives the session's changes.
	Doer op.Doer
	Feed op.Feed
	// Caller is whom both are asked for. Clients of the local API ignore it.
	Caller op.Caller
	// Catalogue is what can be done; those with a tool name become tools.
	Catalogue []op.Contract
	// Ready returns when the session is open, or why it cannot be opened. It is
	// called again after a failure, with growing pauses and whenever a tool is
	// called, and when the feed says that the session is not known any more. Nil: it
	// is open.
	Ready func(ctx context.Context) error
	// Version is the program's.
	Version string
	// Tools says how many of them become tools. Empty is Full.
	Tools Tier
	// Agreed hears, once the client is initialized, what it and the server have agreed
	// on. Nil: nobody needs to know.
	Agreed func(context.Context, Agreement)
	// Self tells of the session for the instructions, as far as it is known when the
	// client connects. Nil: not known.
	Self func() op.Self
	// Grace is the time from the client's initialized to the first notification.
	// Zero is 2 s, negative is none.
	Grace time.Duration
	// CallTimeout is how long a tool may take. Zero is 10 s.
	CallTimeout time.Duration
	// In and Out are the client's two streams. Nothing else may write to Out.
	In  io.Reader
	Out io.Writer
	// Log takes a line per connection and failure, never content. Nil: none.
	Log *slog.Logger
}

// Agreement is what a client and the server have agreed on.
type Agreement struct {
	// Protocol is the revision of the protocol.
	Protocol string
	// Client is the client's name and version, as it says.
	Client string
}

// defaults checks cfg and fills in what is missing.
func (cfg Config) defaults() (Config, error) {
	if cfg.Doer == nil || cfg.Feed == nil || cfg.In == nil || cfg.Out == nil {
		return cfg, errors.New("an MCP server needs a doer, a feed, an input and an output")
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	if cfg.Self == nil {
		cfg.Self = func() op.Self { return op.Self{} }
	}
	if cfg.Tools == "" {
		cfg.Tools = Full
	}
	if err := cfg.Tools.Check(); err != nil {
		return cfg, err
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.CallTimeout <= 0 {
		cfg.CallTimeout = defaultCall
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

// Serve serves one client until its input ends, the client takes no more output,
// or ctx ends. At the end of input calls that run may finish; when ctx ends Serve
// returns within 100 ms whatever the client does. It returns nil unless a stream
// failed.
//
// A read that blocks cannot be called off: one goroutine waits in In.Read until
// that returns, and leaves then. The same goes for a write that is stuck.
func Serve(ctx context.Context, cfg Config) error {
	cfg, err := cfg.defaults()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	feedCtx, endFeed := context.WithCancel(ctx)
	defer endFeed()

	out := newWriter(cfg.Out, func(err error) { cancel(&streamError{err}) })
	open := newOpening(cfg.Ready, cfg.Log)
	tools, err := newTools(cfg, open)
	if err != nil {
		return err
	}
	conn := newConn(cfg, tools, out)
	push := &channel{cfg: cfg, open: open, out: out, initialized: conn.initialized}

	var parts sync.WaitGroup
	parts.Go(func() { open.run(ctx) })
	parts.Go(func() { push.run(feedCtx) })
	parts.Go(func() { conn.tellAgreed(ctx, cfg.Agreed) })
	served := make(chan error, 1)
	parts.Go(func() { served <- conn.run(ctx, cfg.In) })
	select {
	case err = <-served:
		endFeed()
		conn.finish(ctx)
	case <-ctx.Done():
	}
	failed := context.Cause(ctx)
	cancel(nil)
	leave(&parts, &conn.calls)
	var stream *streamError
	if errors.As(failed, &stream) {
		return stream.error
	}
	return err
}

// streamError is why the output ended.
type streamError struct{ error }

// leave waits for groups, but not for what is stuck in a stream.
func leave(groups ...*sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		for _, g := range groups {
			g.Wait()
		}
		close(done)
	}()
	timer := time.NewTimer(leaveTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
