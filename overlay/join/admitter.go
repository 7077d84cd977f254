package join

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

const (
	askTimeout   = 10 * time.Second // a stranger's first frame
	claimTimeout = 30 * time.Second // from the blob to the claim
	longTimeout  = 2 * time.Minute  // sending or receiving a blob or welcome
)

// Stream is a byte stream to a peer that has proved its peer id and nothing else.
type Stream interface {
	io.ReadWriteCloser
	// Reset ends both directions at once.
	Reset() error
	SetDeadline(t time.Time) error
}

// Admitter is what the node must do for those who hold an invite of its meshes. Its methods are called
// concurrently, for strangers: what they return goes to whoever asked.
type Admitter interface {
	// Blob returns the sealed blob (invite.SealBlob) of the invite with this public key, whether it is
	// open or not: whoever was admitted by it may ask again. It fails with ErrUnknown.
	Blob(ctx context.Context, invite ident.PublicKey) ([]byte, error)

	// Claim opens and verifies a sealed claim (OpenClaim) that came from the peer from, uses the invite
	// (Refusal) and admits the claimant in one transaction, and returns the sealed welcome
	// (invite.SealWelcome). A claim whose keys this invite admitted before gets a welcome with the same
	// admit and uses nothing. It fails with ErrUnknown, ErrExpired, ErrSpent, ErrEnded or ErrDenied;
	// anything else reaches the stranger as ErrUnavailable.
	Claim(ctx context.Context, invite ident.PublicKey, from peer.ID, sealed []byte) (welcome []byte, err error)
}

// Serve answers the one claim of a stranger's stream, until it is over or ctx is.
func Serve(ctx context.Context, a Admitter, from peer.ID, s Stream, log *slog.Logger) {
	door{admitter: a}.answer(ctx, from, s, log)
}

// door is what strangers meet.
type door struct {
	admitter Admitter
	codes    *code.Book // nil: this node gives out no codes
	self     peer.ID
}

func (d door) answer(ctx context.Context, from peer.ID, s Stream, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	err := d.serve(ctx, from, s)
	log = log.With("peer", from)
	switch {
	case err == nil:
		log.Info("claim answered")
	case refused(err), code.Told(err):
		log.Info("claim refused", "cause", err)
	default:
		log.Debug("join stream failed", "cause", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (d door) serve(ctx context.Context, from peer.ID, s Stream) error {
	a := d.admitter
	conn := wire.NewConn(s)
	b, err := await(conn, s, askTimeout)
	if err != nil {
		return err
	}
	if d.codes != nil && code.Begins(b) {
		return d.codes.Serve(ctx, s, conn, b, code.Ends{Joiner: []byte(from), Admitter: []byte(d.self)})
	}
	invite, err := decodeAsk(b)
	if err != nil {
		return err
	}
	blob, err := a.Blob(ctx, invite)
	if err := answer(conn, s, kindBlob, MaxBlob, blob, err); err != nil {
		return err
	}
	if b, err = await(conn, s, claimTimeout); err != nil {
		return err
	}
	sealed, err := decodeClaim(b)
	if err != nil {
		return err
	}
	welcome, err := a.Claim(ctx, invite, from, sealed)
	return answer(conn, s, kindWelcome, MaxWelcome, welcome, err)
}

// await reads a short frame.
func await(conn *wire.Conn, s Stream, wait time.Duration) ([]byte, error) {
	if err := s.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	return conn.ReadFrame(maxFrame)
}

// refusal is an error that the stranger was told.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}

// answer sends what an Admitter returned, or its refusal, which it returns.
func answer(conn *wire.Conn, s Stream, k kind, max int, b []byte, err error) error {
	if deadline := s.SetDeadline(time.Now().Add(longTimeout)); deadline != nil {
		return deadline
	}
	if err == nil && (len(b) == 0 || len(b) > max) {
		err = fmt.Errorf("%d bytes to send, 1 to %d allowed", len(b), max)
	}
	if err == nil {
		return sendLong(conn, k, b)
	}
	if sent := conn.Send(frame(kindRefused, []byte(codeOf(err)))); sent != nil {
		return sent
	}
	return refusal{err}
}
