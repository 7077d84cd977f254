package netns

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Settings are those that a node has by default: it listens everywhere, looks for
// others on the local network, asks the router for a port, and is started by the
// first command that needs it.
var Settings = []string{"CLAUDEMESH_LISTEN=", "CLAUDEMESH_MDNS=", "CLAUDEMESH_PORTMAP=", "CLAUDEMESH_AUTOSTART="}

// First is how long after the start of a second person's first command, with an
// invite link and no node yet, it ended; the next one, that sends a message, ended;
// and that message was delivered.
type First struct{ Joined, Accepted, Delivered time.Duration }

// Meet has ana make a mesh and invite ben, who has nothing yet, and ben join and
// send a message: two commands.
func Meet(ctx context.Context, ana, ben *harness.Home) (f First, err error) {
	link, err := Invite(ctx, ana)
	if err != nil {
		return f, err
	}
	began := time.Now()
	if err := ben.JSON(ctx, &struct{}{}, "join", link, "--as", ben.Name); err != nil {
		return f, err
	}
	f.Joined = time.Since(began)
	var sent message.SendResponse
	if err := ben.JSON(ctx, &sent, "send", ana.Name, "hello"); err != nil {
		return f, err
	}
	f.Accepted = time.Since(began)
	if err := Delivered(ctx, ben, sent.ID); err != nil {
		return f, err
	}
	f.Delivered = time.Since(began)
	return f, nil
}

// Invite makes a mesh and a link into it.
func Invite(ctx context.Context, h *harness.Home) (link string, err error) {
	if err := h.JSON(ctx, &struct{}{}, "new", "atelier", "--as", h.Name); err != nil {
		return "", err
	}
	var out mesh.InviteResponse
	err = h.JSON(ctx, &out, "invite")
	return out.Link, err
}

// Delivered waits until the sender of a message has the receipt.
func Delivered(ctx context.Context, h *harness.Home, id string) error {
	return harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Status.Call(ctx, h.API(), op.Caller{}, message.StatusRequest{ID: id})
		if err != nil {
			return false, nil, err
		}
		return out.Delivered, out.Recipients[0].State, nil
	})
}

// Down ends a home's node, which a command has started and nobody waits for.
func Down(h *harness.Home) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	hello, err := h.API().Hello(ctx)
	if err != nil {
		return nil // none runs
	}
	failed := h.JSON(ctx, &struct{}{}, "node", "down")
	if failed == nil {
		return nil
	}
	return errors.Join(failed, kill(hello.PID))
}

// kill ends a process that does not end by itself.
func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}
