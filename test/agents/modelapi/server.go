package modelapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxRequest is the longest request that is read, in bytes.
const maxRequest = 32 << 20

// Server answers with a Model. It is safe for concurrent use.
type Server struct {
	model Model
	http  *http.Server
	url   string
	done  chan struct{} // closed when the listener has ended

	mu       sync.Mutex // guards what follows
	requests []Request
	refused  []string
	broken   []error
	changed  chan struct{} // closed and made anew at each change
}

// New starts a server on a free port of loopback. The caller closes it.
func New(model Model) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		model: model, url: "http://" + listener.Addr().String(),
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // it ends by Close alone
	}()
	return s, nil
}

// URL is the base of the API: ANTHROPIC_BASE_URL and the proxies of a client.
func (s *Server) URL() string { return s.url }

// Close ends the server and its connections. The error is the first request that
// was no request of the API.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(append(slices.Clone(s.broken), err)...)
}

// Requests are all requests for messages so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Refused are the hosts that the client tried to reach through the proxy.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Await returns the first request, at index from or later, that matches. It waits
// until there is one or ctx ends.
func (s *Server) Await(ctx context.Context, from int, match func(Request) bool) (Request, error) {
	for i := from; ; {
		s.mu.Lock()
		seen, changed := s.requests[min(i, len(s.requests)):], s.changed
		s.mu.Unlock()
		for _, r := range seen {
			if match(r) {
				return r, nil
			}
		}
		i += len(seen)
		select {
		case <-changed:
		case <-ctx.Done():
			return Request{}, fmt.Errorf("no such request among %d: %w", i, context.Cause(ctx))
		}
	}
}

// note changes what is kept.
func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect || r.URL.IsAbs():
		s.note(func() { s.refused = append(s.refused, r.Host) })
		http.Error(w, "nothing but loopback", http.StatusForbidden)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/messages":
		s.message(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/messages/count_tokens":
		s.write(w, http.StatusOK, object{"input_tokens": 1})
	default:
		http.NotFound(w, r)
	}
}

// message answers a request for a message.
func (s *Server) message(w http.ResponseWriter, r *http.Request) {
	var req Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
		s.fail(w, http.StatusBadRequest, fmt.Errorf("a request that is none: %w", err))
		return
	}
	req.At = time.Now()
	var n int
	s.note(func() { s.requests = append(s.requests, req); n = len(s.requests) })
	reply := s.model(req)
	blocks, err := reply.blocks(n)
	if err != nil {
		s.fail(w, http.StatusInternalServerError, err)
		return
	}
	if !req.Stream {
		s.write(w, http.StatusOK, whole(n, req.Model, reply, blocks))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_ = stream(w, n, req.Model, reply, blocks) // a client that has gone needs no answer
}

// fail answers as the API does, and keeps why.
func (s *Server) fail(w http.ResponseWriter, status int, err error) {
	s.note(func() { s.broken = append(s.broken, err) })
	s.write(w, status, object{"type": "error", "error": object{"type": "invalid_request_error", "message": err.Error()}})
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}
