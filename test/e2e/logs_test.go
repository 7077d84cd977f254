package e2e

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// Logs, also at the level for finding faults, hold neither bodies nor secrets.
func TestLogsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	w := harnesstest.World(t, harness.Config{Bin: bin, Env: []string{"CLAUDEMESH_DEBUG=1"}})
	ana, bo, err := settle(ctx, w, harness.HomeConfig{Name: anaName}, harness.HomeConfig{Name: boName})
	if err != nil {
		t.Fatal(err)
	}
	var invite mesh.InviteResponse
	if err := ana.JSON(ctx, &invite, "invite"); err != nil {
		t.Fatal(err)
	}
	a, b := agent(ctx, t, ana, "session-of-ana"), agent(ctx, t, bo, "session-of-bo")
	welcomed(ctx, t, a, b)
	awaitPeers(ctx, t, a, "ana", "bo")
	const question, answer = "zirconium is the word", "molybdenum it is"
	asked := send(ctx, t, a, "bo", question, "")
	hear(ctx, t, b, asked)
	hear(ctx, t, a, send(ctx, t, b, "ana", answer, asked))

	secrets := []string{question, answer, "zirconium", invite.Link, strings.TrimPrefix(invite.Link, "claudemesh://join/")}
	for _, h := range []*harness.Home{ana, bo} {
		secrets = append(secrets, secretsOf(t, h)...)
	}
	for _, s := range secrets {
		logs, err := w.Find(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(logs) > 0 {
			t.Errorf("%v: %.12q… is in it", logs, s)
		}
	}
}

// secretsOf reads what the files of a home keep secret: the member's seed, the
// session's token, the node's key.
func secretsOf(t *testing.T, h *harness.Home) []string {
	t.Helper()
	only := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(h.Dir, pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s of %s: %v, %v", pattern, h.Name, files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(only("sessions/*.json")), &session); err != nil || len(session.Token) != 64 {
		t.Fatalf("the token's file: %v", err)
	}
	node := only("node.key")
	return []string{strings.TrimSpace(only("keys/*.key")), session.Token, node[4:36], hex.EncodeToString([]byte(node[4:36]))}
}
