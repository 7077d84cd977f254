package node

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/node/op"
)

// counted performs operations for clients on this machine and counts what agent
// sessions ask for: each tool, through whichever surface, and each failure.
type counted struct {
	ops   op.Doer
	tools map[string]bool // by operation
	count func(session string, in, out, calls, errors int)
}

// newCounted counts those of the operations that are tools.
func newCounted(ops op.Doer, all []op.Contract, count func(session string, in, out, calls, errors int)) counted {
	c := counted{ops: ops, tools: make(map[string]bool), count: count}
	for _, k := range all {
		c.tools[k.ID] = k.Names.Tool != ""
	}
	return c
}

// Do implements op.Doer.
func (c counted) Do(ctx context.Context, caller op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := c.ops.Do(ctx, caller, id, in)
	if caller.Session == "" || !c.tools[id] {
		return out, err
	}
	failed := 0
	if err != nil {
		failed = 1
	}
	c.count(caller.Session, 0, 0, 1, failed)
	return out, err
}
