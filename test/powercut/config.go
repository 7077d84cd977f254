package powercut

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Config says what runs, where it is cut and what must hold then.
type Config struct {
	// Child gives the command, not started, that works in dir. It and the
	// processes it starts are killed at the end. Its working folder must not
	// be inside dir.
	Child func(dir string) *exec.Cmd
	// Acks ends the child with SIGKILL after that many acknowledgements.
	// Zero: it ends by itself.
	Acks int
	// Timeout for the child; zero means one minute. A child that is still
	// there then is killed and fails the test.
	Timeout time.Duration
	// Cuts is how many images are looked at; zero means 40, or 200 if
	// CLAUDEMESH_LONG=1.
	Cuts int
	// Seed chooses the positions and what of the unsynced data is kept.
	Seed uint64
	// Check looks at one image: a folder as the child's was, which it may
	// change. acked are the acknowledgements made before the cut, in order.
	// At an early cut the folder may be empty. A panic is a failure too.
	Check func(dir string, acked []string) error
	// Fault, if set, decides before each operation whether it fails, with
	// which error. It is called by several goroutines at once.
	Fault func(op Op) syscall.Errno
}

// OpKind is what an operation does.
type OpKind string

// The operations Fault is asked about.
const (
	OpWrite  OpKind = "write"
	OpResize OpKind = "resize"
	OpSync   OpKind = "sync"
)

// Op is an operation about to happen.
type Op struct {
	Kind OpKind
	Name string // of the file, without its folder
	N    int    // how many of this kind there were on all files, this included
	End  int64  // where a write will end, or the new size
}

// Report is what was found.
type Report struct {
	Acks     []string // all acknowledgements, in order
	Events   int      // operations recorded
	Cuts     int
	Failures []Failure // of Check
	Exit     error     // how the child ended; nil: with status 0
	Output   string    // what the child printed, its last 64 KiB
}

// Failure is an image that Check refused.
type Failure struct {
	Cut string // position, kind and the operations around it
	Err error
}

// Run records the child, cuts, checks, and fails the test for each image that
// Check refuses.
func Run(t testing.TB, cfg Config) Report {
	t.Helper()
	r := Survey(t, cfg)
	for _, f := range r.Failures {
		t.Errorf("power cut %s: %v", f.Cut, f.Err)
	}
	if len(r.Failures) > 0 {
		t.Logf("%d of %d cuts failed; the child printed:\n%s", len(r.Failures), r.Cuts, r.Output)
	}
	return r
}

// Survey is Run without failing the test for what Check says: for controls.
// Without Check it only records.
func Survey(t testing.TB, cfg Config) Report {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Cuts == 0 {
		cfg.Cuts = 40
		if os.Getenv("CLAUDEMESH_LONG") == "1" {
			cfg.Cuts = 200
		}
	}
	rec := record(t, cfg)
	r := Report{Acks: rec.acks(), Events: len(rec.events), Exit: rec.exit, Output: rec.output}
	if cfg.Check != nil {
		r.Cuts = cfg.Cuts
		r.Failures = rec.replay(t, cfg)
	}
	return r
}

// recording is all that the file system saw.
type recording struct {
	events []event
	exit   error
	output string
}

func (r recording) acks() []string {
	var ids []string
	for _, e := range r.events {
		if e.kind == evAck {
			ids = append(ids, e.name)
		}
	}
	return ids
}

// unavailable skips the test, or fails it where FUSE is required.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CLAUDEMESH_REQUIRE_FUSE") == "1" {
		t.Fatalf("power cuts need FUSE, and CLAUDEMESH_REQUIRE_FUSE=1: %s", why)
	}
	t.Skipf("power cuts need FUSE: %s", why)
}
