package message

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// send performs Send: it answers when the message is on disk.
func (f *Feature) send(ctx context.Context, c op.Caller, in SendRequest) (SendResponse, error) {
	self, err := f.where(c, in)
	if err != nil {
		return SendResponse{}, err
	}
	d, err := f.checkRequest(self, in)
	if err != nil {
		return SendResponse{}, err
	}
	if in.ID != "" {
		if answer, known, err := f.answered(d); known || err != nil {
			return answer, err
		}
	}
	if err := f.maySend(self.Session); err != nil {
		return SendResponse{}, err
	}
	if err := f.follow(d, c.User); err != nil {
		return SendResponse{}, err
	}
	if err := f.address(d, c, in.To); err != nil {
		return SendResponse{}, err
	}
	answer, err := f.accept(ctx, d)
	if errors.Is(err, errTooLong) {
		f.tellLast(ctx, d)
	}
	return answer, err
}

// answered finds the first answer to the same request.
func (f *Feature) answered(d *draft) (answer SendResponse, known bool, err error) {
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		m, ok, err := outbox.In(tx).Message(d.self.Mesh, d.msg.ID)
		if err != nil || !ok {
			return err
		}
		known = true
		answer, err = firstAnswer(d, m)
		return err
	})
	return answer, known, err
}

// firstAnswer repeats the answer of a message, or fails if it is another one.
func firstAnswer(d *draft, m outbox.Message) (SendResponse, error) {
	if m.Request != d.request || m.Member != d.self.Member {
		return SendResponse{}, op.Errorf(op.Conflict, "another message was sent under the id %s", d.msg.ID).
			WithHint("leave the id out, or choose a new one")
	}
	var answer SendResponse
	if err := json.Unmarshal(m.Answer, &answer); err != nil {
		return SendResponse{}, fmt.Errorf("read the first answer of %s: %w", d.msg.ID, err)
	}
	return answer, nil
}

// maySend takes one from the session's sending rate.
func (f *Feature) maySend(session ident.PublicKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, rate := f.cfg.Mono(), f.limits.SendRate
	b := f.sending[session]
	if b == nil {
		b = new(delivery.Bucket)
		f.sending[session] = b
	}
	wait, ok := b.Take(rate, now)
	if ok {
		return nil
	}
	return op.Errorf(op.RateLimited, "too many messages: a session may send %g a second, %g at once", rate.PerSecond, rate.Burst).
		WithHint("try again in %s", max(wait.Round(10*time.Millisecond), 10*time.Millisecond))
}

// noTarget is the failure of a call of which no target worked.
func noTarget(failed []error, results []TargetResult) error {
	if len(failed) == 1 {
		return failed[0]
	}
	lines := make([]string, len(results))
	for i, r := range results {
		lines[i] = r.Target + ": " + r.Error
	}
	return op.Errorf(op.CodeOf(failed[0]), "none of the %d targets worked: %s", len(failed), strings.Join(lines, "; ")).
		WithHint("list_peers (`claudemesh peers --all`) shows who is there")
}

// sentence is an error with its hint.
func sentence(err error) string {
	var e *op.Error
	if errors.As(err, &e) && e.Hint != "" {
		return err.Error() + " (" + e.Hint + ")"
	}
	return err.Error()
}
