package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// step is one thing that happens in a test of tools, and what must be seen of it.
type step struct {
	// at is whose agent does it, or is shown something: ana, if empty.
	at string
	// tool and args are a call. {name} in args, texts and facts stands for what an
	// earlier step kept.
	tool, args string
	// text are words that must be in the text of the result.
	text []string
	// without are words that must not.
	without []string
	// fact is what the structured content holds at a path, as in "meshes.0.mesh".
	fact map[string]string
	// code is that of the failure which the call must meet.
	code op.Code
	// await asks again until everything holds.
	await bool
	// keep gives the value at a path of the structured content a name.
	keep map[string]string

	// shown, instead of a call, is the content of a channel notification, meta some
	// of its attributes.
	shown string
	meta  map[string]string
	// never, instead of a call, is a word of channel notifications that there must
	// not be any.
	never string
}

// crowd is three users with a node and an agent each.
type crowd struct {
	world  *harness.World
	homes  map[string]*harness.Home
	agents map[string]*harness.Agent
	kept   map[string]string
	// since is where each agent's channel stood when the steps began.
	since map[string]int
	// outputs are the schemas of results, by tool.
	outputs map[string]*jsonschema.Resolved
}

const cyName = "cy"

// newCrowd starts it and waits until everybody sees everybody.
func newCrowd(ctx context.Context, t *testing.T) *crowd {
	t.Helper()
	w, ana, bo := pair(ctx, t)
	c := &crowd{world: w, homes: map[string]*harness.Home{anaName: ana, boName: bo}, agents: map[string]*harness.Agent{}, kept: map[string]string{}}
	cy, err := w.Home(cyName)
	if err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, cy)
	invite(ctx, t, ana, cy, meshName)
	c.homes[cyName] = cy
	for name, h := range c.homes {
		c.agents[name] = agent(ctx, t, h, name+"'s")
	}
	for name, a := range c.agents {
		awaitPeers(ctx, t, a, anaName, boName, cyName)
		me := self(ctx, t, a)
		c.kept[name+".session"], c.kept[name+".member"] = me.Session, me.MemberKey
		welcomed(ctx, t, a)
	}
	return c
}

// invite has one user invite another into a mesh.
func invite(ctx context.Context, t *testing.T, host, guest *harness.Home, slug string) {
	t.Helper()
	var link mesh.InviteResponse
	if err := host.JSON(ctx, &link, "invite", "--mesh", slug); err != nil {
		t.Fatal(err)
	}
	if err := guest.JSON(ctx, &struct{}{}, "join", link.Link, "--as", guest.Name); err != nil {
		t.Fatal(err)
	}
}

// play does the steps one after the other.
func (c *crowd) play(ctx context.Context, t *testing.T, steps []step) {
	t.Helper()
	c.since = map[string]int{}
	for name, a := range c.agents {
		c.since[name] = len(a.Channels())
	}
	for i, s := range steps {
		if s.at == "" {
			s.at = anaName
		}
		if err := c.do(ctx, s); err != nil {
			t.Fatalf("step %d, at %s: %v", i+1, s.at, err)
		}
	}
}

func (c *crowd) do(ctx context.Context, s step) error {
	a := c.agents[s.at]
	switch {
	case s.shown != "":
		_, err := a.Await(ctx, c.since[s.at], func(n harness.Channel) bool { return c.matches(s, n) })
		if err != nil {
			return fmt.Errorf("not shown %q: %w; but %q", c.fill(s.shown), err, contents(a.Channels()[c.since[s.at]:]))
		}
		return nil
	case s.never != "":
		for _, n := range a.Channels()[c.since[s.at]:] {
			if strings.Contains(n.Content, s.never) {
				return fmt.Errorf("was shown %q", n.Content)
			}
		}
		return nil
	case s.await:
		var last error
		err := harness.Until(ctx, func() (bool, any, error) {
			err := c.call(ctx, a, s)
			if err == nil || ctx.Err() == nil {
				last = err // not that it was cut off
			}
			return err == nil, last, nil
		})
		return errors.Join(err, last)
	}
	return c.call(ctx, a, s)
}

func (c *crowd) matches(s step, n harness.Channel) bool {
	if !strings.Contains(n.Content, c.fill(s.shown)) {
		return false
	}
	for k, want := range s.meta {
		if n.Meta[k] != c.fill(want) {
			return false
		}
	}
	return true
}

func contents(list []harness.Channel) []string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		out = append(out, n.Content)
	}
	return out
}

