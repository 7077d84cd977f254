package overview

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Bounds of a ping. With all of them it ends before a tool's call or a command gives up:
// who does not answer must not hide those who do.
const (
	maxPinged  = 32 // members
	atOnce     = 8
	answerTime = 3 * time.Second
	allTime    = 8 * time.Second
)

// defaults are the priorities that are measured when none is named.
var defaults = []Priority{Now, Next}

func (f *Feature) answerPing(ctx context.Context, c op.Caller, in PingRequest) (PingResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return PingResponse{}, err
	}
	waiting, err := f.cfg.Stock.Waiting(self.Mesh.ID)
	if err != nil {
		return PingResponse{}, err
	}
	out := PingResponse{
		Slug: self.Mesh.Slug, ID: self.Mesh.ID.String(), Name: self.Name, Status: self.Status, Buffered: waiting,
		Priorities: []Trips{},
		Pipeline: Pipeline{
			Attached: self.Attached, Mode: self.Mode, Notifications: self.Attached && self.Mode != "off" && !self.Person,
		},
	}
	for _, p := range f.cfg.Sessions.Peers(self.Mesh.ID) {
		if p.Online && p.Member != self.Mesh.Self {
			out.Online++
		}
	}
	members, connection := f.there(self.Mesh)
	out.Connection = connection
	for _, p := range members {
		if p.Online {
			out.Members++
		}
	}
	ctx, cancel := context.WithTimeout(ctx, allTime)
	defer cancel()
	if len(members) > maxPinged {
		out.Skipped, members = len(members)-maxPinged, members[:maxPinged]
	}
	for _, p := range wanted(in.Priorities) {
		out.Priorities = append(out.Priorities, Trips{Priority: p, Held: held(p, []Self{self}), Trips: f.trips(ctx, self.Mesh.ID, members, p)})
	}
	return out, nil
}

// wanted are the priorities to measure, each once.
func wanted(in []Priority) []Priority {
	if len(in) == 0 {
		return defaults
	}
	var out []Priority
	for _, p := range in {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// way is a member and how its node is reached.
type way struct {
	Member
	path string
}

// there are the other members who are connected or online, and whether any is connected.
func (f *Feature) there(m Mesh) (ways []way, connection string) {
	connection = empty
	for _, one := range f.cfg.Meshes.Members(m.ID) {
		if one.Key == m.Self {
			continue
		}
		path := f.cfg.Air.Path(m.ID, one.Key)
		switch {
		case path != unreachable:
			connection = connected
		case connection == empty:
			connection = alone
		}
		if path != unreachable || one.Online {
			ways = append(ways, way{one, path})
		}
	}
	return ways, connection
}

// What a ping says of the connection to the others.
const (
	connected = "connected"
	alone     = "alone" // no other member's node is reached
	empty     = "empty" // there is no other member
)

// unreachable is the path to a node that is not connected.
const unreachable = "unreachable"

// trips measures the round trips to the members, a few at a time.
func (f *Feature) trips(ctx context.Context, mesh ident.MeshID, members []way, p Priority) []Trip {
	out := make([]Trip, len(members))
	turns := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, m := range members {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			out[i] = f.trip(ctx, mesh, m, p)
		})
	}
	wg.Wait()
	return out
}

// trip measures one.
func (f *Feature) trip(ctx context.Context, mesh ident.MeshID, m way, p Priority) Trip {
	out := Trip{Name: m.Name, Member: m.Key.String(), Path: m.path}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	began := f.cfg.Mono()
	got, err := f.cfg.Air.Probe(ctx, mesh, m.Key, ProbeRequest{Priority: p})
	took := f.cfg.Mono() - began
	if err != nil {
		e := op.AsError(err)
		out.Error, out.Code = e.Message, string(e.Code)
		return out
	}
	out.MS = max(float64(took.Microseconds())/1000, 0.001)
	if reasons[got.Held] {
		out.Held = got.Held
	}
	return out
}

// answerProbe tells another member what a message would meet here. It says no more
// than presence does: hidden sessions count like none.
func (f *Feature) answerProbe(_ context.Context, c op.Caller, in ProbeRequest) (ProbeResponse, error) {
	mesh, err := ident.ParseMeshID(c.Mesh)
	if err != nil {
		return ProbeResponse{}, op.Errorf(op.Invalid, "mesh id: %w", err)
	}
	var open []Self
	for _, s := range f.cfg.Sessions.Local(mesh) {
		if s.Visible {
			open = append(open, s)
		}
	}
	return ProbeResponse{Held: held(in.Priority, open)}, nil
}

// The reasons for which a message waits. Another node's answer is shown only if it is
// one of them.
const (
	noSession = "no session is open"
	pulled    = "messages are not pushed, but read from the inbox"
	detached  = "its agent does not listen now"
	working   = "working: only the priority now is shown"
	undisturb = "do not disturb: only the priority now is shown"
)

var reasons = map[string]bool{noSession: true, pulled: true, detached: true, working: true, undisturb: true}

// held says why none of the sessions would be shown a message of priority p now;
// empty: one of them would be.
func held(p Priority, sessions []Self) string {
	reason := noSession
	for _, s := range sessions {
		switch {
		case s.Mode != "push" || s.Person:
			reason = pulled
		case !s.Attached:
			reason = detached
		case p == Now || s.Status == "idle":
			return ""
		case s.Status == "dnd":
			reason = undisturb
		default:
			reason = working
		}
	}
	return reason
}
