package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/passing"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// feedBatch is how many changes are read from the store at once.
const feedBatch = 256

// feed is the change feed of this node's store, filtered for one caller. Following
// it is what attaches a session.
type feed struct {
	db       *store.DB
	presence *presence.Feature
	// welcome makes the first event of a new connection.
	welcome func(context.Context, op.Caller) (op.Event, bool)
}

// Follow implements op.Feed. It ends with presence.ErrReplaced when a newer
// connection of the same session comes.
func (f *feed) Follow(ctx context.Context, c op.Caller, cursor string, fn func(op.Event) error) error {
	at, err := f.start(cursor)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	to := presence.UserSession
	if c.Session != "" {
		give := fn
		fn = func(e op.Event) error { return give(f.moded(c, e)) }
		to = c.Session
		detach, err := f.presence.Attach(c, func() { cancel(presence.ErrReplaced) })
		if err != nil {
			return err
		}
		defer detach()
	}
	// From before the welcome is made: who comes while it is given is told of as well.
	heard := f.presence.Listen(to)
	defer heard.Close()
	if cursor == "" {
		if e, ok := f.welcome(ctx, c); ok {
			e.Cursor = at.String()
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	err = f.pump(ctx, at, to, heard, fn)
	if errors.Is(context.Cause(ctx), presence.ErrReplaced) {
		return op.Errorf(op.Denied, "%w", presence.ErrReplaced)
	}
	return err
}

// moded says with an event in which message mode the session is that it is for. A
// message needs no such word: the feature offers none to a session that wants none.
func (f *feed) moded(c op.Caller, e op.Event) op.Event {
	if e.Mesh == "" || e.Topic == op.TopicMessage {
		return e
	}
	if own, err := f.presence.Caller(c, e.Mesh); err == nil {
		e.Mode = own.Mode
	} else {
		e.Mode = f.presence.Mode(c) // the mesh is closed to it: the event says so
	}
	return e
}

// position is a place in one store's feed.
type position struct {
	store string
	seq   uint64
}

func (p position) String() string { return p.store + ":" + strconv.FormatUint(p.seq, 10) }

// start parses a cursor; an empty one means from now on.
func (f *feed) start(cursor string) (position, error) {
	if cursor == "" {
		last, err := f.db.Feed().Last()
		return position{f.db.ID(), last}, err
	}
	id, text, ok := strings.Cut(cursor, ":")
	seq, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return position{}, op.Errorf(op.Invalid, "%q is no feed cursor", cursor).WithHint("leave it out to follow from now on")
	}
	return position{id, seq}, nil
}

// pump gives what is for one recipient until ctx ends.
func (f *feed) pump(ctx context.Context, at position, to string, heard *passing.Listener[op.Event], fn func(op.Event) error) error {
	mine := func(c store.Change) bool { return c.To == to || c.To == "" }
	for {
		more := f.db.Feed().Wait()
		changes, next, reset, err := f.db.Feed().Resume(at.store, at.seq, mine, feedBatch)
		if err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		if reset {
			if at, err = f.start(""); err != nil {
				return err
			}
			if err := fn(op.Event{Cursor: at.String(), Topic: op.TopicReset}); err != nil {
				return err
			}
			continue
		}
		for _, c := range changes {
			e, err := event(c)
			if err != nil {
				return err
			}
			e.Cursor = position{at.store, c.Seq}.String()
			if err := fn(e); err != nil {
				return err
			}
		}
		at.seq = next
		for _, e := range heard.Take() {
			e.Cursor = at.String()
			if err := fn(e); err != nil {
				return err
			}
		}
		if len(changes) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		case <-heard.Told():
		}
	}
}

// event decodes what a feature appended: the event without its cursor.
func event(c store.Change) (op.Event, error) {
	var e op.Event
	if err := json.Unmarshal(c.Data, &e); err != nil {
		return e, fmt.Errorf("feed entry %d: %w", c.Seq, err)
	}
	e.Topic = c.Topic
	return e, nil
}
