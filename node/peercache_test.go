package node_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// The node keeps a file for status lines: a section per mesh, private, rewritten
// when somebody comes.
func TestThePeerCache(t *testing.T) {
	ana, bo := pair(t)
	type section struct {
		Total, Online int
		UpdatedAt     time.Time
		You           string
	}
	read := func(n *nodetest.Node) section {
		text, err := os.ReadFile(filepath.Join(n.Dir, "peer-cache.json"))
		if err != nil {
			return section{}
		}
		var all map[string]section
		if err := json.Unmarshal(text, &all); err != nil {
			t.Errorf("half written: %v: %s", err, text)
		}
		return all["team"]
	}
	ana.Wait("in its own cache", func() bool { return read(ana).You == "ana" })
	nodetest.CallAs(bo, op.Caller{User: true}, presence.Open, presence.OpenRequest{AgentSession: "a-1", Name: "robin"})
	ana.Wait("aware of robin in the cache", func() bool { return read(ana).Online >= 1 })
	if got := read(ana); got.Total < got.Online || time.Since(got.UpdatedAt) > time.Minute {
		t.Errorf("got %+v", got)
	}
	info, err := os.Stat(filepath.Join(ana.Dir, "peer-cache.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
