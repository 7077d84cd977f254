package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// maxLine is the longest line that is taken from a server.
const maxLine = 8 << 20

// message is one line of JSON-RPC: a request, a notification or an answer.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *RPCError       `json:"error,omitempty"`
}

// rpc speaks JSON-RPC in lines over two pipes. It is safe for concurrent use.
type rpc struct {
	in, out *os.File                 // to the server, from it
	notify  func(message, time.Time) // called in order, by the reader
	broken  func(error)              // called when the server breaks the protocol
	done    chan struct{}            // closed when nothing more comes

	writing sync.Mutex

	mu    sync.Mutex // guards what follows
	next  int
	calls map[string]chan message
}

func newRPC(in, out *os.File, notify func(message, time.Time), broken func(error)) *rpc {
	return &rpc{in: in, out: out, notify: notify, broken: broken, done: make(chan struct{}), calls: map[string]chan message{}}
}

// read reads until the server's end is closed, that is until it has ended.
func (r *rpc) read() {
	defer close(r.done)
	defer r.out.Close()
	lines := bufio.NewReaderSize(r.out, 64<<10)
	for {
		line, err := readLine(lines)
		if len(line) > 0 {
			r.handle(line)
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.broken(fmt.Errorf("read from the server: %w", err))
			return
		}
	}
}

// readLine reads a line of at most maxLine bytes. A last one without an end was
// cut off with the process that wrote it, and is dropped.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}

func (r *rpc) handle(line []byte) {
	now := time.Now()
	var m message
	if err := json.Unmarshal(line, &m); err != nil || m.JSONRPC != "2.0" {
		r.broken(fmt.Errorf("stdout has a line that is no JSON-RPC: %.200q", line))
		return
	}
	switch {
	case m.Method != "" && m.ID == nil:
		r.notify(m, now)
	case m.Method != "":
		r.refuse(m)
	default:
		r.mu.Lock()
		answer := r.calls[string(m.ID)]
		delete(r.calls, string(m.ID))
		r.mu.Unlock()
		if answer != nil {
			answer <- m // has room for the one answer there is
		}
	}
}

// refuse answers a request of the server: this client offers nothing but ping.
func (r *rpc) refuse(m message) {
	answer := message{JSONRPC: "2.0", ID: m.ID, Error: &RPCError{Code: -32601, Message: "method not found"}}
	if m.Method == "ping" {
		answer.Error, answer.Result = nil, json.RawMessage("{}")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.send(ctx, answer) // a server that has gone needs no answer
}

// call sends a request and waits for its answer.
func (r *rpc) call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	answer := make(chan message, 1)
	r.mu.Lock()
	id := json.RawMessage(fmt.Sprint(r.next))
	r.next++
	r.calls[string(id)] = answer
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.calls, string(id))
	}()
	if err := r.send(ctx, message{JSONRPC: "2.0", ID: id, Method: method, Params: raw}); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		return result(method, m)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: no answer: %w", method, context.Cause(ctx))
	case <-r.done:
	}
	select {
	case m := <-answer: // it came with the last words
		return result(method, m)
	default:
		return nil, fmt.Errorf("%s: %w", method, ErrGone)
	}
}

func result(method string, m message) (json.RawMessage, error) {
	if m.Error != nil {
		m.Error.Method = method
		return nil, m.Error
	}
	return m.Result, nil
}

// send writes one message. The error is ErrGone when nobody reads.
func (r *rpc) send(ctx context.Context, m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	deadline, _ := ctx.Deadline() // none: no limit
	if err := r.in.SetWriteDeadline(deadline); err != nil {
		return errors.Join(ErrGone, err)
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		return errors.Join(ErrGone, err)
	}
	return nil
}