// fill puts in what was kept.
func (c *crowd) fill(text string) string {
	for name, value := range c.kept {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// call calls a tool and looks at the result.
func (c *crowd) call(ctx context.Context, a *harness.Agent, s step) error {
	args := c.fill(s.args)
	if args == "" {
		args = "{}"
	}
	r, err := a.CallTool(ctx, s.tool, json.RawMessage(args))
	if err != nil {
		return err
	}
	err = c.looksRight(s, r)
	if err != nil {
		return fmt.Errorf("%s %.300s: %w\n%s\n%.3000s", s.tool, args, err, r.Text(), r.Structured)
	}
	return nil
}

func (c *crowd) looksRight(s step, r harness.ToolResult) error {
	for _, want := range s.text {
		if !strings.Contains(r.Text(), c.fill(want)) {
			return fmt.Errorf("the text lacks %q", c.fill(want))
		}
	}
	for _, not := range s.without {
		if strings.Contains(r.Text(), c.fill(not)) {
			return fmt.Errorf("the text has %q", c.fill(not))
		}
	}
	if s.code != "" {
		return failure(r, s.tool, s.code)
	}
	if r.IsError || r.Meta.Failure != nil {
		return errors.New("it failed")
	}
	var doc any
	if err := json.Unmarshal(r.Structured, &doc); err != nil {
		return fmt.Errorf("structured content: %w", err)
	}
	if err := sameFacts(doc, r.Text()); err != nil {
		return err
	}
	if schema := c.outputs[s.tool]; schema != nil {
		if err := schema.Validate(doc); err != nil {
			return fmt.Errorf("clients refuse it: %w", err)
		}
	}
	for path, want := range s.fact {
		if got := at(doc, path); got != c.fill(want) {
			return fmt.Errorf("%s is %q, not %q", path, got, c.fill(want))
		}
	}
	for name, path := range s.keep {
		if c.kept[name] = at(doc, path); c.kept[name] == "" {
			return fmt.Errorf("there is nothing at %s", path)
		}
	}
	return nil
}

// failure checks an error result: marked as one, of that kind, with the tool's name,
// a reason and a next step, and with no data that could be taken for an answer.
func failure(r harness.ToolResult, tool string, code op.Code) error {
	f := r.Meta.Failure
	switch {
	case !r.IsError || f == nil:
		return errors.New("it is no failure")
	case f.Code != string(code):
		return fmt.Errorf("it is %s, not %s", f.Code, code)
	case len(r.Structured) > 0:
		return errors.New("a failure with structured content")
	case !strings.HasPrefix(r.Text(), tool+": "+f.Message):
		return fmt.Errorf("the text does not begin with the tool and %q", f.Message)
	case f.Hint == "" || !strings.Contains(r.Text(), "\n"+f.Hint):
		return fmt.Errorf("no next step on a line of its own: %q", f.Hint)
	}
	return nil
}

// at is the value at a path of keys and indices, as text; empty if there is none.
func at(doc any, path string) string {
	for _, part := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(v) {
				return ""
			}
			doc = v[i]
		default:
			return ""
		}
	}
	if doc == nil {
		return ""
	}
	return fmt.Sprint(doc)
}

// onlyData are the keys of structured content that text leaves out or says in other
// words: whole times, how a key is written, whether something is.
var onlyData = []string{
	"mesh_id", "connectedAt", "lastSeen", "bytes", "memberPubkey", "from_session", "from_member", "to_session", "own", "state", "kind",
	"delivered_at", "key", "recipientOnline", "memberState",
	"source", "mesh_slug", "updatedAt", "updatedBy", // of what was set just now
}

// sameFacts checks that what the data holds is in the text, too.
//
// Catalogue 28: JSON lacked what the table showed, and the reverse.
func sameFacts(doc any, text string) error {
	var errs []error
	var visit func(key string, v any)
	visit = func(key string, v any) {
		if slices.Contains(onlyData, key) {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				visit(k, inner)
			}
		case []any:
			for _, inner := range v {
				visit(key, inner)
			}
		case string:
			if len(v) == 64 {
				v = v[:16] // keys are shown as far as they are needed
			}
			if !strings.Contains(text, v) {
				errs = append(errs, fmt.Errorf("the data has %s %q, the text does not", key, v))
			}
		}
	}
	visit("", doc)
	return errors.Join(errs...)
}

// stepsLimit is how long the steps of one tool may take.
const stepsLimit = 2 * time.Minute

// Every tool, called by an agent at one of three nodes: what it answers, as text and
// as data, what it refuses, and what is seen of it at the others.
func TestEveryTool(t *testing.T) {
	t.Parallel()
	c := newCrowd(within(t, 3*time.Minute), t)
	contracts := map[string]op.Contract{}
	c.outputs = map[string]*jsonschema.Resolved{}
	for _, k := range node.Catalogue() {
		if k.Names.Tool == "" {
			continue
		}
		contracts[k.Names.Tool] = k
		schema, err := k.Output()
		if err == nil {
			c.outputs[k.Names.Tool], err = schema.Resolve(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range toolSteps {
		k, ok := contracts[test.tool]
		if !ok || !slices.Contains(c.agents[anaName].Tools, test.tool) {
			t.Errorf("the table has %s, which is no tool", test.tool)
			continue
		}
		if !slices.ContainsFunc(test.steps, func(s step) bool { return s.tool == test.tool && s.code == "" }) {
			t.Errorf("the table has no right call of %s", test.tool)
		}
		t.Run(test.tool, func(t *testing.T) { c.play(within(t, stepsLimit), t, test.steps) })
		t.Run(test.tool+" refuses", func(t *testing.T) {
			c.play(within(t, stepsLimit), t, slices.Concat(mistakesOf(t, k), toolMistakes[test.tool]))
		})
		delete(contracts, test.tool)
	}
	for name := range contracts {
		t.Errorf("the table lacks the tool %s, or has it twice", name)
	}
	for name := range toolMistakes {
		if !slices.ContainsFunc(toolSteps, func(test toolTest) bool { return test.tool == name }) {
			t.Errorf("the table of mistakes has %s, which is no tool", name)
		}
	}
}
