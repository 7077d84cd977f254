package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/powercut"
)

// The power is cut while messages flow from ana to bo. One of the two has the
// folder whose power is cut.

const (
	envPrepared = "CLAUDEMESH_E2E_PREPARED" // folder with the two homes' folders
	envPorts    = "CLAUDEMESH_E2E_PORTS"
	stream      = 150 // messages
	atOnce      = 12  // of them on their way
	ahead       = 4   // messages by which the control acknowledges too early
)

// What is acknowledged: ana has it (sent), bo has it (delivered), bo was shown it.
const (
	ackSent      = "sent "
	ackDelivered = "delivered "
	ackShown     = "shown "
)

// errLost is why a check refused an image.
var errLost = errors.New("lost")

// children are the processes in which nodes run on the recording file system.
var children = map[string]func(dir string) error{
	"recipient":        func(dir string) error { return cutChild(dir, boName, cutOptions{}) },
	"recipient-early":  func(dir string) error { return cutChild(dir, boName, cutOptions{early: true}) },
	"recipient-nosync": func(dir string) error { return cutChild(dir, boName, cutOptions{noSync: true}) },
	"sender":           func(dir string) error { return cutChild(dir, anaName, cutOptions{}) },
	"sender-early":     func(dir string) error { return cutChild(dir, anaName, cutOptions{early: true}) },
	"sender-nosync":    func(dir string) error { return cutChild(dir, anaName, cutOptions{noSync: true}) },
}

// prepared is a mesh of two whose nodes are stopped.
type prepared struct {
	dir   string
	ports [2]int
}

