package hostile

import (
	"context"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// recorder is a modified client that holds everybody for a member, never hears of its own
// removal, and keeps what it is told.
type recorder struct {
	*renegade.Client
	mail   *post.Post       // nil: letters are recorded as they come
	tables *replica.Replica // nil: it has no records

	mu      sync.Mutex // guards what follows
	letters [][]byte   // frames of streams of letters, as they came
	shouted [][]byte   // what came by gossip, as it came
}

// turn makes a recorder of a node, which has ended. One that takes entries of the admin
// log has the keys that its member is given.
func turn(t *testing.T, n *nodetest.Node, takes bool) *recorder {
	t.Helper()
	return turned(t, n.Dir, n.Name, takes)
}

// turned makes a recorder of what a node left in its folder.
func turned(t *testing.T, dir, name string, takes bool) *recorder {
	t.Helper()
	r := new(recorder)
	r.Client = renegade.Turn(t, renegade.Config{Dir: dir, Name: name, Believes: true, Overhear: r.overhear})
	r.Mesh.Deaf.Store(!takes)
	r.Handle("post/1", 8, r.record)
	return r
}

// overhear keeps what is shouted, as it came.
func (r *recorder) overhear(payload []byte) gossip.Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shouted = append(r.shouted, append([]byte(nil), payload...))
	return gossip.Accept
}

// record keeps the frames of a stream of letters, as they come, and answers nothing.
func (r *recorder) record(_ context.Context, s *host.Stream) {
	for conn := wire.NewConn(s); ; {
		frame, err := conn.ReadFrame(wire.MaxFrame)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.letters = append(r.letters, frame)
		r.mu.Unlock()
	}
}

// posted are the frames of letters that came.
func (r *recorder) posted() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.letters...)
}

// heard are the payloads that came by gossip.
func (r *recorder) heard() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.shouted...)
}
