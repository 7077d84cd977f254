// Package optest performs operations in tests as a surface does: through a set, with the
// request checked, and in both renderings. It is for tests alone.
package optest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

// Set collects operations that anybody may use.
func Set(t testing.TB, ops ...op.Op) *op.Set {
	t.Helper()
	set, err := op.NewSet(func(context.Context, op.Caller, op.Contract) error { return nil }, ops...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Do asks d for an operation with a request in JSON, and gives the response and its text.
func Do[In, Out any](t testing.TB, d op.Doer, c op.Caller, s op.Spec[In, Out], in string) (out Out, text string, err error) {
	t.Helper()
	raw, err := d.Do(context.Background(), c, s.ID, json.RawMessage(in))
	if err != nil {
		return out, "", err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if text, err = s.Contract().Text(raw); err != nil {
		t.Fatal(err)
	}
	return out, text, nil
}
