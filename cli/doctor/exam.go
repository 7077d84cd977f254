package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/store"
)

// Node is how the node of the folder is reached.
type Node struct {
	// Socket is where it listens.
	Socket string
	// Hello asks it who it is; Absent tells whether an error of Hello, or of Start, says
	// that nobody listens.
	Hello  func(context.Context) (local.Hello, error)
	Absent func(error) bool
	// Start makes sure that one runs, as every command does; Manual: no command starts
	// one.
	Start  func(context.Context) error
	Manual bool
	// Explain puts an error into words: what is wrong, and as its hint what to do.
	Explain func(error) *op.Error
	// Listener is the process behind the socket, 0 if that is not known; Foreign is an error
	// if it is certainly no node.
	Listener func() int
	Foreign  func() error
	// Doer asks it in the person's name.
	Doer op.Doer
	// Unfinished lists folders of restores that were killed before anything was put in place,
	// Forget removes them. Both may be nil.
	Unfinished func() ([]string, error)
	Forget     func() error
	// Store says whether a node could open the folder's store; Key tries the node's key.
	Store func() error
	Key   func() (id string, err error)
}

const (
	// helloTime is how long a node may take to say who it is.
	helloTime = 2500 * time.Millisecond
	// startTime is how long a node may take to start.
	startTime = 5 * time.Second
	// askTime is how long it may take to answer a question.
	askTime = 3 * time.Second
)

// exam is what the checks of one run share: each fact is found out once.
type exam struct {
	Env
	ctx  context.Context // ends with the time for all checks
	work sync.WaitGroup

	earlier   once[earlier]
	nodes     once[nodeState]
	healths   once[answer[health.ShowResponse]]
	lists     once[answer[mesh.ListResponse]]
	claudes   once[setup.Claude]
	processes once[[]probe.Process]
	installs  map[string]*sync.Once // by agent
	installed map[string]error
	mu        sync.Mutex // guards the two
}

func newExam(ctx context.Context, env Env) *exam {
	return &exam{Env: env, ctx: ctx, installs: make(map[string]*sync.Once), installed: make(map[string]error)}
}

// wait gives what was begun a moment to end.
func (x *exam) wait() {
	done := make(chan struct{})
	go func() { x.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace):
	}
}

// earlier is what was so before a node was started, which puts some of it right.
type earlier struct {
	modes  []Finding
	socket socketState
	// foreign is why what listens at the socket is no node.
	foreign error
	// store is why a node could not open the store; running: it was not looked at.
	store   error
	running bool
}

// before looks at what a starting node changes.
func (x *exam) before(ctx context.Context) (earlier, bool) {
	return x.earlier.get(ctx, x, func() earlier {
		e := earlier{modes: x.lookAtModes(), socket: x.lookAtSocket(x.ctx)}
		if e.socket.is == socketAnswers {
			e.foreign = x.Node.Foreign()
		}
		if e.running = e.socket.is == socketAnswers && e.foreign == nil; !e.running {
			e.store = x.Node.Store()
			// Somebody has it open who does not listen yet.
			e.running = errors.Is(e.store, store.ErrLocked)
		}
		return e
	})
}

// nodeState is what is known of the node.
type nodeState struct {
	local.Hello
	// err is why none answers; absent: nobody listens, started: one was started now.
	err             error
	absent, started bool
}

// node asks the node who it is, and starts one if there is none.
func (x *exam) node(ctx context.Context) (nodeState, bool) {
	return x.nodes.get(ctx, x, func() nodeState {
		if _, ok := x.before(x.ctx); !ok {
			return nodeState{err: x.ctx.Err()}
		}
		s := x.hello()
		if s.err == nil || !s.absent || x.Node.Manual {
			return s
		}
		ctx, cancel := context.WithTimeout(x.ctx, startTime)
		defer cancel()
		if err := x.Node.Start(ctx); err != nil {
			return nodeState{err: err}
		}
		s = x.hello()
		s.started = true
		return s
	})
}

func (x *exam) hello() (s nodeState) {
	ctx, cancel := context.WithTimeout(x.ctx, helloTime)
	defer cancel()
	s.Hello, s.err = x.Node.Hello(ctx)
	if foreign := x.Node.Foreign(); s.err != nil && foreign != nil {
		s.err = foreign
	}
	s.absent = s.err != nil && x.Node.Absent(s.err)
	return s
}

// answer is what the node answered.
type answer[T any] struct {
	out T
	err error
}

// ask asks the node for an operation.
func ask[In, Out any](ctx context.Context, x *exam, spec op.Spec[In, Out], in In) (out Out, err error) {
	s, ok := x.node(ctx)
	switch {
	case !ok:
		return out, ctx.Err()
	case s.err != nil:
		return out, s.err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return spec.Call(ctx, x.Node.Doer, op.Caller{}, in)
}

// health is what the node tells of itself.
func (x *exam) health(ctx context.Context) (health.ShowResponse, error) {
	a, ok := x.healths.get(ctx, x, func() (a answer[health.ShowResponse]) {
		a.out, a.err = ask(x.ctx, x, health.Show, health.ShowRequest{})
		return a
	})
	if !ok {
		return a.out, ctx.Err()
	}
	return a.out, a.err
}

// meshes are those of the node.
func (x *exam) meshes(ctx context.Context) (mesh.ListResponse, error) {
	a, ok := x.lists.get(ctx, x, func() (a answer[mesh.ListResponse]) {
		a.out, a.err = ask(x.ctx, x, mesh.List, mesh.ListRequest{})
		return a
	})
	if !ok {
		return a.out, ctx.Err()
	}
	return a.out, a.err
}

// active are the meshes in which something happens here.
func active(l mesh.ListResponse) (out []mesh.Info) {
	for _, m := range l.Meshes {
		if m.Removed == nil && m.Elsewhere == nil {
			out = append(out, m)
		}
	}
	return out
}

// running are the processes of this user.
func (x *exam) running(ctx context.Context) []probe.Process {
	all, _ := x.processes.get(ctx, x, x.System.Processes)
	return all
}

// claude is what the settings of Claude Code hold.
func (x *exam) claude(ctx context.Context) (setup.Claude, bool) {
	return x.claudes.get(ctx, x, x.Setup.Claude)
}

// noNode is the finding of a check that needs a node and got none.
func noNode(err error) []Finding {
	if op.CodeOf(err) == op.NotFound {
		return one(skip("the running node is too old to tell").hint("`claudemesh node down` ends it; the next command starts the new one"))
	}
	return one(skip("no node answers"))
}

// exists tells whether there is something at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// in is a path in the claudemesh folder.
func (x *exam) in(name ...string) string {
	return filepath.Join(append([]string{x.Dir}, name...)...)
}
