package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxPayload is the largest payload, 128 KiB.
const MaxPayload = 128 << 10

const (
	topicName    = "mesh" // the one topic; only members of the mesh ever see it
	maxStreams   = 4      // of one inner protocol from one peer: one, and those it replaces
	openRetry    = 10 * time.Millisecond
	openRetryMax = 2 * time.Second
	repairAfter  = time.Second
	settleFor    = 2 * time.Second        // how long a new peer counts as just proved
	settleWait   = 100 * time.Millisecond // how long a shout waits for one
	heartbeat    = 200 * time.Millisecond // after it others' messages are passed on to a new peer
	lazy         = 2                      // neighbours told at each what they may have missed
	frugal       = 16 << 10               // from this size on it is worth telling that a payload has come
	credit       = 50                     // score to lose before a neighbour is avoided
	concurrency  = 256                    // handlers at once
)

// Verdict is what a handler makes of a payload.
type Verdict int

// Verdicts.
const (
	Accept Verdict = iota // good: pass it on
	Ignore                // not for us to judge, or no longer of use: do not pass it on
	Reject                // forged or malformed: do not pass it on, and mind who did
)

// Router is one mesh's gossip.
type Router struct {
	h    Host
	mesh ident.MeshID
	view *view

	handler atomic.Pointer[func(peer.ID, []byte) Verdict]
	started chan struct{} // closed when topic is set
	ended   chan struct{} // closed when Run returns
	topic   *pubsub.Topic

	mu         sync.Mutex // guards subscribed
	subscribed map[peer.ID]bool
}

// New prepares the router of a mesh. It sends and hears nothing before Run.
func New(h Host, mesh ident.MeshID) (*Router, error) {
	v, err := newView(h, mesh, []protocol.ID{pubsub.GossipSubID_v12, pubsub.GossipSubID_v11})
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	return &Router{
		h: h, mesh: mesh, view: v,
		started: make(chan struct{}), ended: make(chan struct{}), subscribed: map[peer.ID]bool{},
	}, nil
}

// Handle makes fn judge every payload others shout, before it is passed on; from is the neighbour it
// came through, not who wrote it. fn is called once per payload, from many goroutines, up to 256 at
// once; beyond that payloads are lost, so it should be quick. It must not keep or change payload.
// Without a handler everything is ignored.
func (r *Router) Handle(fn func(from peer.ID, payload []byte) Verdict) { r.handler.Store(&fn) }

// Run lives until ctx ends. It runs once.
func (r *Router) Run(ctx context.Context) error {
	defer close(r.ended)
	defer r.view.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	topic, err := r.join(ctx)
	if err == nil {
		err = r.live(ctx, topic)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// join starts pubsub, which ends with ctx.
func (r *Router) join(ctx context.Context) (*pubsub.Topic, error) {
	ps, err := pubsub.NewGossipSub(ctx, r.view, r.options()...)
	if err != nil {
		return nil, fmt.Errorf("gossip: router: %w", err)
	}
	if err := ps.RegisterTopicValidator(topicName, r.validate, pubsub.WithValidatorConcurrency(concurrency)); err != nil {
		return nil, fmt.Errorf("gossip: validator: %w", err)
	}
	topic, err := ps.Join(topicName)
	if err != nil {
		return nil, fmt.Errorf("gossip: topic: %w", err)
	}
	return topic, nil
}

// live follows the host's peers and the topic's until ctx ends.
func (r *Router) live(ctx context.Context, topic *pubsub.Topic) error {
	events, err := topic.EventHandler()
	if err != nil {
		return fmt.Errorf("gossip: topic events: %w", err)
	}
	defer events.Cancel()
	// Relay subscribes without a queue to drain: payloads are taken where they are judged.
	unrelay, err := topic.Relay()
	if err != nil {
		return fmt.Errorf("gossip: subscribe: %w", err)
	}
	defer unrelay()
	r.topic = topic
	close(r.started)
	defer r.h.Watch(r.mesh, r.view.watch)()

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.follow(ctx, events) })
	t := time.NewTicker(repairAfter)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			r.view.repair()
		}
	}
}

// follow keeps track of who has subscribed.
func (r *Router) follow(ctx context.Context, events *pubsub.TopicEventHandler) {
	for {
		e, err := events.NextPeerEvent(ctx)
		if err != nil {
			return
		}
		r.mu.Lock()
		if e.Type == pubsub.PeerJoin {
			r.subscribed[e.Peer] = true
		} else {
			delete(r.subscribed, e.Peer)
		}
		r.mu.Unlock()
		r.view.mu.Lock()
		r.view.broadcast()
		r.view.mu.Unlock()
	}
}

