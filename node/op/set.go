package op

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Guard decides whether a caller may use an operation. It returns a Denied error,
// or nil.
type Guard func(ctx context.Context, c Caller, k Contract) error

// Set is a collection of bound operations. It is a Doer. It is safe for concurrent
// use: it never changes after NewSet.
type Set struct {
	guard Guard
	ops   map[string]Op
	order []string
}

// NewSet collects operations. Two with one id, tool or command are a programming
// error and refused.
func NewSet(guard Guard, ops ...Op) (*Set, error) {
	s := &Set{guard: guard, ops: make(map[string]Op, len(ops))}
	taken := make(map[string]string)
	for _, o := range ops {
		for _, name := range []string{"id " + o.ID, "tool " + o.Names.Tool, "command " + o.Names.CLI} {
			if strings.HasSuffix(name, " ") {
				continue
			}
			if other, dup := taken[name]; dup {
				return nil, fmt.Errorf("operations %s and %s both have the %s", other, o.ID, name)
			}
			taken[name] = o.ID
		}
		s.ops[o.ID] = o
		s.order = append(s.order, o.ID)
	}
	slices.Sort(s.order)
	return s, nil
}

// Contracts lists the operations by id.
func (s *Set) Contracts() []Contract {
	out := make([]Contract, 0, len(s.order))
	for _, id := range s.order {
		out = append(out, s.ops[id].Contract)
	}
	return out
}

// Do performs operation id for c: it checks place, right and request, in that
// order, before the performer sees anything.
func (s *Set) Do(ctx context.Context, c Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	o, ok := s.ops[id]
	if !ok || (c.Remote() && o.Place != AtPeer) {
		return nil, Errorf(NotFound, "there is no operation %q", id).
			WithHint("run `claudemesh call --list` to see them all")
	}
	if len(in) > MaxRequest {
		return nil, Errorf(TooLarge, "the request has %d bytes, the limit is %d", len(in), MaxRequest)
	}
	if err := s.guard(ctx, c, o.Contract); err != nil {
		return nil, err
	}
	return o.do(ctx, c, in)
}
