package local

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// sessionHeader carries a session's token.
const sessionHeader = "Claudemesh-Session"

// approvedHeader, with the value yes, says that a person has said yes to the request.
const approvedHeader = "Claudemesh-Approved"

// handler routes requests. Feeds end with the context feeds.
func (s *Server) handler(feeds context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/op/{id}", s.operation)
	mux.HandleFunc("GET /v1/feed", func(w http.ResponseWriter, r *http.Request) { s.feed(feeds, w, r) })
	mux.HandleFunc("GET /v1/hello", s.hello)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, op.Errorf(op.NotFound, "the local API has no %s %s", r.Method, r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, browser := r.Header["Origin"]; browser {
			writeError(w, op.Errorf(op.Denied, "the local API is not for web pages"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// hello says who the node is.
func (s *Server) hello(w http.ResponseWriter, _ *http.Request) {
	h := s.cfg.Hello()
	h.API = API
	body, err := json.Marshal(h)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// operation performs one operation.
func (s *Server) operation(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	id := r.PathValue("id")
	out, err := s.perform(w, r, id)
	s.log.Debug("operation", "id", id, "code", string(op.CodeOf(err)), "took", time.Since(began))
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) perform(w http.ResponseWriter, r *http.Request, id string) (json.RawMessage, error) {
	caller, err := s.caller(r)
	if err != nil {
		return nil, err
	}
	in, err := body(w, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	return s.cfg.Doer.Do(ctx, caller, id, in)
}

// caller finds out who asks. A token that is not good is never the user.
func (s *Server) caller(r *http.Request) (op.Caller, error) {
	tokens, shown := r.Header[sessionHeader]
	if !shown {
		return op.Caller{User: true, Approved: r.Header.Get(approvedHeader) == "yes"}, nil
	}
	if len(tokens) != 1 || !isToken(tokens[0]) || s.cfg.Authenticate == nil {
		return op.Caller{}, unknownToken(nil)
	}
	caller, err := s.cfg.Authenticate(tokens[0])
	if err != nil {
		return op.Caller{}, unknownToken(err)
	}
	return caller, nil
}

// unknownToken denies, unless err has a code of its own.
func unknownToken(err error) error {
	var coded *op.Error
	if errors.As(err, &coded) {
		return coded
	}
	return op.Errorf(op.Denied, "the session's token is not known").
		WithHint("open the session again: restart the agent's MCP server")
}

// isToken tells whether t has the form of a token.
func isToken(t string) bool {
	if len(t) != 64 {
		return false
	}
	for _, c := range []byte(t) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// body reads a request's body within its limits of size and time.
func body(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	if r.ContentLength > op.MaxRequest {
		return nil, op.Errorf(op.TooLarge, "the request has %d bytes, the limit is %d", r.ContentLength, op.MaxRequest)
	}
	ctl := http.NewResponseController(w)
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTime)) // fails only where there is no connection
	in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, op.MaxRequest))
	_ = ctl.SetReadDeadline(time.Time{}) // else the context would end with it
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, op.Errorf(op.TooLarge, "the request has more than %d bytes", op.MaxRequest)
	case err != nil:
		return nil, op.Errorf(op.Invalid, "the request did not arrive whole: %w", err)
	case len(in) == 0:
		return json.RawMessage("{}"), nil
	}
	return in, nil
}
