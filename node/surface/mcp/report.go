package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// reportTime is how long telling the node may take, also after the client has gone.
const reportTime = 5 * time.Second

// report is an operation to perform once a result has been written.
type report struct {
	id string
	in json.RawMessage
}

// reports are those of one call.
type reports []report

type reportsKey struct{}

// withReports lets the handler of a call leave what is to be reported in list.
func withReports(ctx context.Context, list *reports) context.Context {
	return context.WithValue(ctx, reportsKey{}, list)
}

// noteReport takes note of what an answer wants reported.
func noteReport(ctx context.Context, k op.Contract, answer json.RawMessage) error {
	list, ok := ctx.Value(reportsKey{}).(*reports)
	if !ok || k.Report == nil {
		return nil
	}
	id, in, err := k.Report(answer)
	if err != nil {
		return fmt.Errorf("report of %s: %w", k.ID, err)
	}
	if id != "" {
		*list = append(*list, report{id, in})
	}
	return nil
}

// report performs what was noted. What cannot be told now is not lost: the node goes
// on taking it for not seen.
func (t *tools) report(ctx context.Context, list reports) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTime)
	defer cancel()
	for _, r := range list {
		if _, err := t.cfg.Doer.Do(ctx, t.cfg.Caller, r.id, r.in); err != nil {
			t.cfg.Log.Warn("showing not reported", "operation", r.id, "error", err)
		}
	}
}
