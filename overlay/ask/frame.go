package ask

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Limits of a request and of an answer.
const (
	MaxBody = wire.MaxFrame // bytes of either body: 1 MiB
	MaxOp   = 64            // bytes of an operation's name

	maxHead = 4 << 10 // bytes of a head
	maxCode = 64      // bytes of a code
	maxText = 1 << 10 // bytes of a message or hint
)

const (
	fieldOp      = 2 // request
	fieldCode    = 2 // answer
	fieldMessage = 4
	fieldHint    = 6
)

func encodeRequest(op string) []byte {
	var f ident.Fields
	f.Text(fieldOp, op)
	return f.Body()
}

// decodeRequest reads what encodeRequest writes; ErrMalformed otherwise.
func decodeRequest(b []byte) (op string, err error) {
	r, err := ident.ReadFields(b, fieldOp)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Need(fieldOp)
	op = r.Text(fieldOp, MaxOp)
	if err := r.Err(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !validOp(op) {
		return "", fmt.Errorf("%w: operation's name", ErrMalformed)
	}
	return op, nil
}

// validOp tells whether op may name an operation: 1 to 64 bytes of printable ASCII.
func validOp(op string) bool {
	for i := range len(op) {
		if op[i] <= ' ' || op[i] > '~' {
			return false
		}
	}
	return op != "" && len(op) <= MaxOp
}

// encodeAnswer writes the head of an answer; e is nil if it worked.
func encodeAnswer(e *Error) []byte {
	if e == nil {
		e = &Error{}
	}
	var f ident.Fields
	f.Text(fieldCode, cut(e.Code, maxCode))
	f.Text(fieldMessage, cut(e.Message, maxText))
	f.Text(fieldHint, cut(e.Hint, maxText))
	return f.Body()
}

// decodeAnswer reads what encodeAnswer writes; ErrMalformed otherwise.
func decodeAnswer(b []byte) (*Error, error) {
	r, err := ident.ReadFields(b, fieldCode, fieldMessage, fieldHint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Need(fieldCode, fieldMessage, fieldHint)
	e := &Error{Code: r.Text(fieldCode, maxCode), Message: r.Text(fieldMessage, maxText), Hint: r.Text(fieldHint, maxText)}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if e.Code == "" {
		if e.Message != "" || e.Hint != "" {
			return nil, fmt.Errorf("%w: an error without a code", ErrMalformed)
		}
		return nil, nil
	}
	return e, nil
}

// asError turns what Answer returned into what travels.
func asError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e.Code != "":
		return e
	default:
		return &Error{Code: codeInternal, Message: textInternal}
	}
}

// cut shortens text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
