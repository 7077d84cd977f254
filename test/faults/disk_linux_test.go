package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// tiny mounts a disk of some MiB until the test ends.
func tiny(t *testing.T, size string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a disk of our own needs root")
	}
	dir, err := os.MkdirTemp("", "cd")
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) }) // a temporary folder
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skip("no disk of our own can be mounted:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the room on a disk, but for some bytes, until free is called.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	must(t, err)
	_, err = io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal("the disk does not fill:", err)
	}
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

// spare is the room that is left for some messages.
const spare = 1 << 20

// ballast is how much room is taken.
func ballast(t *testing.T, disk string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(disk, "ballast"))
	must(t, err)
	return info.Size()
}

// zeros never end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A disk runs full under a node: what it cannot keep it does not accept, and says so;
// what others send waits with them. With some room it goes on, as the same process, and
// nothing is lost that was ever acknowledged.
func TestAFullDisk(t *testing.T) {
	disk := tiny(t, "24m")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	w := world(t, nil)
	dir := filepath.Join(disk, "claudemesh")
	ana, ben := home(t, w, "ana", dir), home(t, w, "ben", "")
	must(t, ana.Start(ctx))
	must(t, ben.Start(ctx))
	join(ctx, t, ana, ben)
	must(t, ana.JSON(ctx, &struct{}{}, "state", "set", "plan", `"before"`))
	pid := ana.Node().PID()
	must(t, ben.Stop(ctx))
	free := fill(t, disk)
	must(t, os.Truncate(filepath.Join(disk, "ballast"), ballast(t, disk)-spare))

	accepted, r := untilFull(ctx, t, ana)
	r.clear(t, []string{"send"})
	r.says(t, "disk is full", "free some space")
	t.Logf("after %d messages: %s (%s)", len(accepted), r.message, r.hint)
	for _, args := range [][]string{
		{"state", "set", "plan", `"` + strings.Repeat("9", 60_000) + `"`}, {"new", "other"}, {"send", "ben", strings.Repeat("x", 60_000)},
	} {
		fails(ctx, t, ana, args...).says(t, "free some space")
	}
	for _, args := range [][]string{{"list"}, {"peers"}, {"state", "get", "plan"}, {"node", "status"}} {
		must(t, ana.JSON(ctx, &struct{}{}, args...))
	}
	// Somebody else's message waits there, and ana's go out.
	must(t, ben.Start(ctx))
	var waiting []string
	for i := range 3 {
		waiting = append(waiting, send(ctx, t, ben, "ana", fmt.Sprint(i, strings.Repeat("y", 50_000))))
	}
	offers(ctx, t, ben, waiting[2])
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		select { // what a node writes by itself it writes within that time
		case <-time.After(90 * time.Second):
		case <-ana.Node().Done():
			t.Fatal("the node has ended")
		}
	}

	free()
	delivered(ctx, t, ben, waiting...)
	delivered(ctx, t, ana, accepted...)
	delivered(ctx, t, ana, send(ctx, t, ana, "ben", "there is room"))
	must(t, ana.JSON(ctx, &struct{}{}, "state", "set", "plan", `"after"`))
	if len(accepted) == 0 {
		t.Error("nothing was accepted: the test shows nothing")
	}
	if ended(ana.Node()) || ana.Node().PID() != pid {
		t.Error("the node has not gone on")
	}
	if got := inbox(ctx, t, ben); got < len(accepted)+1 {
		t.Errorf("of %d accepted messages ben has %d", len(accepted)+1, got)
	}
}

// untilFull sends until a message is not accepted.
func untilFull(ctx context.Context, t *testing.T, h *harness.Home) (accepted []string, why refusal) {
	t.Helper()
	for i := range 2000 {
		out, err := message.Send.Call(ctx, h.API(), user(), message.SendRequest{To: message.Targets{"ben"}, Message: fmt.Sprint(i, strings.Repeat("z", 20_000))})
		if err != nil {
			why, ok := asRefusal(err)
			if !ok {
				t.Fatal(err)
			}
			return accepted, why
		}
		accepted = append(accepted, out.ID)
	}
	t.Fatal("the disk is full and the node accepts more and more")
	return nil, refusal{}
}

// offers waits until a message was tried and is not delivered, or delivered after all:
// a full store may have room left inside.
func offers(ctx context.Context, t *testing.T, h *harness.Home, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_ = harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Status.Call(ctx, h.API(), user(), message.StatusRequest{ID: id})
		return err == nil && (out.Delivered || len(out.Recipients) > 0 && out.Recipients[0].Held), out, err
	})
}

// inbox counts what waits, and takes it.
func inbox(ctx context.Context, t *testing.T, h *harness.Home) (count int) {
	t.Helper()
	for {
		out, err := message.Check.Call(ctx, h.API(), user(), message.CheckRequest{Limit: 500})
		must(t, err)
		count += len(out.Messages)
		if len(out.Messages) == 0 {
			return count
		}
		_, err = message.Read.Call(ctx, h.API(), user(), out.Shown())
		must(t, err)
	}
}

func ended(p *harness.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// A node is started on a full disk: with nothing yet, and with all it had. It says what
// to do, leaves no half of anything, and starts when there is room.
func TestStartedOnAFullDisk(t *testing.T) {
	disk := tiny(t, "12m")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := world(t, nil)
	ana := home(t, w, "ana", filepath.Join(disk, "claudemesh"))
	free := fill(t, disk)
	fails(ctx, t, ana, "node", "up").says(t, "space")
	free()
	upAndDown(ctx, t, ana, "new", "atelier")

	free = fill(t, disk)
	out, err := ana.Command(ctx, "node", "up", "--json")
	must(t, err)
	if out.Status != 0 {
		fails(ctx, t, ana, "node", "up").says(t, "space")
	}
	free()
	upAndDown(ctx, t, ana, "invite")
}

// upAndDown starts the node in the background, runs a command and ends it.
func upAndDown(ctx context.Context, t *testing.T, h *harness.Home, args ...string) {
	t.Helper()
	must(t, h.JSON(ctx, &struct{}{}, "node", "up"))
	must(t, h.JSON(ctx, &struct{}{}, args...))
	must(t, h.JSON(ctx, &struct{}{}, "node", "down"))
}

// A disk that becomes read-only under a node, as a failing one does: the node may end,
// and says why; when it can be written again everything that was acknowledged is there.
func TestADiskThatBecomesReadOnly(t *testing.T) {
	disk := tiny(t, "24m")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := world(t, nil)
	ana := home(t, w, "ana", filepath.Join(disk, "claudemesh"))
	must(t, ana.JSON(ctx, &struct{}{}, "node", "up"))
	must(t, ana.JSON(ctx, &struct{}{}, "new", "atelier"))
	must(t, ana.JSON(ctx, &struct{}{}, "state", "set", "plan", `"before"`))
	must(t, ana.JSON(ctx, &struct{}{}, "node", "down"))

	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	fails(ctx, t, ana, "node", "up").says(t, "folder")
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT, ""))
	must(t, ana.JSON(ctx, &struct{}{}, "node", "up"))
	var got struct{ Value string }
	must(t, ana.JSON(ctx, &got, "state", "get", "plan"))
	if got.Value != "before" {
		t.Errorf("after the disk came back: %+v", got)
	}
	must(t, ana.JSON(ctx, &struct{}{}, "node", "down"))
}
