package code

import (
	"crypto/hmac"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Look asks the node at the other end whether it gave out a code with this nameplate.
// It counts for nothing there. ErrUnknown says no.
func Look(s Stream, conn *wire.Conn, plate int) error {
	m, err := ask(s, conn, message{kind: kindLook, plate: plate})
	if err == nil && (m.kind != kindHere || m.plate != plate) {
		err = fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	return err
}

// Redeem exchanges a code for the invite's secret. It is one guess: it fails with
// ErrWrong if the code is not the admitter's, which then is void, and with ErrImpostor
// if the other side does not know it; else with ErrUnknown, ErrBusy, ErrUnavailable,
// ErrMalformed or the stream's error.
func Redeem(s Stream, conn *wire.Conn, c Code, ends Ends) (invite.Secret, error) {
	p, x, err := begin(c, ends)
	if err != nil {
		return invite.Secret{}, err
	}
	m, err := ask(s, conn, message{kind: kindStart, plate: c.Plate, point: x})
	if err != nil {
		return invite.Secret{}, err
	}
	if m.kind != kindAnswer {
		return invite.Secret{}, fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	k, err := finish(c, ends, p, x, m.point)
	if err != nil {
		return invite.Secret{}, err
	}
	if m, err = ask(s, conn, message{kind: kindConfirm, mac: k.joiner}); err != nil {
		return invite.Secret{}, err
	}
	if m.kind != kindSecret {
		return invite.Secret{}, fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	if !hmac.Equal(m.mac[:], k.admitter[:]) {
		return invite.Secret{}, ErrImpostor
	}
	return openSecret(k.seal, m.sealed)
}

// ask sends a frame and reads the answer; a refusal is its error.
func ask(s Stream, conn *wire.Conn, m message) (message, error) {
	until := time.Now().Add(frameFor)
	if err := s.SetDeadline(until); err != nil {
		return message{}, err
	}
	if err := send(conn, m); err != nil {
		return message{}, err
	}
	answer, err := read(s, conn, until)
	if err == nil && answer.kind == kindRefused {
		err = errorOf(answer.why)
	}
	return answer, err
}
