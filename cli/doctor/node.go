package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// lookAtStore reads the store where no node has it open; who has it open has looked.
func lookAtStore(ctx context.Context, x *exam) []Finding {
	e, ok := x.before(ctx)
	switch {
	case !ok:
		return one(fail("the store cannot be read in time").hint("is the folder on a network drive that is away, or the disk very slow?"))
	case e.running:
		return one(pass("a node has it open"))
	case e.store == nil:
		return one(pass("whole"))
	case errors.Is(e.store, fs.ErrNotExist):
		return one(pass("not there yet: the node makes it"))
	case errors.Is(e.store, store.ErrNewer):
		return one(fail("the store was written by a newer version: %v", e.store).
			hint("use that version (`claudemesh upgrade` or a second installation?), or put the copy that was made before in its place"))
	case errors.Is(e.store, store.ErrBroken):
		return one(fail("the store is broken: %v", e.store).
			hint("move %s away and put a copy in its place, as of `claudemesh restore`; without one you keep your keys and lose mail that is not delivered", x.in("node.db")))
	}
	return one(x.explained(e.store))
}

// socketIs is what is found at the socket's path.
type socketIs string

const (
	socketNone    socketIs = "none"
	socketAnswers socketIs = "answers"
	socketStale   socketIs = "stale"
	socketFile    socketIs = "file"
	socketForeign socketIs = "foreign"
	socketClosed  socketIs = "closed" // it is there and cannot be used
)

type socketState struct {
	is   socketIs
	user int
	err  error
}

func (x *exam) lookAtSocket(ctx context.Context) socketState {
	info, err := os.Lstat(x.Node.Socket)
	if errors.Is(err, fs.ErrNotExist) {
		return socketState{is: socketNone}
	}
	if err != nil {
		return socketState{is: socketClosed, err: err}
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return socketState{is: socketFile}
	}
	if user, known := x.System.Owner(info); known && user != x.System.User {
		return socketState{is: socketForeign, user: user}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	switch err := x.System.Dial(ctx, x.Node.Socket); {
	case err == nil:
		return socketState{is: socketAnswers}
	case probe.Refused(err):
		return socketState{is: socketStale}
	default:
		return socketState{is: socketClosed, err: err}
	}
}

// lookAtDoor tells of the socket as it was before a node was started.
func lookAtDoor(ctx context.Context, x *exam) []Finding {
	e, ok := x.before(ctx)
	if !ok {
		return one(fail("the socket cannot be looked at in time").hint("is the folder on a network drive that is away?"))
	}
	at := x.Node.Socket
	if e.foreign != nil {
		return one(x.explained(e.foreign))
	}
	switch s := e.socket; s.is {
	case socketNone:
		return one(pass("no node was listening at %s", at))
	case socketAnswers:
		return one(pass("%s", at))
	case socketStale:
		return one(warn("%s is stale: a node that is gone left it behind", at).
			hint("rm %s; the next node that starts takes it away as well", at).by(x.removeStale))
	case socketForeign:
		return one(fail("%s belongs to user %d, and you are %d: it is not your node", at, s.user, x.System.User).
			hint("find out who made it; then sudo rm %s, and start your own with `claudemesh node up`", at))
	case socketFile:
		return one(fail("there is a file in the place of the socket: %s", at).hint("move it away"))
	default:
		return one(fail("%s cannot be used: %v", at, s.err).
			hint("the folder and the socket must be yours; `claudemesh node down --force` ends a node that is stuck"))
	}
}

// removeStale removes the socket if still nobody listens, and if there is one: a node
// that has started meanwhile has made it anew.
func (x *exam) removeStale(ctx context.Context) (op.Phrase, error) {
	if x.lookAtSocket(ctx).is == socketStale {
		if err := os.Remove(x.Node.Socket); err != nil {
			return op.Phrase{}, err
		}
		return op.Phrasef("removed %s", x.Node.Socket), nil
	}
	return op.Word("the node that was started has made it anew"), nil
}

// lookAtNode asks the node who it is.
func lookAtNode(ctx context.Context, x *exam) []Finding {
	s, ok := x.node(ctx)
	switch {
	case !ok:
		return one(fail("no node answers in time").hint("`claudemesh node down --force` ends one that is stuck; `claudemesh node logs` tells what it did"))
	case s.err == nil && s.started:
		return one(pass("it was not running and was started: v%s, process %d", s.Version, s.PID))
	case s.err == nil:
		up := (time.Duration(s.UptimeMS) * time.Millisecond).Round(time.Second)
		return one(pass("it runs: v%s, process %d, up %s", s.Version, s.PID, up))
	case s.absent:
		return one(warn("no node runs, and the settings keep commands from starting one").hint("`claudemesh node up`, or the service that runs it"))
	case op.CodeOf(s.err) == op.Denied:
		return one(fail("the process that listens at the node's socket belongs to another user: %v", s.err).
			hint("find out who it is; then sudo rm %s, and start your own with `claudemesh node up`", x.Node.Socket))
	case op.CodeOf(s.err) == op.Unavailable && x.listens():
		who := op.Word("the node")
		if pid := x.Node.Listener(); pid > 1 {
			who = op.Phrasef("the node, process %d,", pid)
		}
		return one(fail("%s hangs: it does not answer", who).hint("`claudemesh node down --force` ends it; the next command starts a new one"))
	}
	return one(x.explained(s.err))
}

// explained is the finding of an error as the command line puts it.
func (x *exam) explained(err error) Finding {
	e := x.Node.Explain(err)
	if e.SaidHint == nil || e.SaidHint.String() != e.Hint {
		return fail("%v", e).hint("%s", op.Word(e.Hint))
	}
	return fail("%v", e).hint("%s", *e.SaidHint)
}

// listens tells whether anybody is at the socket.
func (x *exam) listens() bool { return x.lookAtSocket(x.ctx).is == socketAnswers }

// lookAtVersions compares the versions of all that runs.
func lookAtVersions(ctx context.Context, x *exam) []Finding {
	s, ok := x.node(ctx)
	if !ok || s.err != nil {
		return noNode(s.err)
	}
	var out []Finding
	if s.Version != x.Version {
		out = append(out, warn("the running node is v%s, this program v%s", s.Version, x.Version).
			hint("`claudemesh node down`; the next command starts the new one"))
	}
	if h, err := x.health(ctx); err == nil {
		for _, one := range h.Sessions {
			if one.Server != "" && one.Server != x.Version {
				out = append(out, warn("the MCP server of session %s is v%s, this program v%s", called(one), one.Server, x.Version).hint("restart that agent"))
			}
		}
	}
	if len(out) == 0 {
		return one(pass("node and program are both v%s", x.Version))
	}
	return out
}
