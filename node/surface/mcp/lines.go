package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/claudemesh/claudemesh/node/op"
)

// maxLine is the longest message taken from the client, in bytes: an operation's
// largest request with every byte escaped as two, and the envelope.
const maxLine = 2*op.MaxRequest + 1<<16

// errLong means that a line was longer than allowed. It was skipped.
var errLong = errors.New("line too long")

// readLine reads the next line without its end. At the end of r it returns io.EOF;
// a last line that is not ended is dropped, since it may be cut.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > limit+1 {
			long, line = true, nil
		}
		if !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		case long:
			return nil, errLong
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// writer writes messages to the client, each as one line in one write. It is safe
// for concurrent use. After a failure it writes nothing more.
type writer struct {
	fail func(error)

	writing sync.Mutex
	w       io.Writer
	failed  error
}

// newWriter makes a writer that calls fail once when w takes no more.
func newWriter(w io.Writer, fail func(error)) *writer { return &writer{w: w, fail: fail} }

// write writes v as one line of JSON.
func (o *writer) write(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode a message to the client: %w", err)
	}
	first, err := o.put(line.Bytes())
	if first {
		o.fail(err)
	}
	return err
}

// put writes one line. first tells that this is the failure that ended the writer.
func (o *writer) put(line []byte) (first bool, err error) {
	o.writing.Lock()
	defer o.writing.Unlock()
	if o.failed != nil {
		return false, o.failed
	}
	if _, err := o.w.Write(line); err != nil {
		o.failed = fmt.Errorf("the client takes no more: %w", err)
		return true, o.failed
	}
	return false, nil
}
