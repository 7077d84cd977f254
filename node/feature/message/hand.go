package message

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// Hand gives what a hook of the caller's agent may show it, as pushing does not reach
// every agent.
var Hand = op.Spec[HandRequest, HandResponse]{
	ID: "message.hand",
	Doc: "Give the messages that a hook of the caller's agent shows it: what was pushed 10 seconds ago or more and is not known to have been seen, " +
		"and what waits and may disturb it now. Ids of messages that its transcript holds count as seen. Hooks call it.",
}

// HandRequest tells what the hook saw.
type HandRequest struct {
	Shown   []string `json:"shown,omitempty" jsonschema:"ids of pushed messages that the agent's transcript holds: they count as seen"`
	Take    bool     `json:"take,omitempty" jsonschema:"whether the hook can show messages; else it only tells what was seen"`
	Turn    bool     `json:"turn,omitempty" jsonschema:"whether the agent is between two turns, and so as good as idle"`
	Channel bool     `json:"channel,omitempty" jsonschema:"whether pushes were seen to reach the agent: what waits is left to them"`
}

// HandResponse has what is to be shown, oldest first.
type HandResponse struct {
	Messages []Received `json:"messages"`
	// More counts what is left for the next hook.
	More int `json:"more,omitempty"`
	// Seen counts what Shown newly proved.
	Seen int `json:"seen,omitempty"`
}

// Report names what is to be confirmed once the response was written.
func (r HandResponse) Report() (id string, request any) {
	return CheckResponse{Messages: r.Messages}.Report()
}

// Text has the messages with a rule between them.
func (r HandResponse) Text() string {
	return CheckResponse{Messages: r.Messages, More: r.More}.Text()
}

const (
	// proofTime is how long a push may take to show up in a transcript.
	proofTime = 10 * time.Second
	// handBytes is about how much a hook shows at once: agents put longer texts aside.
	handBytes = 8 << 10
	// handMost is how many messages that may be.
	handMost = 20
)

// recent remembers what was offered in the last ten seconds, by the node's age.
type recent struct {
	since time.Duration // when it began to

	mu sync.Mutex // guards at
	at map[inbox.Key]time.Duration
}

func newRecent(age time.Duration) *recent {
	return &recent{since: age, at: make(map[inbox.Key]time.Duration)}
}

// offered notes that an entry is offered now.
func (r *recent) offered(k inbox.Key, age time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, at := range r.at {
		if age-at >= proofTime {
			delete(r.at, other)
		}
	}
	r.at[k] = age
}

// over tells whether an entry was offered ten seconds ago or earlier.
func (r *recent) over(k inbox.Key, age time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[k]
	if !ok {
		at = r.since // earlier, or long enough ago to be forgotten
	}
	return age-at >= proofTime
}

// handed is what one Hand finds and does.
type handed struct {
	in    HandRequest
	ids   []letter.ID
	age   time.Duration
	out   HandResponse
	size  int
	homes []outbox.Home
}

// hand performs Hand. Most hooks find nothing, and then nothing is written.
func (f *Feature) hand(ctx context.Context, c op.Caller, in HandRequest) (HandResponse, error) {
	none := HandResponse{Messages: []Received{}}
	if c.Session == "" {
		return none, op.Errorf(op.Denied, "only an agent's session is handed its messages").WithHint("`claudemesh inbox` shows yours")
	}
	if len(in.Shown) > checkMost {
		return none, op.Errorf(op.TooLarge, "%d ids, at most %d are taken", len(in.Shown), checkMost)
	}
	if in.Channel && f.cfg.Arrived != nil {
		f.cfg.Arrived(c.Session)
	}
	ids, err := parseIDs(in.Shown)
	if err != nil {
		return none, err
	}
	all, err := f.cfg.Sessions.Callers(c)
	if err != nil {
		return none, err
	}
	if any, err := f.anyToHand(in, ids, all); err != nil || !any {
		return none, err
	}
	var h *handed
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		h = &handed{in: in, ids: ids, age: f.age.now(), out: HandResponse{Messages: []Received{}}}
		for _, self := range all {
			if err := f.handAll(tx, h, self); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return none, fmt.Errorf("hand out messages: %w", err)
	}
	for _, home := range h.homes {
		f.courier.Wake(home)
	}
	return h.out, nil
}

