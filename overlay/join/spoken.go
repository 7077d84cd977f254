package join

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Look asks a node whether it gave out a code with this nameplate. It fails with
// code.ErrUnknown if not, with ErrUnreachable or ctx's error.
func Look(ctx context.Context, d Dialer, to peer.AddrInfo, plate int) error {
	return speak(ctx, d, to, func(s Stream, conn *wire.Conn) error { return code.Look(s, conn, plate) })
}

// Redeem exchanges a code for its invite's secret at the node that gave it out: one
// guess, as code.Redeem has it. Besides its errors it fails with ErrUnreachable or
// ctx's error.
func Redeem(ctx context.Context, d Dialer, to peer.AddrInfo, c code.Code) (secret invite.Secret, err error) {
	err = speak(ctx, d, to, func(s Stream, conn *wire.Conn) error {
		secret, err = code.Redeem(s, conn, c, code.Ends{Joiner: []byte(d.Self()), Admitter: []byte(to.ID)})
		return err
	})
	return secret, err
}

// speak opens a stream for one exchange about a code.
func speak(ctx context.Context, d Dialer, to peer.AddrInfo, say func(Stream, *wire.Conn) error) error {
	s, err := d.Dial(ctx, to)
	if err != nil {
		return unreachable(ctx, err)
	}
	defer func() { _ = s.Reset() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	err = say(s, wire.NewConn(s))
	if err == nil || code.Told(err) || errors.Is(err, code.ErrImpostor) || errors.Is(err, code.ErrMalformed) {
		return err
	}
	return unreachable(ctx, err)
}

func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(ErrUnreachable, err)
}
