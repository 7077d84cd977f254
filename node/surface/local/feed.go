package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// heartbeat is the topic of a line that only shows that the node lives.
const heartbeat = "heartbeat"

// feed streams the caller's changes until it hangs up, or ctx or the feed ends.
func (s *Server) feed(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	caller, err := s.caller(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)()

	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &lines{w: w, ctl: http.NewResponseController(w)}
	if err := out.write(op.Event{Topic: heartbeat}); err != nil {
		return
	}
	var beats sync.WaitGroup
	beats.Go(func() { out.beat(ctx, s.cfg.Heartbeat, cancel) })
	err = s.cfg.Feed.Follow(ctx, caller, r.URL.Query().Get("cursor"), func(e op.Event) error { return out.write(e) })
	ended := ctx.Err() != nil
	cancel()
	beats.Wait()
	if err != nil && !ended && !errors.Is(err, errGone) {
		s.log.Debug("feed ended", "code", string(op.CodeOf(err)))
		_ = out.write(failure{op.AsError(err)}) // if the client has gone as well, it needs no reason
	}
}

// errGone means that the client does not take what is written.
var errGone = errors.New("the client takes no more")

// lines writes lines of JSON, each at once and whole. It is safe for concurrent
// use.
type lines struct {
	w   http.ResponseWriter
	ctl *http.ResponseController

	writing sync.Mutex
}

// write writes v as one line. The error is errGone, or that v is no JSON.
func (l *lines) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line of the feed: %w", err)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_ = l.ctl.SetWriteDeadline(time.Now().Add(writeTime)) // fails only where there is no connection
	if _, err := l.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if err := l.ctl.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// beat writes heartbeats until ctx ends. If one cannot be written it calls cancel.
func (l *lines) beat(ctx context.Context, every time.Duration, cancel func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if l.write(op.Event{Topic: heartbeat}) != nil {
				cancel()
				return
			}
		}
	}
}
