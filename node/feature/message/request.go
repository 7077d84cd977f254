package message

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// draft is a request on its way to becoming a message.
type draft struct {
	self    Self
	request [32]byte // hash of all fields as typed, and of who typed them
	msg     letter.Message
	rows    []outbox.Row
	results []TargetResult
	crowd   []ident.PublicKey // own sessions that groups mean, but the sending one
	closeTo *replied          // what it answers, if that is known here
	last    *cause.Shown      // whom its conversation was continued by last
	named   bool              // the caller chose the id
	notice  bool              // it tells that a conversation has ended
}

// check turns a request into a draft, without looking at anything else.
func (f *Feature) checkRequest(self Self, in SendRequest) (*draft, error) {
	if in.Message == "" {
		return nil, op.Errorf(op.Invalid, "the message is empty")
	}
	if n := len(in.Message); n > letter.MaxBody {
		return nil, op.Errorf(op.TooLarge, "the message has %d bytes, the limit is %d", n, letter.MaxBody).
			WithHint("send it in parts, or put it in a file and send its path")
	}
	if !utf8.ValidString(in.Message) {
		return nil, op.Errorf(op.Invalid, "the message is not valid UTF-8")
	}
	switch n := len(in.To); {
	case n == 0:
		return nil, op.Errorf(op.Invalid, "there is no target")
	case n > letter.MaxTo:
		return nil, op.Errorf(op.TooLarge, "%d targets, the limit is %d", n, letter.MaxTo).WithHint("send to a group, or in several messages")
	}
	d := &draft{self: self, request: hashRequest(self, in), named: in.ID != ""}
	d.msg = letter.Message{
		Origin: self.Member, Session: self.Session, Reach: letter.Direct, Body: in.Message,
		Created: time.UnixMilli(f.cfg.Now().UnixMilli()),
	}
	var err error
	if d.msg.Priority, err = parsePriority(in.Priority); err != nil {
		return nil, err
	}
	if d.msg.TTL, err = parseTTL(in.ExpiresIn, f.limits.TTL); err != nil {
		return nil, err
	}
	if d.msg.Files, err = checkFiles(in.Files); err != nil {
		return nil, err
	}
	if in.ReplyTo != "" {
		if d.msg.ReplyTo, err = letter.ParseID(in.ReplyTo); err != nil {
			return nil, op.Errorf(op.Invalid, "reply_to: %q is no message id: %w", in.ReplyTo, err)
		}
	}
	if in.ID == "" {
		d.msg.ID, err = letter.NewID(f.cfg.Now())
		return d, err
	}
	if d.msg.ID, err = letter.ParseID(in.ID); err != nil {
		return nil, op.Errorf(op.Invalid, "id: %q is %w", in.ID, err)
	}
	return d, nil
}

// checkFiles turns the ids of files into references.
func checkFiles(ids []string) ([][]byte, error) {
	if n := len(ids); n > letter.MaxFiles {
		return nil, op.Errorf(op.TooLarge, "%d files, the limit is %d", n, letter.MaxFiles).WithHint("send the others with another message")
	}
	var out [][]byte
	for _, id := range ids {
		switch {
		case id == "" || !utf8.ValidString(id):
			return nil, op.Errorf(op.Invalid, "files: %q is no file id", id)
		case len(id) > letter.MaxFile:
			return nil, op.Errorf(op.TooLarge, "files: an id has %d bytes, the limit is %d", len(id), letter.MaxFile).WithHint("give the ids of shared files, not what is in them")
		}
		out = append(out, []byte(id))
	}
	return out, nil
}

// hashRequest makes two requests equal only if every field is, as typed.
func hashRequest(self Self, in SendRequest) [32]byte {
	in.ID = ""
	raw, err := json.Marshal(in)
	if err != nil {
		raw = fmt.Appendf(nil, "%#v", in)
	}
	return sha256.Sum256(append(self.Session[:], raw...))
}

func parsePriority(p Priority) (delivery.Priority, error) {
	switch p {
	case Now:
		return delivery.Now, nil
	case Next, "":
		return delivery.Next, nil
	case Low:
		return delivery.Low, nil
	}
	return 0, op.Errorf(op.Invalid, "priority %q is none of now, next, low", string(p))
}

// parseTTL reads a duration as people write it: Go's, or days as in 7d.
func parseTTL(s string, otherwise time.Duration) (time.Duration, error) {
	if s == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		if n > 1000 || n < 0 || n != n {
			n = 1000
		}
		d = time.Duration(n * float64(day))
	}
	switch {
	case err != nil:
		return 0, op.Errorf(op.Invalid, "expires_in: %q is no duration, as in 30m, 12h or 7d", s)
	case d < time.Second:
		return 0, op.Errorf(op.Invalid, "expires_in: %s is shorter than a second", s)
	case d > letter.MaxTTL:
		return 0, op.Errorf(op.Invalid, "expires_in: %s is longer than 30d", s)
	}
	return d.Truncate(time.Millisecond), nil
}
