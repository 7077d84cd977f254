package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestALineThatComesTooOftenIsLeftOut(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	log := limited(slog.New(slog.NewTextHandler(&out, all)), func() time.Time { return now })
	for range 10 * logLines {
		log.With("peer", "x").Warn("junk")
		log.Debug("detail")
	}
	log.Warn("something else")
	if got := strings.Count(out.String(), "msg=junk"); got != logLines {
		t.Errorf("%d lines passed", got)
	}
	if got := strings.Count(out.String(), "msg=detail"); got != 10*logLines {
		t.Errorf("%d of the debug lines passed", got)
	}
	if !strings.Contains(out.String(), "something else") {
		t.Error("another line was left out")
	}
	now = now.Add(logWindow)
	log.Warn("junk")
	if !strings.Contains(out.String(), "left_out_before=540") {
		t.Errorf("nothing tells of what was left out: %s", out.String()[max(0, out.Len()-200):])
	}
}
