package code

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Time limits of an exchange.
const (
	frameFor  = 10 * time.Second // the next frame
	overAfter = 20 * time.Second // a whole attempt, at the admitter
	maxLooks  = 8                // on one stream
)

// Stream is a byte stream whose ends have proved their libp2p ids.
type Stream interface {
	SetDeadline(t time.Time) error
}

// Serve answers a stream that began with the frame first (see Begins), until the
// exchange on it is over. What it returns was told to the other side, where that is a
// sentinel of this package; ErrMalformed was not.
func (b *Book) Serve(ctx context.Context, s Stream, conn *wire.Conn, first []byte, ends Ends) error {
	m, err := decode(first)
	for range maxLooks {
		if err != nil || m.kind != kindLook {
			break
		}
		if err = b.has(m.plate); err == nil {
			err = send(conn, message{kind: kindHere, plate: m.plate})
		} else {
			err = refuse(conn, err)
		}
		if err == nil {
			m, err = read(s, conn, time.Now().Add(frameFor))
		}
	}
	if err != nil {
		return err
	}
	if m.kind != kindStart {
		return fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	return b.attempt(ctx, s, conn, m, ends)
}

// attempt is one try at a code.
func (b *Book) attempt(ctx context.Context, s Stream, conn *wire.Conn, m message, ends Ends) error {
	c, secret, err := b.start(m.plate)
	if err != nil {
		return refuse(conn, err)
	}
	given, err := b.try(s, conn, c, secret, m.point, ends)
	b.end(ctx, m.plate, errors.Is(err, ErrWrong), given && err != nil)
	return err
}

// try runs an attempt. given tells whether the secret may have left.
func (b *Book) try(s Stream, conn *wire.Conn, c Code, secret invite.Secret, x point, ends Ends) (given bool, err error) {
	until := time.Now().Add(overAfter)
	y, k, err := reply(c, ends, x)
	if err != nil {
		return false, err
	}
	if err := s.SetDeadline(until); err != nil {
		return false, err
	}
	if err := send(conn, message{kind: kindAnswer, point: y}); err != nil {
		return false, err
	}
	m, err := read(s, conn, until)
	if err != nil {
		return false, err
	}
	if m.kind != kindConfirm {
		return false, fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	if !hmac.Equal(m.mac[:], k.joiner[:]) {
		// It is burnt whether or not the other side hears of it.
		return false, refuse(conn, ErrWrong)
	}
	sealed, err := sealSecret(k.seal, secret)
	if err != nil {
		return false, err
	}
	if err := b.give(c.Plate); err != nil {
		return false, refuse(conn, err)
	}
	return true, send(conn, message{kind: kindSecret, mac: k.admitter, sealed: sealed})
}

// refuse tells the other side why and returns that.
func refuse(conn *wire.Conn, why error) error {
	return errors.Join(why, send(conn, message{kind: kindRefused, why: saysOf(why)}))
}

func send(conn *wire.Conn, m message) error { return conn.Send(m.encode()) }

// read reads the next frame.
func read(s Stream, conn *wire.Conn, until time.Time) (message, error) {
	if err := s.SetDeadline(until); err != nil {
		return message{}, err
	}
	raw, err := conn.ReadFrame(MaxFrame)
	if err != nil {
		return message{}, err
	}
	return decode(raw)
}
