package ask

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Proto is the inner protocol's name in a mesh stream's header.
const Proto = "ask/1"

// Timeout is how long one request with its answer may take.
const Timeout = 30 * time.Second

// Stream is a byte stream to one proven peer, such as package host's.
type Stream interface {
	io.ReadWriteCloser
	// Reset ends both directions at once.
	Reset() error
	SetDeadline(t time.Time) error
}

// Peer says who a stream's connection proved to be at its other end.
type Peer struct {
	Mesh   ident.MeshID
	Member ident.PublicKey
}

// Streams opens outgoing streams.
type Streams interface {
	// Open opens an "ask/1" stream to the home of a member.
	Open(ctx context.Context, mesh ident.MeshID, to ident.PublicKey) (Stream, Peer, error)
}

// Config is what an Asker needs.
type Config struct {
	// Streams opens streams. Required.
	Streams Streams

	// Answer performs an operation that another member asks for. from is the
	// member the connection proved, op printable ASCII of 1 to 64 bytes that may
	// name nothing, in at most MaxBody bytes. ctx ends after Timeout. An *Error
	// travels as it is, cut to its limits; any other error as "internal" without
	// its text. Required.
	Answer func(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, op string, in []byte) ([]byte, error)

	// Log may be nil.
	Log *slog.Logger
}

// Asker asks others and answers them. Its methods may be called concurrently;
// it starts no goroutines.
type Asker struct {
	cfg Config
	log *slog.Logger
}

// New returns an Asker.
func New(cfg Config) *Asker {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Asker{cfg: cfg, log: log}
}

// Ask performs op at the home of member to and returns its answer. in and the
// answer are at most MaxBody bytes. It fails with an *Error that the other node
// reported, with ErrUnreachable, ErrTimeout, ErrTooLarge, ErrMalformed, or with
// ctx's error. It never asks twice.
func (a *Asker) Ask(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, op string, in []byte) ([]byte, error) {
	if !validOp(op) {
		return nil, fmt.Errorf("%w: operation's name %q", ErrTooLarge, cut(op, MaxOp))
	}
	if len(in) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(in), MaxBody)
	}
	end := time.Now().Add(Timeout)
	inner, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	s, peer, err := a.cfg.Streams.Open(inner, mesh, to)
	if err != nil {
		return nil, explain(ctx, err)
	}
	defer s.Reset() //nolint:errcheck // after the answer was read there is nothing to lose
	if peer.Member != to || peer.Mesh != mesh {
		return nil, explain(ctx, errWrongEnd)
	}
	stop := context.AfterFunc(inner, func() { _ = s.Reset() })
	defer stop()
	out, err := exchange(s, end, op, in)
	if err != nil {
		if inner.Err() != nil && ctx.Err() == nil {
			err = context.DeadlineExceeded
		}
		return nil, explain(ctx, err)
	}
	return out, nil
}

// exchange writes a request and reads the answer.
func exchange(s Stream, end time.Time, op string, in []byte) ([]byte, error) {
	if err := s.SetDeadline(end); err != nil {
		return nil, err
	}
	conn := wire.NewConn(s)
	if err := send(conn, encodeRequest(op), in); err != nil {
		return nil, err
	}
	head, err := conn.ReadFrame(maxHead)
	if err != nil {
		return nil, err
	}
	failed, err := decodeAnswer(head)
	if err != nil {
		return nil, err
	}
	out, err := conn.ReadFrame(MaxBody)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, failed
	}
	return out, nil
}

// send writes head and body at once.
func send(conn *wire.Conn, head, body []byte) error {
	if err := conn.WriteFrame(head); err != nil {
		return err
	}
	return conn.Send(body)
}

// Serve answers the one request of a stream that a proven peer opened.
func (a *Asker) Serve(ctx context.Context, peer Peer, s Stream) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := a.serve(ctx, peer, s); err != nil {
		_ = s.Reset()
		a.log.Debug("request of a peer failed", "mesh", peer.Mesh, "peer", peer.Member, "cause", err)
		return
	}
	_ = s.Close()
}

func (a *Asker) serve(ctx context.Context, peer Peer, s Stream) error {
	if err := s.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return err
	}
	conn := wire.NewConn(s)
	head, err := conn.ReadFrame(maxHead)
	if err != nil {
		return err
	}
	op, err := decodeRequest(head)
	if err != nil {
		return err
	}
	in, err := conn.ReadFrame(MaxBody)
	if err != nil {
		return err
	}
	out, err := a.cfg.Answer(ctx, peer.Mesh, peer.Member, op, in)
	if err == nil && len(out) > MaxBody {
		err = &Error{Code: "too_large", Message: fmt.Sprintf("the answer has %d bytes, at most %d can be sent", len(out), MaxBody),
			Hint: "Ask for less at once."}
	}
	if err != nil {
		out = nil
	}
	return send(conn, encodeAnswer(asError(err)), out)
}

// explain makes an error one that Ask documents.
func explain(ctx context.Context, err error) error {
	var failed *Error
	switch {
	case errors.As(err, &failed):
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrMalformed):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w (%v): %w", ErrTimeout, Timeout, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
