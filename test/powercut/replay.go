package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// replay cuts the recording and gives the images that the check refuses.
func (r recording) replay(t testing.TB, cfg Config) []Failure {
	t.Helper()
	random := rand.New(rand.NewPCG(cfg.Seed, 1))
	cuts := make([]int, cfg.Cuts)
	for i := range cuts {
		cuts[i] = random.IntN(len(r.events) + 1)
	}
	slices.Sort(cuts)
	folder := t.TempDir()
	d := newDisk(r.events)
	var acked []string
	var failures []Failure
	for i, cut := range cuts {
		for _, e := range r.events[d.at:cut] {
			if e.kind == evAck {
				acked = append(acked, e.name)
			}
		}
		d.advance(cut)
		dir := filepath.Join(folder, fmt.Sprintf("cut-%04d", i))
		l := losses[i%len(losses)]
		if err := d.image(dir, l, random); err != nil {
			t.Fatalf("build an image: %v", err)
		}
		if err := check(cfg, dir, slices.Clone(acked)); err != nil {
			failures = append(failures, Failure{Cut: r.describe(cut, l), Err: err})
		}
		_ = os.RemoveAll(dir)
	}
	return failures
}

// check calls cfg.Check; a panic, also one of a mapped file that is too
// short, is an error.
func check(cfg Config, dir string, acked []string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return cfg.Check(dir, acked)
}

// describe says where a cut is.
func (r recording) describe(cut int, l loss) string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %d of %d (%s), after", cut, len(r.events), l.name)
	for _, e := range r.events[max(0, cut-6):cut] {
		fmt.Fprintf(&b, " [%s]", e)
	}
	return b.String()
}
