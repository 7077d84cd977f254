package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// Limits of a connection.
const (
	headerTime  = 5 * time.Second  // to send the header of a request
	bodyTime    = 10 * time.Second // to send its body
	writeTime   = 10 * time.Second // to take a line of the feed, or an answer
	idleTime    = 5 * time.Minute  // between two requests
	maxHeader   = 8 << 10          // bytes
	defaultBeat = 15 * time.Second
)

// ServerConfig says what a [Server] serves. Socket, Doer, Feed and Hello are
// needed.
type ServerConfig struct {
	// Socket is the path to listen at, as from SocketPath.
	Socket string
	// Doer performs operations.
	Doer op.Doer
	// Feed gives the changes for a caller.
	Feed op.Feed
	// Authenticate says whom a session's token, 64 lower-case hex digits, belongs
	// to. An error without a code of its own is Denied. Nil denies every token.
	Authenticate func(token string) (op.Caller, error)
	// Hello describes the node at this moment.
	Hello func() Hello
	// MaxConns is how many connections are served at a time; more wait. Default 256.
	MaxConns int
	// Timeout is how long an operation may take. Default 2 minutes.
	Timeout time.Duration
	// Drain is how long operations that run at the end may take. Default 3 s.
	Drain time.Duration
	// Heartbeat is the time between heartbeats of a feed. Default 15 s.
	Heartbeat time.Duration
	// Log takes a line per operation at level debug, never with content. Nil: none.
	Log *slog.Logger
}

// Server answers the local API. It is safe for concurrent use.
type Server struct {
	cfg       ServerConfig
	log       *slog.Logger
	listening chan struct{}
	once      sync.Once
}

// NewServer checks cfg and fills in its defaults. It starts nothing.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Socket == "" || cfg.Doer == nil || cfg.Feed == nil || cfg.Hello == nil {
		return nil, errors.New("a local server needs a socket, a doer, a feed and a hello")
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 256
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 2 * time.Minute
	}
	if cfg.Drain <= 0 {
		cfg.Drain = 3 * time.Second
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = defaultBeat
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, log: log, listening: make(chan struct{})}, nil
}

// Listening is closed once the socket takes connections for the first time.
func (s *Server) Listening() <-chan struct{} { return s.listening }

// Run serves until ctx ends. Feeds then end at once, operations may finish within
// Drain, and the socket is gone when it returns nil. The errors of starting are
// ErrRunning, ErrNotPrivate, ErrNotSocket, ErrPath and those of the system.
func (s *Server) Run(ctx context.Context) error {
	claim, err := claimSocket(ctx, s.cfg.Socket)
	if err != nil {
		return err
	}
	s.once.Do(func() { close(s.listening) })
	feeds, endFeeds := context.WithCancel(context.WithoutCancel(ctx))
	defer endFeeds()
	fresh := &fresh{conns: make(map[net.Conn]struct{})}
	srv := s.httpServer(ctx, feeds, fresh)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(newDoor(claim.listener, s.cfg.MaxConns, s.log)) }()

	select {
	case <-ctx.Done():
		err = nil
	case err = <-served:
		err = fmt.Errorf("serve the local API: %w", err)
		served <- nil
	}
	endFeeds()
	s.stop(srv, fresh)
	<-served
	return errors.Join(err, claim.release())
}

// httpServer sets the limits. Requests outlive ctx until the server is stopped.
func (s *Server) httpServer(ctx, feeds context.Context, fresh *fresh) *http.Server {
	return &http.Server{
		Handler:           s.handler(feeds),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      s.cfg.Timeout + writeTime + bodyTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ConnState:         fresh.track,
	}
}

// stop ends srv: politely while Drain lasts, then by force.
func (s *Server) stop(srv *http.Server, fresh *fresh) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Drain)
	defer cancel()
	fresh.close()
	if err := srv.Shutdown(ctx); err != nil {
		s.log.Warn("operations cut off at the end", "error", err)
		_ = srv.Close() // the listener is closed already, the connections cannot be helped
	}
}

// fresh knows the connections on which no request has come yet. Shutdown would
// wait for them; HTTP clients keep such connections in reserve.
type fresh struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// track is a http.Server's ConnState.
func (f *fresh) track(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.conns[c] = struct{}{}
	} else {
		delete(f.conns, c)
	}
}

// close hangs up on them.
func (f *fresh) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close() // its request was never read
	}
}