func (r *Router) options() []pubsub.Option {
	params := pubsub.DefaultGossipSubParams()
	params.HeartbeatInterval = heartbeat
	params.HistoryLength, params.HistoryGossip = 30, 15 // 6 s and 3 s of heartbeats
	// What a neighbour may have missed is told to few at each heartbeat: there are many of them.
	params.Dlazy, params.GossipFactor = lazy, 0
	params.IDontWantMessageThreshold = frugal
	return []pubsub.Option{
		pubsub.WithGossipSubParams(params),
		pubsub.WithGossipSubProtocols(r.view.protos, pubsub.GossipSubDefaultFeatures),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithFloodPublish(true),
		pubsub.WithMaxMessageSize(MaxPayload + 64<<10),
		pubsub.WithPeerOutboundQueueSize(512),
		pubsub.WithValidateQueueSize(512),
		pubsub.WithPeerScore(score()),
		pubsub.WithLogger(slog.New(slog.DiscardHandler)),
	}
}

func messageID(m *pb.Message) string {
	sum := sha256.Sum256(m.GetData())
	return string(sum[:])
}

// score minds nothing but invalid messages: after three within a few seconds messages are not passed
// along that neighbour any more, after five it is not listened to until they have decayed.
func score() (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	topic := &pubsub.TopicScoreParams{
		SkipAtomicValidation: true, TopicWeight: 1, TimeInMeshQuantum: time.Second,
		InvalidMessageDeliveriesWeight: -10, InvalidMessageDeliveriesDecay: 0.8,
	}
	return &pubsub.PeerScoreParams{
			SkipAtomicValidation: true,
			Topics:               map[string]*pubsub.TopicScoreParams{topicName: topic},
			AppSpecificScore:     func(peer.ID) float64 { return credit },
			AppSpecificWeight:    1,
			DecayInterval:        time.Second, DecayToZero: 0.1, RetainScore: time.Minute,
		}, &pubsub.PeerScoreThresholds{
			SkipAtomicValidation: true,
			GossipThreshold:      -50, PublishThreshold: -100, GraylistThreshold: -200,
		}
}

func (r *Router) validate(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == r.h.ID() {
		return pubsub.ValidationAccept
	}
	fn := r.handler.Load()
	switch {
	case len(m.Data) > MaxPayload:
		return pubsub.ValidationReject
	case fn == nil:
		return pubsub.ValidationIgnore
	}
	switch (*fn)(from, m.Data) {
	case Accept:
		return pubsub.ValidationAccept
	case Reject:
		return pubsub.ValidationReject
	default:
		return pubsub.ValidationIgnore
	}
}

// Shout sends payload to all members that can be reached, at most MaxPayload. It returns when it is on
// its way to the neighbours, of whom there may be none. For a peer proved within the last two seconds
// it waits up to 100 ms, so that what is shouted at meeting is heard.
func (r *Router) Shout(ctx context.Context, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	select {
	case <-r.started:
	case <-r.ended:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	r.settle(ctx)
	if err := r.topic.Publish(ctx, payload); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			return ErrStopped
		}
		return fmt.Errorf("gossip: shout: %w", err)
	}
	return nil
}

// settle waits for just proved peers to hear us.
func (r *Router) settle(ctx context.Context) {
	var late <-chan time.Time
	for {
		changed, settled := r.settled()
		if settled {
			return
		}
		if late == nil {
			t := time.NewTimer(settleWait)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-changed:
		case <-late:
			return
		case <-r.ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *Router) settled() (changed <-chan struct{}, settled bool) {
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	for p, c := range r.view.proved {
		if time.Since(c.since) < settleFor && !r.hears(p, c) {
			return r.view.changed, false
		}
	}
	return nil, true
}

// hears needs view.mu: p has subscribed and we have a stream to it.
func (r *Router) hears(p peer.ID, c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscribed[p] && c.outgoing()
}

// Peers returns the neighbours that hear us: proved, subscribed, with a stream to them.
func (r *Router) Peers() []peer.ID {
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	var out []peer.ID
	for p, c := range r.view.proved {
		if r.hears(p, c) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Wait waits until p hears us.
func (r *Router) Wait(ctx context.Context, p peer.ID) error {
	for {
		r.view.mu.Lock()
		c, changed := r.view.proved[p], r.view.changed
		heard := c != nil && r.hears(p, c)
		r.view.mu.Unlock()
		if heard {
			return nil
		}
		select {
		case <-changed:
		case <-r.ended:
			return ErrStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
