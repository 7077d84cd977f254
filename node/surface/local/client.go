package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// maxAnswer is the largest answer the client takes, in bytes. It is more than the
// limit of an operation, which a newer node may have raised.
const maxAnswer = 4 * op.MaxRequest

// ClientConfig says which node a [Client] talks to. Socket is needed.
type ClientConfig struct {
	// Socket is the path of the node's socket, as from SocketPath.
	Socket string
	// Token is a session's token; empty speaks for the person at the machine.
	Token string
	// Approved says of each request that a person has said yes to it. It means
	// something without a Token only.
	Approved bool
	// Patience is how long Do keeps trying to reach a node that does not listen, as
	// while it restarts. Zero gives up at once.
	Patience time.Duration
	// Log tells of lost and regained feeds. Nil: none.
	Log *slog.Logger
}

// Client asks a node through its socket. It is an [op.Doer] and an [op.Feed]; both
// ignore the caller, as the server finds out who asks. It is safe for concurrent
// use and keeps connections open for the next request until Close.
type Client struct {
	cfg  ClientConfig
	log  *slog.Logger
	http *http.Client
}

// NewClient makes a client. It connects to nothing yet.
func NewClient(cfg ClientConfig) *Client {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, log: log, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, cfg.Socket)
		},
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute, // before the server's
		DisableCompression:  true,
	}}}
}

// As returns a client that speaks for the session with this token over the same
// connections. Closing either closes them.
func (c *Client) As(token string) *Client {
	other := *c
	other.cfg.Token = token
	return &other
}

// Approved returns a client, over the same connections, whose requests say that a
// person has said yes to them.
func (c *Client) Approved() *Client {
	other := *c
	other.cfg.Approved = true
	return &other
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Hello asks the node who it is. The error is Unavailable when nobody answers, Internal when
// it is no node that answers.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	var h Hello
	body, err := c.ask(ctx, http.MethodGet, "/v1/hello", nil)
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(body, &h); err != nil {
		return h, op.Errorf(op.Internal, "the node's hello is no JSON: %w", err)
	}
	if h.API < 1 {
		return h, op.Errorf(op.Internal, "what answers at %s does not say that it is a node", c.cfg.Socket).
			WithHint("find out what it is and end it, then remove %s", c.cfg.Socket)
	}
	return h, nil
}

// Do performs operation id at the node. A node that does not listen is tried again
// while Patience lasts, since the request was certainly not sent; nothing else is.
func (c *Client) Do(ctx context.Context, _ op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	if len(in) > op.MaxRequest {
		return nil, op.Errorf(op.TooLarge, "the request has %d bytes, the limit is %d", len(in), op.MaxRequest)
	}
	deadline := time.Now().Add(c.cfg.Patience)
	var p pace
	for {
		out, err := c.ask(ctx, http.MethodPost, "/v1/op/"+url.PathEscape(id), in)
		var down *dialError
		if !errors.As(err, &down) || time.Now().After(deadline) {
			return out, err
		}
		if !p.wait(ctx) {
			return nil, err
		}
	}
}

// ask sends one request and reads the whole answer.
func (c *Client) ask(ctx context.Context, method, path string, in []byte) ([]byte, error) {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, broken(ctx, err)
	case len(body) > maxAnswer:
		return nil, op.Errorf(op.TooLarge, "the answer has more than %d bytes", maxAnswer).WithHint("ask for less at a time")
	case resp.StatusCode != http.StatusOK:
		return nil, readError(resp.StatusCode, body)
	}
	return body, nil
}

// send sends one request and returns as soon as the answer begins.
func (c *Client) send(ctx context.Context, method, path string, in []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://claudemesh"+path, bytes.NewReader(in))
	if err != nil {
		return nil, op.Errorf(op.Invalid, "make the request: %w", err)
	}
	if c.cfg.Token != "" {
		req.Header.Set(sessionHeader, c.cfg.Token)
	}
	if c.cfg.Approved {
		req.Header.Set(approvedHeader, "yes")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, broken(ctx, err)
	}
	return resp, nil
}

// dial connects to the node of the same user at socket.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, &dialError{err}
	}
	if u, ok := conn.(*net.UnixConn); ok {
		if err := checkPeer(u); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// dialError marks that nothing was sent.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// broken turns a transport's error into one with a code and a next step.
func broken(ctx context.Context, err error) error {
	var down *dialError
	switch {
	case errors.Is(err, errForeign):
		return op.Errorf(op.Denied, "somebody else listens at the node's socket: %w", err)
	case errors.As(err, &down) && ctx.Err() == nil:
		return op.Errorf(op.Unavailable, "the node cannot be reached: %w", down).
			WithHint("start it with `claudemesh node up`")
	case ctx.Err() != nil:
		return op.Errorf(op.Unavailable, "the node did not answer in time: %w", ctx.Err())
	default:
		return op.Errorf(op.Unavailable, "the connection to the node broke before it answered: %w", lastCause(err)).
			WithHint("it may have been done: look before you repeat it")
	}
}

// lastCause drops the URL that net/http puts in front.
func lastCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
