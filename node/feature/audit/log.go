package audit

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// Log follows what happens at this node.
var Log = op.Spec[LogRequest, LogResponse]{
	ID: "audit.log",
	Doc: "Show what happened at this node, oldest first, and wait for more: connections, arrivals, messages sent and received, refusals, grants, changes of members.\n" +
		"Texts of messages are never in it.",
	Names: op.Names{CLI: "log"},
	Needs: op.Manage,
}

// logWait is how long a request waits for something to happen.
const logWait = 20 * time.Second

// LogRequest asks for the newest entries, or with a cursor for those behind it.
type LogRequest struct {
	op.InMesh
	Since  string `json:"since,omitempty" jsonschema:"not older than this: how long ago (2h, 3d) or a time (RFC 3339)"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many of the newest, at most 500; default 50"`
	Cursor string `json:"cursor,omitempty" jsonschema:"what comes behind this place, from an answer before, as it comes; Limit means nothing then"`
	Wait   bool   `json:"wait,omitempty" jsonschema:"with a cursor: wait, at most 20 seconds, until there is something"`
}

// Looks implements op.Looker.
func (LogRequest) Looks() bool { return true }

// LogResponse lists entries, oldest first. Entries is empty when nothing happened.
type LogResponse struct {
	Entries []Entry `json:"entries"`
	Cursor  string  `json:"cursor" jsonschema:"the place behind the last entry, to go on from"`
}

// Text has a line per entry.
func (r LogResponse) Text() string {
	lines := make([]string, 0, len(r.Entries))
	for _, e := range r.Entries {
		lines = append(lines, e.Line())
	}
	return strings.Join(lines, "\n")
}

// spot is a place in what happened: the number of the last entry seen of the node's
// own chain, and of each own member's chain, by mesh id. What others did is in the
// node's own chain as well.
type spot struct {
	local uint64
	own   map[string]uint64
}

// String is the cursor of a place: the first number, then ID=NUMBER for each mesh.
func (s spot) String() string {
	parts := []string{strconv.FormatUint(s.local, 10)}
	for _, id := range slices.Sorted(maps.Keys(s.own)) {
		parts = append(parts, id+"="+strconv.FormatUint(s.own[id], 10))
	}
	return strings.Join(parts, " ")
}

// parseSpot reads what String wrote.
func parseSpot(text string) (spot, error) {
	wrong := op.Errorf(op.Invalid, "%.40q is no place in the log", text).WithHint("leave it out to begin with the newest")
	parts := strings.Split(text, " ")
	at := spot{own: make(map[string]uint64)}
	var err error
	if at.local, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return spot{}, wrong
	}
	for _, p := range parts[1:] {
		id, n, ok := strings.Cut(p, "=")
		i, err := strconv.ParseUint(n, 10, 64)
		if !ok || err != nil || id == "" {
			return spot{}, wrong
		}
		at.own[id] = i
	}
	return at, nil
}