// prepare makes the mesh once for all children.
func prepare(t *testing.T) prepared {
	t.Helper()
	ctx := within(t, 30*time.Second)
	w, ana, bo := pair(ctx, t)
	p := prepared{dir: t.TempDir(), ports: [2]int{ana.Port, bo.Port}}
	for _, h := range []*harness.Home{ana, bo} {
		if err := h.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if err := copyFolder(h.Dir, filepath.Join(p.dir, h.Name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p prepared) child(name string) powercut.Config {
	return powercut.Config{
		Child: powercut.Self(name,
			harness.EnvBin+"="+bin, envPrepared+"="+p.dir, fmt.Sprintf("%s=%d,%d", envPorts, p.ports[0], p.ports[1])),
		Timeout: time.Minute,
		Cuts:    24,
		Seed:    1,
	}
}

func TestPowerCuts(t *testing.T) {
	p := prepare(t)
	for _, who := range []string{"recipient", "sender"} {
		t.Run(who, func(t *testing.T) {
			cfg := p.child(who)
			cfg.Seed = seed(t)
			if os.Getenv("CLAUDEMESH_LONG") == "1" {
				cfg.Cuts = 200
			}
			cfg.Check = p.check(t, who, 12*time.Second)
			r := powercut.Run(t, cfg)
			if r.Exit != nil || !answered(r.Acks, who) {
				t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
			}
			t.Logf("%d operations on the disk, %d acknowledgements, %d cuts", r.Events, len(r.Acks), r.Cuts)
		})
		for _, control := range []string{"early", "nosync"} {
			t.Run(who+" control "+control, func(t *testing.T) {
				cfg := p.child(who + "-" + control)
				cfg.Cuts = 12
				cfg.Check = p.check(t, who, 0)
				r := powercut.Survey(t, cfg)
				if r.Exit != nil || !answered(r.Acks, who) {
					t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
				}
				// A store that never syncs is found damaged or without messages.
				caught := len(r.Failures)
				t.Logf("%d of %d cuts caught it", caught, r.Cuts)
				if 2*caught < r.Cuts {
					for _, f := range r.Failures {
						t.Logf("%s: %v", f.Cut, f.Err)
					}
					t.Error("that is not enough")
				}
			})
		}
	}
}

// answered tells whether a child got through its messages.
func answered(acks []string, who string) bool {
	want := map[string]string{"recipient": ackDelivered, "sender": ackSent}[who]
	return len(marked(acks, want)) == stream
}

// marked lists the ids that were acknowledged as that.
func marked(acks []string, mark string) []string {
	var ids []string
	for _, a := range acks {
		if id, ok := strings.CutPrefix(a, mark); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// cutOptions make a child a control.
type cutOptions struct {
	early  bool // acknowledge first
	noSync bool // let syncs do nothing
}

// cutChild runs both nodes, the folder of one of them in dir, and sends.
func cutChild(dir, who string, o cutOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	w, err := harness.New(harness.Config{Bin: os.Getenv(harness.EnvBin)})
	if err != nil {
		return err
	}
	homes := map[string]*harness.Home{}
	ports := strings.Split(os.Getenv(envPorts), ",")
	for i, name := range []string{anaName, boName} {
		at := filepath.Join(w.Root(), "at-"+name)
		if name == who {
			at = filepath.Join(dir, name)
		}
		port, err := strconv.Atoi(ports[i])
		if err != nil {
			return err
		}
		if err := copyFolder(filepath.Join(os.Getenv(envPrepared), name), at); err != nil {
			return err
		}
		if homes[name], err = w.HomeWith(harness.HomeConfig{Name: name, Dir: at, Port: port}); err != nil {
			return err
		}
	}
	if o.noSync {
		if err := ignoreSyncs(); err != nil {
			return err
		}
	}
	c := &cutStream{dir: dir, early: o.early, ana: homes[anaName], bo: homes[boName], random: rand.New(rand.NewPCG(1, 1))}
	for range stream {
		c.ids = append(c.ids, newID(c.random))
	}
	for _, h := range homes {
		if err := h.Start(ctx); err != nil {
			return err
		}
	}
	err = c.run(ctx)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, w.Logs())
	}
	return errors.Join(err, w.Close())
}

// cutStream sends messages and acknowledges what was promised.
type cutStream struct {
	dir     string
	early   bool
	ana, bo *harness.Home
	random  *rand.Rand
	ids     []string // of all messages
}

func (c *cutStream) run(ctx context.Context) error {
	var open []string
	for n := range c.ids {
		if err := c.send(ctx, n); err != nil {
			return err
		}
		open = append(open, c.ids[n])
		for len(open) >= atOnce {
			var err error
			if open, err = c.settle(ctx, open); err != nil {
				return err
			}
		}
		if n%20 == 19 {
			if err := c.read(ctx); err != nil {
				return err
			}
		}
	}
	for len(open) > 0 {
		var err error
		if open, err = c.settle(ctx, open); err != nil {
			return err
		}
	}
	return nil
}

// ack acknowledges what is so, unless the child has done it too early.
func (c *cutStream) ack(what string) error {
	if c.early {
		return nil
	}
	return powercut.Ack(c.dir, what)
}

// ackEarly acknowledges what is not so yet.
func (c *cutStream) ackEarly(n int) error {
	first := n + ahead
	if n == 0 {
		first = 0
	}
	for i := first; c.early && i <= min(n+ahead, len(c.ids)-1); i++ {
		err := errors.Join(powercut.Ack(c.dir, ackSent+c.ids[i]), powercut.Ack(c.dir, ackDelivered+c.ids[i]))
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cutStream) send(ctx context.Context, n int) error {
	if err := c.ackEarly(n); err != nil {
		return err
	}
	id := c.ids[n]
	out, err := message.Send.Call(ctx, c.ana.API(), op.Caller{}, message.SendRequest{
		To: message.Targets{boName}, Message: fmt.Sprintf("message %d %s", n, strings.Repeat(".", c.random.IntN(3000))), ID: id,
	})
	if err != nil {
		return err
	}
	if out.ID != id || !out.Targets[0].OK {
		return fmt.Errorf("send: %+v", out)
	}
	return c.ack(ackSent + id)
}

// settle waits until at least one of the open messages is delivered.
func (c *cutStream) settle(ctx context.Context, open []string) (left []string, err error) {
	err = harness.Until(ctx, func() (bool, any, error) {
		left = left[:0]
		for _, id := range open {
			state, err := stateOf(ctx, c.ana, id)
			if err != nil {
				return false, nil, err
			}
			if state != message.Delivered && state != message.Seen {
				left = append(left, id)
				continue
			}
			if err := c.ack(ackDelivered + id); err != nil {
				return false, nil, err
			}
		}
		return len(left) < len(open), len(left), nil
	})
	return left, err
}

// read has bo read what waits.
func (c *cutStream) read(ctx context.Context) error {
	out, err := message.Check.Call(ctx, c.bo.API(), op.Caller{}, message.CheckRequest{})
	if err != nil {
		return err
	}
	for _, m := range out.Messages {
		if err := powercut.Ack(c.dir, ackShown+m.ID); err != nil {
			return err
		}
	}
	return nil
}

// check gives the check of images: a node is started on each.
func (p prepared) check(t *testing.T, who string, patience time.Duration) func(string, []string) error {
	name, look := boName, hasInbox
	if who == "sender" {
		name, look = anaName, hasRows
	}
	return func(dir string, acked []string) (err error) {
		defer func() {
			if err != nil {
				patience = 0 // the test has failed: let it end
			}
		}()
		at := filepath.Join(dir, name)
		if _, err := os.Stat(at); err != nil || len(acked) == 0 {
			if len(acked) > 0 {
				return err
			}
			return nil // the folder was not even copied
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		w, err := harness.New(harness.Config{Bin: bin})
		if err != nil {
			return err
		}
		defer w.Close()
		h, err := w.HomeWith(harness.HomeConfig{Name: name, Dir: at})
		if err != nil {
			return err
		}
		if err := h.Start(ctx); err != nil {
			return fmt.Errorf("the node does not start: %w", err)
		}
		return errors.Join(look(ctx, h, acked, patience), w.Close())
	}
}

// hasRows wants every message that ana's node accepted to be known to it.
func hasRows(ctx context.Context, ana *harness.Home, acked []string, _ time.Duration) error {
	for _, id := range marked(acked, ackSent) {
		_, err := stateOf(ctx, ana, id)
		if op.CodeOf(err) == op.NotFound {
			return fmt.Errorf("%w: %s was accepted, and is not known", errLost, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasInbox wants every message of which ana has a receipt to be in bo's inbox, if
// it was not shown before, and what was shown not to be shown as new.
func hasInbox(ctx context.Context, bo *harness.Home, acked []string, patience time.Duration) error {
	before := marked(acked, ackShown)
	missing := slices.DeleteFunc(marked(acked, ackDelivered), func(id string) bool { return slices.Contains(before, id) })
	// One whose predecessor never came is held back for a while.
	until := time.Now().Add(patience)
	return harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Check.Call(ctx, bo.API(), op.Caller{}, message.CheckRequest{Again: true, Limit: 500})
		if err != nil {
			return false, nil, err
		}
		for _, m := range out.Messages {
			if !m.AgainOffered && slices.Contains(before, m.ID) {
				return false, nil, fmt.Errorf("%s was shown before and is shown as new", m.ID)
			}
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == m.ID })
		}
		if len(missing) > 0 && out.More == 0 && !time.Now().Before(until) {
			return false, nil, fmt.Errorf("%w: %d messages have a receipt and are not in the inbox, %s is one", errLost, len(missing), missing[0])
		}
		return len(missing) == 0, len(missing), nil
	})
}
