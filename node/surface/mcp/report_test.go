package mcp_test

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

type takeOut struct {
	Text string `json:"text"`
}

// Report implements op.Reporter.
func (o takeOut) Report() (string, any) {
	if o.Text == "" {
		return "", nil
	}
	return "text.shown", shownIn(o)
}

type shownIn struct {
	Text string `json:"text"`
}

// A result is reported as shown after it has been written.
func TestWhatWasShownIsReported(t *testing.T) {
	take := op.Spec[listIn, takeOut]{ID: "text.take", Doc: "Take a text.", Names: op.Names{Tool: "take_text"}}
	shown := op.Spec[shownIn, listOut]{ID: "text.shown", Doc: "Confirm."}
	reports := make(chan string, 10)
	set := optest.Set(t,
		take.Bind(func(context.Context, op.Caller, listIn) (takeOut, error) { return takeOut{Text: "hello"}, nil }),
		shown.Bind(func(_ context.Context, _ op.Caller, in shownIn) (listOut, error) {
			reports <- in.Text
			return listOut{}, nil
		}),
	)
	w := connect(t, mcp.Config{Doer: set, Catalogue: []op.Contract{take.Contract(), shown.Contract()}})
	if r := w.call("take_text", `{}`); string(r.Structured) != `{"text":"hello"}` {
		t.Fatalf("got %+v", r)
	}
	select {
	case got := <-reports:
		if got != "hello" {
			t.Errorf("reported %q", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was reported")
	}
}
