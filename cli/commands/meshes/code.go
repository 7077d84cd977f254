package meshes

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// inviteByCode makes a spoken invite and, for a person, waits until something has
// become of it. A document is written at once: the node keeps the code.
func (a *app) inviteByCode(ctx context.Context, in mesh.InviteRequest) error {
	out, err := run.Call(ctx, a.App, mesh.Code, in)
	if err != nil {
		return err
	}
	a.Used(a.Mesh)
	if a.Term.IsDocument() {
		return a.Term.JSON(out)
	}
	a.printCode(out)
	if a.Quiet {
		return nil
	}
	return a.awaitCode(ctx, out.Plate)
}

func (a *app) printCode(c mesh.CodeResponse) {
	a.Term.Bare(c.Code)
	a.Term.Note("%s For one person on this network, as %s of %s, for the next 10 minutes.", term.Green(term.OK), c.Role, term.Bold(c.Mesh))
	a.Term.Note("%s They run %s. One wrong guess ends the code.", term.To, term.Cyan("claudemesh join "+c.Code))
	if at := dialled(c.Addresses); at != "" {
		a.Term.Note("  If that finds nobody: %s", term.Cyan("claudemesh join "+c.Code+" --at "+at))
	}
}

// dialled is the first address that can be given as HOST:PORT, one of the network
// before one of this machine.
func dialled(addrs []string) (at string) {
	for _, text := range addrs {
		m, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			continue
		}
		ip, err1 := m.ValueForProtocol(multiaddr.P_IP4)
		port, err2 := m.ValueForProtocol(multiaddr.P_TCP)
		if err1 != nil || err2 != nil {
			continue
		}
		if one := net.JoinHostPort(ip, port); at == "" || strings.HasPrefix(at, "127.") {
			at = one
		}
	}
	return at
}

// awaitCode waits until a code has been used or is over. Whoever interrupts it ends
// the code.
func (a *app) awaitCode(ctx context.Context, plate int) error {
	defer a.Term.Progress("waiting for somebody to use it; Ctrl-C ends it")()
	for known := "waiting"; ; {
		client, err := a.Connect(ctx)
		if err != nil {
			return err
		}
		out, err := mesh.CodeWait.Call(ctx, client, op.Caller{}, mesh.CodeWaitRequest{Plate: plate, Known: known})
		switch {
		case ctx.Err() != nil:
			a.endCode(ctx, plate)
			return ctx.Err()
		case op.CodeOf(err) == op.NotFound:
			return op.Errorf(op.Expired, "the node was restarted, which ends its codes").WithHint("run `claudemesh invite --code` again")
		case err != nil:
			return err
		}
		switch known = out.Outcome; known {
		case "joined":
			a.Term.Line("%s %s has joined.", term.Green(term.OK), term.Bold(out.Member))
			return nil
		case "burnt":
			return op.Errorf(op.Denied, "somebody tried a wrong code: it is void now").WithHint("run `claudemesh invite --code` for a new one, and speak it again")
		case "expired":
			return op.Errorf(op.Expired, "nobody used the code in time").WithHint("run `claudemesh invite --code` for a new one")
		case "withdrawn":
			return op.Errorf(op.Conflict, "the code was ended").WithHint("run `claudemesh invite --code` for a new one")
		case "given":
			if out.LeftMS == 0 {
				return op.Errorf(op.Expired, "the code was used, but nobody has joined").WithHint("run `claudemesh invite --code` for a new one")
			}
		}
	}
}

// endCode withdraws a code after the command was interrupted.
func (a *app) endCode(ctx context.Context, plate int) {
	const patient = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patient)
	defer cancel()
	client, err := a.Connect(ctx)
	if err == nil {
		_, err = mesh.CodeEnd.Call(ctx, client, op.Caller{}, mesh.CodeEndRequest{Plate: plate})
	}
	if err != nil {
		a.Term.Warn("The code could not be ended; it is over by itself within 10 minutes.")
	}
}
