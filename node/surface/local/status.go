package local

import (
	"encoding/json"
	"net/http"

	"github.com/claudemesh/claudemesh/node/op"
)

// statuses is the HTTP status of each error code.
var statuses = map[op.Code]int{
	op.NotFound:    http.StatusNotFound,
	op.Ambiguous:   http.StatusConflict,
	op.Denied:      http.StatusForbidden,
	op.Offline:     http.StatusBadGateway,
	op.Expired:     http.StatusGone,
	op.TooLarge:    http.StatusRequestEntityTooLarge,
	op.RateLimited: http.StatusTooManyRequests,
	op.Invalid:     http.StatusBadRequest,
	op.Conflict:    http.StatusConflict,
	op.Unavailable: http.StatusServiceUnavailable,
	op.Internal:    http.StatusInternalServerError,
}

// failure is the form of an error in answers and as the last line of a feed.
type failure struct {
	Error *op.Error `json:"error"`
}

// writeError answers with the status and text of err.
func writeError(w http.ResponseWriter, err error) {
	e := op.AsError(err)
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	body, err := json.Marshal(failure{e})
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the error has no text"}}`)
	}
	writeJSON(w, status, body)
}

// writeJSON answers with body.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

// readError turns an answer with a status that is not 200 into its error.
func readError(status int, body []byte) *op.Error {
	var f failure
	if err := json.Unmarshal(body, &f); err == nil && f.Error != nil && f.Error.Code != "" {
		return f.Error
	}
	return op.Errorf(op.Internal, "the node answered with HTTP status %d", status).
		WithHint("is the program at the socket a claudemesh node of this version?")
}
