package powercut_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/claudemesh/claudemesh/test/powercut"
)

const envWay = "POWERCUT_TEST_WAY"

// filesChild writes 30 files and promises each, in one of several ways.
func filesChild(dir string) error {
	for n := range 30 {
		if err := writeFile(dir, os.Getenv(envWay), fmt.Sprint(n)); err != nil {
			return err
		}
		if err := powercut.Ack(dir, fmt.Sprint(n)); err != nil {
			return err
		}
	}
	return nil
}

func content(name string) []byte { return bytes.Repeat([]byte(name+"."), 4000) }

// writeFile makes a file under a temporary name and renames it. Each way but
// the first forgets something.
func writeFile(dir, way, name string) error {
	tmp := filepath.Join(dir, "tmp")
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(content(name))
	if err == nil && way != "no sync" {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	if way == "no folder sync" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// filesCheck wants every promised file, and no half one under a final name.
func filesCheck(dir string, acked []string) error {
	for _, name := range acked {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if e.Name() != "tmp" && !bytes.Equal(b, content(e.Name())) {
			return fmt.Errorf("file %s is damaged", e.Name())
		}
	}
	return nil
}

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		way    string
		caught bool
	}{{"right", false}, {"no sync", true}, {"no folder sync", true}} {
		t.Run(c.way, func(t *testing.T) {
			r := powercut.Survey(t, powercut.Config{
				Child: powercut.Self("files", envWay+"="+c.way),
				Seed:  1,
				Check: filesCheck,
			})
			if r.Exit != nil || len(r.Acks) != 30 {
				t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
			}
			t.Logf("%d events, %d of %d cuts failed", r.Events, len(r.Failures), r.Cuts)
			if caught := len(r.Failures) > 0; caught != c.caught {
				t.Errorf("caught: %v, want %v: %v", caught, c.caught, r.Failures)
			}
		})
	}
}

func TestChildIsKilledAfterItsAcks(t *testing.T) {
	r := powercut.Survey(t, powercut.Config{Child: powercut.Self("files", envWay+"=right"), Acks: 5})
	if n := len(r.Acks); n < 5 || n == 30 || r.Exit == nil {
		t.Errorf("%d acks, exit %v", n, r.Exit)
	}
}

func TestAckRefusesWhatCannotBeALine(t *testing.T) {
	for _, id := range []string{"", "a\nb"} {
		if powercut.Ack(t.TempDir(), id) == nil {
			t.Errorf("%q was taken", id)
		}
	}
}