// anyToHand tells whether there is something for one of the sessions, or proved by the
// ids that were shown.
func (f *Feature) anyToHand(in HandRequest, ids []letter.ID, all []Self) (any bool, err error) {
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		for _, self := range all {
			proved, give, err := f.handable(tx, &handed{in: in, ids: ids, age: f.age.now()}, self)
			if err != nil {
				return err
			}
			any = any || len(proved)+len(give) > 0
		}
		return nil
	})
	return any, err
}

func parseIDs(texts []string) ([]letter.ID, error) {
	var out []letter.ID
	for _, s := range texts {
		id, err := letter.ParseID(s)
		if err != nil {
			return nil, op.Errorf(op.Invalid, "%q is no message id: %w", s, err)
		}
		out = append(out, id)
	}
	return out, nil
}

// handable finds what the transcript proves, and what is to be given: pushed and not
// proved first, then what waits.
func (f *Feature) handable(tx *store.Tx, h *handed, self Self) (proved, give []inbox.Entry, err error) {
	in, r := inbox.In(tx), readerOf(self)
	pushed, err := in.Unconfirmed(r)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range pushed {
		switch {
		case slices.Contains(h.ids, e.ID):
			proved = append(proved, e)
		case h.in.Take && self.Mode != delivery.ModeOff && f.recent.over(e.Key, h.age):
			give = append(give, e)
		}
	}
	if !h.in.Take || h.in.Channel && self.Attached {
		return proved, give, nil
	}
	waiting, err := in.Waiting(r, h.age)
	for _, e := range waiting {
		if !e.Quiet && delivery.Gate(e.Priority, h.status(self), self.Mode, true) == delivery.Push {
			give = append(give, e)
		}
	}
	return proved, give, err
}

// status is what the gate goes by: between two turns a session is idle, unless it does
// not want to be disturbed.
func (h *handed) status(self Self) string {
	if h.in.Turn && self.Status == delivery.Working {
		return delivery.Idle
	}
	return self.Status
}

func (f *Feature) handAll(tx *store.Tx, h *handed, self Self) error {
	proved, give, err := f.handable(tx, h, self)
	if err != nil {
		return err
	}
	for _, e := range proved {
		if err := f.proved(tx, e, self, &h.out.Seen, &h.homes); err != nil {
			return err
		}
	}
	for _, e := range give {
		if err := f.handOne(tx, h, self, e); err != nil {
			return err
		}
	}
	return nil
}

// handOne gives one entry, if there is room for it. It is marked, so that no other hook
// gives it too; it is seen once the hook says that it wrote it.
func (f *Feature) handOne(tx *store.Tx, h *handed, self Self, e inbox.Entry) error {
	if h.out.More > 0 || len(h.out.Messages) >= handMost {
		h.out.More++
		return nil
	}
	in := inbox.In(tx)
	m, err := in.Text(e)
	if err != nil {
		return err
	}
	got := Received{Message: shown(e, m, self.Member), Mesh: self.Slug, MeshID: self.Mesh.String()}
	raw, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("encode message %s: %w", e.ID, err)
	}
	if h.size+len(raw) > handBytes && len(h.out.Messages) > 0 {
		h.out.More++
		return nil
	}
	if _, _, err := in.Happen(e, delivery.Pulled, self.Session, h.age); err != nil {
		return err
	}
	f.recent.offered(e.Key, h.age)
	if err := remember(tx, e, m, self.Session, f.cfg.Now(), h.age); err != nil {
		return err
	}
	h.size += len(raw)
	h.out.Messages = append(h.out.Messages, got)
	return nil
}

// proved marks an entry as seen and tells its sender.
func (f *Feature) proved(tx *store.Tx, e inbox.Entry, self Self, seen *int, homes *[]outbox.Home) error {
	e, changed, err := inbox.In(tx).Happen(e, delivery.Proved, self.Session, f.age.now())
	if err != nil || !changed {
		return err
	}
	*seen++
	queued, err := f.tellSeen(outbox.In(tx), e, self.Member)
	if err == nil && queued {
		*homes = append(*homes, outbox.Home{Mesh: e.Mesh, Member: e.Origin})
	}
	return err
}
