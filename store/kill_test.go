package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const envRound = "STORE_TEST_ROUND"

// writeForEver is the child: it prints each key once it is stored.
func writeForEver(path string) {
	db, err := Open(Config{Path: path, Schema: 1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() { _ = db.Run(background) }()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%s-%d-%d", os.Getenv(envRound), w, n)
				err := db.Update(background, func(tx *Tx) error {
					tx.Append(Change{Topic: "key", Data: []byte(key)})
					return set(key, strings.Repeat(key, 20))(tx)
				})
				if err != nil {
					fmt.Println("failed", err)
					os.Exit(1)
				}
				fmt.Println("stored", key)
			}
		})
	}
	wg.Wait()
}

// killed runs the child, calls during once it has stored some keys, kills it
// and gives all keys it says are stored.
func killed(t *testing.T, path string, round, keys int, during func()) (stored []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+path, fmt.Sprintf("%s=%d", envRound, round))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		key, ok := strings.CutPrefix(lines.Text(), "stored ")
		if !ok {
			t.Fatal(lines.Text())
		}
		if stored = append(stored, key); len(stored) == keys {
			during()
			must(t, cmd.Process.Kill())
		}
	}
	if len(stored) < keys {
		t.Fatalf("the child ended after %d keys", len(stored))
	}
	if !strings.Contains(stored[len(stored)-1], "-") {
		stored = stored[:len(stored)-1] // cut off by the kill
	}
	return stored
}

// What was acknowledged is there after kill -9 at any moment, and nothing is
// there by half.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	var stored []string
	for round := range 6 {
		stored = append(stored, killed(t, path, round, 1+round*23, func() {
			_, err := Open(Config{Path: path, Schema: 1, LockTimeout: 1})
			wantErr(t, err, ErrLocked)
		})...)
		db := open(t, path)
		must(t, db.Check())
		fed := map[string]bool{}
		changes, _, _, err := db.Feed().Since(0, nil, feedSize)
		must(t, err)
		for _, c := range changes {
			fed[string(c.Data)] = true
		}
		must(t, db.View(func(tx *Tx) error {
			b := tx.Bucket("b")
			for _, key := range stored {
				if string(b.Get([]byte(key))) != strings.Repeat(key, 20) || !fed[key] {
					t.Errorf("round %d: key %s is lost", round, key)
				}
			}
			there := 0
			b.Ascend(nil, func(_, _ []byte) bool { there++; return true })
			if there != len(fed) {
				t.Errorf("round %d: %d keys, %d feed entries", round, there, len(fed))
			}
			return nil
		}))
		must(t, db.Close())
	}
}
