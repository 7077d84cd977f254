package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// maxCalls is how many tools run at a time; further calls wait unread.
const maxCalls = 32

// revisions are the protocol revisions spoken: those that begin with initialize.
// In a later one Claude Code skips channel notifications. So its first question,
// server/discover, gets the answer of a server that has never heard of it: every
// client goes on to initialize then, while some take any other answer, even one
// that lists these revisions only, for a yes to the newest.
var revisions = mcp.LegacyProtocolVersions()

// conn is the connection to the client: it reads requests and answers them.
type conn struct {
	log   *slog.Logger
	srv   *server.MCPServer
	tools *tools
	out   *writer
	slots chan struct{}
	calls sync.WaitGroup

	// initialized is closed when the client has said that it is.
	initialized chan struct{}
	// agreed is set before.
	agreed atomic.Pointer[Agreement]
}

// newConn builds the server behind the connection.
func newConn(cfg Config, tools *tools, out *writer) *conn {
	c := &conn{
		log: cfg.Log, tools: tools, out: out,
		slots: make(chan struct{}, maxCalls), initialized: make(chan struct{}),
	}
	hooks := &server.Hooks{}
	hooks.AddAfterInitialize(func(_ context.Context, _ any, req *mcp.InitializeRequest, res *mcp.InitializeResult) {
		res.Instructions = instructions(cfg)
		client := strings.TrimSpace(req.Params.ClientInfo.Name + " " + req.Params.ClientInfo.Version)
		c.agreed.Store(&Agreement{Protocol: res.ProtocolVersion, Client: client})
		c.log.Info("client connected", "client", req.Params.ClientInfo.Name,
			"version", req.Params.ClientInfo.Version, "protocol", res.ProtocolVersion)
	})
	c.srv = server.NewMCPServer("claudemesh", cfg.Version,
		server.WithHooks(hooks),
		server.WithRecovery(),
		server.WithToolCapabilities(false), // the tools never change while the server runs
		server.WithPromptCapabilities(true),
		server.WithResourceCapabilities(false, true),
		server.WithExperimental(map[string]any{"claude/channel": map[string]any{}}),
	)
	c.srv.AddTools(tools.served...)
	c.srv.AddNotificationHandler(string(mcp.MethodNotificationInitialized), c.onInitialized())
	return c
}

// onInitialized returns the handler that opens the channel, once.
func (c *conn) onInitialized() server.NotificationHandlerFunc {
	var once sync.Once
	return func(context.Context, mcp.JSONRPCNotification) {
		once.Do(func() { close(c.initialized) })
	}
}

// tellAgreed tells what was agreed on once the client is initialized.
func (c *conn) tellAgreed(ctx context.Context, tell func(context.Context, Agreement)) {
	select {
	case <-c.initialized:
	case <-ctx.Done():
		return
	}
	if a := c.agreed.Load(); a != nil && tell != nil {
		tell(ctx, *a)
	}
}

// received is one line from the client, or why there is none.
type received struct {
	line []byte
	err  error
}

// run answers what comes in until in ends (nil), fails, or ctx ends (nil).
func (c *conn) run(ctx context.Context, in io.Reader) error {
	ctx = server.WithSupportedProtocolVersions(ctx, revisions)
	ctx = c.srv.WithContext(ctx, session{})
	lines := make(chan received)
	go func() {
		r := bufio.NewReader(in)
		for {
			line, err := readLine(r, maxLine)
			select {
			case lines <- received{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, errLong) {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case got := <-lines:
			switch {
			case errors.Is(got.err, errLong):
				c.answer(mcp.NewJSONRPCError(mcp.NewRequestId(nil), mcp.INVALID_REQUEST, "the message is too long", nil))
			case errors.Is(got.err, io.EOF), errors.Is(got.err, io.ErrClosedPipe):
				return nil
			case got.err != nil:
				return got.err
			case len(got.line) > 0:
				c.handle(ctx, got.line)
			}
		}
	}
}

// handle answers one message: calls of tools beside each other, all else at once
// and in order.
func (c *conn) handle(ctx context.Context, line []byte) {
	var head struct {
		JSONRPC string `json:"jsonrpc"`
		ID      any    `json:"id"`
		Method  string `json:"method"`
	}
	if json.Unmarshal(line, &head) != nil || head.JSONRPC != mcp.JSONRPC_VERSION || head.ID == nil {
		c.answer(c.srv.HandleMessage(ctx, line))
		return
	}
	switch mcp.MCPMethod(head.Method) {
	case mcp.MethodServerDiscover:
		c.answer(mcp.NewJSONRPCError(mcp.NewRequestId(head.ID), mcp.METHOD_NOT_FOUND, "the connection begins with initialize", nil))
	case mcp.MethodToolsCall:
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c.calls.Go(func() {
			defer func() { <-c.slots }()
			var shown reports
			if c.answer(c.call(withReports(ctx, &shown), head.ID, line)) {
				c.tools.report(ctx, shown)
			}
		})
	default:
		c.answer(c.srv.HandleMessage(ctx, line))
	}
}

// call answers a call of a tool. The library would answer an unknown name with an
// error of the protocol, which models do not get to see.
func (c *conn) call(ctx context.Context, id any, line []byte) mcp.JSONRPCMessage {
	var named struct {
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(line, &named) == nil && !c.tools.has(named.Params.Name) {
		return mcp.NewJSONRPCResultResponse(mcp.NewRequestId(id), *c.tools.absent(named.Params.Name))
	}
	return c.srv.HandleMessage(ctx, line)
}

// answer writes a response, if there is one, and tells whether it is written.
func (c *conn) answer(resp mcp.JSONRPCMessage) bool {
	if resp == nil {
		return false
	}
	if err := c.out.write(resp); err != nil {
		c.log.Warn("response not written", "error", err)
		return false
	}
	return true
}

// finish waits for the calls that run. Each ends by its own deadline.
func (c *conn) finish(ctx context.Context) {
	done := make(chan struct{})
	go func() { c.calls.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// session is what the library knows of the client: nothing, since everything that
// is sent by itself goes past it.
type session struct{}

func (session) Initialize()                                         {}
func (session) Initialized() bool                                   { return true }
func (session) NotificationChannel() chan<- mcp.JSONRPCNotification { return nil }
func (session) SessionID() string                                   { return "stdio" }
