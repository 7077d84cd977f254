package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/powercut"
)

// The power is cut while messages flow from ana to bo and both write shared state and
// change their sessions. One of the two has the folder whose power is cut.

const (
	envPrepared = "CLAUDEMESH_E2E_PREPARED" // folder with the two homes' folders
	envPorts    = "CLAUDEMESH_E2E_PORTS"
	stream      = 150 // steps, each with a message
	atOnce      = 12  // of the messages on their way
	ahead       = 4   // steps by which the control acknowledges too early
)

// Why a check refused an image.
var (
	errLostMessage = errors.New("lost message")
	errLostWrite   = errors.New("lost write")
)

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
	ctx := within(t, 3*time.Minute)
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
		Timeout: 4 * time.Minute,
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
			cfg.Check = p.check(t, who, time.Minute)
			r := powercut.Run(t, cfg)
			if r.Exit != nil || !answered(r.Acks, who) {
				t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
			}
			t.Logf("%d operations on the disk, %d cuts; acknowledged: %d messages, %d receipts, %d shown, %d writes, %d of them seen elsewhere, %d changes of sessions",
				r.Events, r.Cuts, len(marked(r.Acks, ackSent)), len(marked(r.Acks, ackDelivered)), len(marked(r.Acks, ackShown)),
				len(marked(r.Acks, ackState)), len(marked(r.Acks, ackSeen)), len(marked(r.Acks, ackStatus)))
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
				// A store that never syncs is found damaged or without what was written.
				caught := []int{len(r.Failures)}
				if control == "early" {
					caught = []int{lost(r, errLostMessage), lost(r, errLostWrite)}
				}
				t.Logf("%v of %d cuts caught it", caught, r.Cuts)
				if 2*slices.Min(caught) < r.Cuts {
					for _, f := range r.Failures {
						t.Logf("%s: %v", f.Cut, f.Err)
					}
					t.Error("that is not enough")
				}
			})
		}
	}
}

// lost counts the images refused for that reason.
func lost(r powercut.Report, why error) (n int) {
	for _, f := range r.Failures {
		if errors.Is(f.Err, why) {
			n++
		}
	}
	return n
}

// answered tells whether a child got through its messages.
func answered(acks []string, who string) bool {
	want := map[string]string{"recipient": ackDelivered, "sender": ackSent}[who]
	return len(marked(acks, want)) == stream && len(marked(acks, ackState)) > stream/2
}

// cutOptions make a child a control.
type cutOptions struct {
	early  bool // acknowledge first
	noSync bool // let syncs do nothing
}

// cutChild runs both nodes, the folder of one of them in dir, and sends.
func cutChild(dir, who string, o cutOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
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
	c := newCutStream(dir, o.early, homes[anaName], homes[boName])
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

// check gives the check of images: a node is started on each.
func (p prepared) check(t *testing.T, who string, patience time.Duration) func(string, []string) error {
	name := map[string]string{"recipient": boName, "sender": anaName}[who]
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
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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
		before, err := logsIn(at)
		if err != nil {
			return err
		}
		if err := h.Start(ctx); err != nil {
			return fmt.Errorf("the node does not start: %w", err)
		}
		i := &image{home: h, acked: acked, patience: patience, took: map[string]map[string]bool{}}
		if err := i.check(ctx); err != nil {
			return err
		}
		return errors.Join(h.Stop(ctx), goesOn(before, at), w.Close())
	}
}
