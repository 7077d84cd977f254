package health

import (
	"context"
	"sync"

	"github.com/claudemesh/claudemesh/node/op"
)

// Node is what is asked for the facts.
type Node interface {
	// Self is what stays as it is while the node runs: peer, user and program.
	Self() ShowResponse
	// Network tells of the ports and the local network.
	Network() ([]Port, LAN)
	// Meshes and Sessions list them. Of a session Arrived and Speech are left empty.
	Meshes() []Mesh
	Sessions() []Session
}

// maxSessions bounds for how many sessions reports are kept.
const maxSessions = 512

// maxWord is how much of a reported text is kept, in bytes.
const maxWord = 128

// Feature tells how the node is. It is safe for concurrent use. A nil Feature can list
// its operations and takes no note of anything.
type Feature struct {
	node Node

	mu       sync.Mutex // guards what follows, by session
	speeches map[string]Speech
	arrived  map[string]bool
}

// New builds the feature.
func New(node Node) *Feature {
	return &Feature{node: node, speeches: make(map[string]Speech), arrived: make(map[string]bool)}
}

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{Show.Bind(f.answerShow), Speak.Bind(f.answerSpeak)}
}

func (f *Feature) answerShow(context.Context, op.Caller, ShowRequest) (ShowResponse, error) {
	out := f.node.Self()
	out.Ports, out.LAN = f.node.Network()
	out.Meshes = append([]Mesh{}, f.node.Meshes()...)
	out.Sessions = []Session{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.node.Sessions() {
		s.Speech, s.Arrived = f.speeches[s.ID], f.arrived[s.ID]
		out.Sessions = append(out.Sessions, s)
	}
	return out, nil
}

func (f *Feature) answerSpeak(_ context.Context, c op.Caller, in SpeakRequest) (SpeakResponse, error) {
	if c.Session == "" {
		return SpeakResponse{}, op.Errorf(op.Denied, "only a session tells what it speaks").WithHint("its MCP server does")
	}
	for _, text := range []*string{&in.Protocol, &in.Client, &in.Server} {
		*text = (*text)[:min(len(*text), maxWord)]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.speeches[c.Session]; !known && len(f.speeches) >= maxSessions {
		clear(f.speeches) // of sessions long gone; the others tell again when they are opened
	}
	f.speeches[c.Session] = in.Speech
	return SpeakResponse{}, nil
}

// Arrived notes that pushed messages were seen to reach a session.
func (f *Feature) Arrived(session string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.arrived) >= maxSessions {
		clear(f.arrived)
	}
	f.arrived[session] = true
}