func (f *Feature) answerLog(ctx context.Context, _ op.Caller, in LogRequest) (LogResponse, error) {
	limit := cmp.Or(in.Limit, defaultPage)
	if limit < 0 || limit > maxPage {
		return LogResponse{}, op.Errorf(op.Invalid, "%d entries at once cannot be", in.Limit).WithHint("ask for 1 to %d", maxPage)
	}
	f.write(ctx, false)
	if in.Cursor == "" {
		w, meshes, err := f.wants(QueryRequest{InMesh: in.InMesh, Since: in.Since})
		if err != nil {
			return LogResponse{}, err
		}
		found, at, err := f.newest(w, meshes, limit)
		return LogResponse{Entries: f.named(w, found), Cursor: at.String()}, err
	}
	at, err := parseSpot(in.Cursor)
	if err != nil {
		return LogResponse{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	grown, done := f.watch()
	defer done()
	for {
		w, meshes, err := f.wants(QueryRequest{InMesh: in.InMesh, Since: in.Since})
		if err != nil {
			return LogResponse{}, err
		}
		found, err := f.behind(w, meshes, &at)
		if err != nil || len(found) > 0 || !in.Wait {
			return LogResponse{Entries: f.named(w, found), Cursor: at.String()}, err
		}
		select {
		case <-ctx.Done():
			return LogResponse{Entries: []Entry{}, Cursor: at.String()}, nil
		case <-grown():
		}
	}
}

// newest are the newest entries that are wanted, and the place behind all there are.
func (f *Feature) newest(w wanted, meshes []Mesh, most int) ([]kept, spot, error) {
	at := spot{own: make(map[string]uint64)}
	var out []kept
	for _, m := range meshes {
		links, err := f.chainOf(m.ID, m.Self)
		if err != nil {
			return nil, at, err
		}
		for _, l := range links {
			at.own[m.ID.String()] = l.i
			if w.has(l.entry) {
				out = append(out, kept{l.entry, l.hash})
			}
		}
	}
	err := f.cfg.DB.View(func(tx *store.Tx) error {
		b := tx.Bucket(bucketAudit, bucketLocal)
		at.local, _ = place(b.Get(keyHead))
		n := 0
		b.Bucket(bucketRow).Descend(nil, func(_, raw []byte) bool {
			e, h, err := chain.Parse(raw)
			if err == nil && w.has(e) {
				out = append(out, kept{e, h})
				n++
			}
			return n < most
		})
		return nil
	})
	inOrder(out)
	return out[max(0, len(out)-most):], at, err
}

// behind are the entries behind a place, at most a page of the node's own chain, and
// moves the place along.
func (f *Feature) behind(w wanted, meshes []Mesh, at *spot) ([]kept, error) {
	var out []kept
	for _, m := range meshes {
		id := m.ID.String()
		links, err := f.chainOf(m.ID, m.Self)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if l.i <= at.own[id] {
				continue
			}
			at.own[id] = l.i
			if w.has(l.entry) {
				out = append(out, kept{l.entry, l.hash})
			}
		}
	}
	err := f.cfg.DB.View(func(tx *store.Tx) error {
		from, n := number(at.local+1), 0
		tx.Bucket(bucketAudit, bucketLocal, bucketRow).Ascend(from, func(key, raw []byte) bool {
			at.local = binary.BigEndian.Uint64(key)
			e, h, err := chain.Parse(raw)
			if err == nil && w.has(e) {
				out = append(out, kept{e, h})
				n++
			}
			return n < maxPage
		})
		return nil
	})
	inOrder(out)
	return out, err
}

// inOrder sorts entries by time, and those of one chain by their numbers.
func inOrder(all []kept) {
	slices.SortStableFunc(all, func(a, b kept) int {
		if a.Chain == b.Chain {
			return cmp.Compare(a.I, b.I)
		}
		return strings.Compare(a.At, b.At)
	})
}

// named are entries as they are shown.
func (f *Feature) named(w wanted, all []kept) []Entry {
	slugs := make(map[string]string)
	for _, m := range f.cfg.Meshes.List() {
		slugs[m.ID.String()] = m.Slug
	}
	out := make([]Entry, 0, len(all))
	for _, k := range all {
		e := k.shown(w)
		e.Mesh = cmp.Or(slugs[e.Mesh], e.Mesh)
		out = append(out, e)
	}
	return out
}

// watch has what happens written at once, until done is called. grown gives a channel
// that is closed when something was written after it was asked for.
func (f *Feature) watch() (grown func() <-chan struct{}, done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watching++
	next := f.grown
	return func() <-chan struct{} {
			// The one asked for before is given: what came since then has closed it.
			given := next
			f.mu.Lock()
			defer f.mu.Unlock()
			next = f.grown
			return given
		}, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.watching--
		}
}

// grew tells those who wait that something was written.
func (f *Feature) grew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.grown)
	f.grown = make(chan struct{})
}

// soon has what was gathered written at once if somebody waits for it. The caller
// holds f.mu.
func (f *Feature) soon() {
	if f.watching > 0 {
		wake(f.full)
	}
}

// letters are the messages that came from one member since the last time.
type letters struct {
	times    uint64
	id, name string // of the last one: its id, and the session it is from
	priority string
}

// Received counts a message that came from another member for somebody here. Those of
// one member become one entry each time the gathered is written, so that nobody can
// push out of the account what else they did.
func (f *Feature) Received(e Event) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from := refusal{mesh: e.Mesh, who: e.Actor}
	one, known := f.received[from]
	if !known && len(f.received) >= maxRefusals {
		f.dropped++
		return
	}
	one.times++
	one.id, one.name, one.priority = e.Data["id"], e.Data["session"], e.Data["priority"]
	f.received[from] = one
	f.soon()
}

// event is what is written of messages.
func (l letters) event(from refusal) Event {
	data := map[string]string{"session": l.name, "priority": l.priority, "id": l.id}
	if l.times > 1 {
		data = map[string]string{"times": fmt.Sprint(l.times), "last_id": l.id}
	}
	return Event{Mesh: from.mesh, Actor: from.who, Name: "message_received", Data: data}
}
