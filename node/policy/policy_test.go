package policy_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/node/policy"
)

type request struct {
	op.InMesh
	Look bool `json:"look,omitempty"`
}

func (r request) Looks() bool { return r.Look }

type response struct{}

func bind(id string, needs op.Right, destroys bool, names op.Names) op.Op {
	s := op.Spec[request, response]{ID: id, Doc: "Do something.", Names: names, Needs: needs, Destroys: destroys}
	return s.Bind(func(context.Context, op.Caller, request) (response, error) { return response{}, nil })
}

// world is a gate with operations of each sort, in two meshes.
type world struct {
	gate *policy.Gate
	dir  string
	told []policy.Told
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	w.gate = &policy.Gate{
		Source: policy.NewSource(w.path("user"), w.path("system")),
		Mesh: func(name string) (string, string, bool) {
			return name, name + "-id", slices.Contains([]string{"team", "other"}, name)
		},
		Tell: func(t policy.Told) { w.told = append(w.told, t) },
	}
	ops := append(w.gate.Ops(),
		bind("mesh.ban", op.Manage, true, op.Names{CLI: "ban"}), bind("mesh.kick", op.Manage, true, op.Names{CLI: "kick"}),
		bind("state.set", op.WriteState, true, op.Names{Tool: "set_state"}), bind("message.send", op.Send, false, op.Names{Tool: "send_message"}),
		bind("peers.list", op.Look, false, op.Names{Tool: "list_peers"}), bind("session.open", op.Manage, false, op.Names{}),
	)
	set := optest.Set(t, ops...)
	w.gate.Next, w.gate.Contracts = set, make(map[string]op.Contract)
	for _, k := range set.Contracts() {
		w.gate.Contracts[k.ID] = k
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name+".json") }

func (w *world) write(t *testing.T, name, rules string) {
	t.Helper()
	if err := os.WriteFile(w.path(name), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	person   = op.Caller{User: true}
	approved = op.Caller{User: true, Approved: true}
	agent    = op.Caller{Session: "s"}
	peer     = op.Caller{Member: "aa", Mesh: "team-id"}
)

// outcome of a request: done, asked (a person may say yes) or denied.
func (w *world) outcome(t *testing.T, c op.Caller, id, in string) string {
	t.Helper()
	_, err := w.gate.Do(t.Context(), c, id, json.RawMessage(in))
	e := op.AsError(err)
	switch {
	case err == nil:
		return "done"
	case e.Code == op.Denied && e.Hint != "" && e.Ask:
		return "asked"
	case e.Code == op.Denied && e.Hint != "":
		return "denied"
	}
	return err.Error()
}

func TestWhatIsDecided(t *testing.T) {
	const team = `{"mesh_slug":"team"}`
	for name, c := range map[string]struct {
		user, system string
		who          op.Caller
		id, in, want string
	}{
		"a ban is asked about":                {"", "", person, "mesh.ban", team, "asked"},
		"a yes is enough":                     {"", "", approved, "mesh.ban", team, "done"},
		"looking is not asked about":          {"", "", person, "mesh.ban", `{"look":true}`, "done"},
		"an agent cannot say yes":             {"", "", agent, "mesh.ban", team, "denied"},
		"nor by claiming it":                  {"", "", op.Caller{Session: "s", Approved: true}, "mesh.ban", team, "denied"},
		"a kick is not asked about":           {"", "", person, "mesh.kick", team, "done"},
		"all that destroys":                   {`{"rules":[{"operation":"@destroys","decision":"prompt"}]}`, "", person, "mesh.kick", team, "asked"},
		"of agents, too":                      {`{"rules":[{"operation":"@destroys","decision":"prompt"}]}`, "", agent, "state.set", team, "denied"},
		"what does not destroy goes on":       {`{"rules":[{"operation":"@destroys","decision":"deny"}]}`, "", agent, "message.send", team, "done"},
		"all that changes":                    {`{"rules":[{"operation":"@changes","decision":"deny"}]}`, "", agent, "message.send", team, "denied"},
		"reading is no change":                {`{"rules":[{"operation":"@changes","decision":"deny"}]}`, "", agent, "peers.list", team, "done"},
		"a pattern":                           {`{"rules":[{"operation":"mesh.*","decision":"deny"}]}`, "", approved, "mesh.kick", team, "denied"},
		"a deny needs no yes":                 {`{"rules":[{"operation":"mesh.ban","decision":"deny"}]}`, "", approved, "mesh.ban", team, "denied"},
		"the first rule counts":               {`{"rules":[{"operation":"mesh.ban","decision":"allow"},{"operation":"mesh.*","decision":"deny"}]}`, "", person, "mesh.ban", team, "done"},
		"another mesh's rule":                 {`{"rules":[{"operation":"mesh.*","mesh":"other","decision":"deny"}]}`, "", person, "mesh.kick", team, "done"},
		"this mesh's rule, by id":             {`{"rules":[{"operation":"mesh.*","mesh":"team-id","decision":"deny"}]}`, "", person, "mesh.kick", team, "denied"},
		"in an unknown mesh a deny holds":     {`{"rules":[{"operation":"mesh.*","mesh":"team","decision":"deny"}]}`, "", person, "mesh.kick", `{}`, "denied"},
		"in an unknown mesh no allow does":    {`{"rules":[{"operation":"mesh.ban","mesh":"team","decision":"allow"}]}`, "", person, "mesh.ban", `{}`, "asked"},
		"the machine's rules come first":      {`{"rules":[{"operation":"mesh.*","decision":"allow"}]}`, `{"rules":[{"operation":"mesh.ban","decision":"deny"}]}`, approved, "mesh.ban", team, "denied"},
		"read-only":                           {`{"mode":"read-only"}`, "", approved, "message.send", team, "denied"},
		"read-only reads":                     {`{"mode":"read-only"}`, "", agent, "peers.list", team, "done"},
		"read-only is no bar for plumbing":    {`{"mode":"read-only"}`, "", agent, "session.open", `{}`, "done"},
		"plan":                                {`{"mode":"plan"}`, "", approved, "mesh.kick", team, "denied"},
		"yolo says yes":                       {`{"mode":"yolo"}`, "", person, "mesh.ban", team, "done"},
		"yolo is no answer to a deny":         {`{"mode":"yolo","rules":[{"operation":"mesh.ban","decision":"deny"}]}`, "", person, "mesh.ban", team, "denied"},
		"the machine's mode is a bound":       {`{"mode":"yolo"}`, `{"mode":"write"}`, person, "mesh.ban", team, "asked"},
		"which one may stay below":            {`{"mode":"read-only"}`, `{"mode":"yolo"}`, approved, "mesh.kick", team, "denied"},
		"a broken file denies changes":        {`{"rulez":[]}`, "", approved, "mesh.kick", team, "denied"},
		"a broken file lets read":             {`{`, "", agent, "peers.list", team, "done"},
		"a wrong word breaks it":              {`{"rules":[{"operation":"mesh.ban","decision":"ask"}]}`, "", approved, "message.send", team, "denied"},
		"other nodes are not people":          {`{"mode":"read-only"}`, "", peer, "message.send", team, `there is no operation "message.send"`},
		"the way back stays open":             {`{"mode":"plan","rules":[{"operation":"*","decision":"deny"}]}`, "", person, "policy.set", `{"mode":"write"}`, "asked"},
		"but where it is named":               {`{"rules":[{"operation":"policy.set","decision":"deny"}]}`, "", approved, "policy.set", `{"mode":"write"}`, "denied"},
		"changing the policy is asked about":  {"", "", person, "policy.set", `{"mode":"yolo"}`, "asked"},
		"and no agent's, as it needs a right": {"", "", agent, "policy.set", `{"mode":"yolo"}`, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.user != "" {
				w.write(t, "user", c.user)
			}
			if c.system != "" {
				w.write(t, "system", c.system)
			}
			if got := w.outcome(t, c.who, c.id, c.in); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Whoever decides is told of what was not allowed as a matter of course.
func TestDecisionsAreTold(t *testing.T) {
	w := newWorld(t)
	for _, c := range []op.Caller{person, approved, agent} {
		w.outcome(t, c, "mesh.ban", `{"mesh_slug":"team"}`)
	}
	w.outcome(t, person, "message.send", `{}`)
	if len(w.told) != 3 || w.told[0].Passed || !w.told[1].Passed || w.told[2].Passed || !w.told[2].Agent || w.told[0].MeshID != "team-id" {
		t.Errorf("%+v", w.told)
	}
}

func TestSetShowAndTest(t *testing.T) {
	w := newWorld(t)
	set := func(in policy.SetRequest) policy.ShowResponse {
		t.Helper()
		out, err := policy.Set.Call(t.Context(), w.gate, approved, in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	set(policy.SetRequest{Operation: "mesh.*", Decision: "deny"})
	set(policy.SetRequest{Operation: "mesh.kick", Decision: "allow", Mesh: "team"})
	out := set(policy.SetRequest{Operation: "mesh.*", Decision: "prompt", Mode: "write"})
	if len(out.User) != 2 || out.User[0].Operation != "mesh.*" || out.User[0].Decision != policy.Prompt || out.Mode != policy.Write {
		t.Errorf("%+v", out)
	}
	info, err := os.Stat(w.path("user"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	test, err := policy.Test.Call(t.Context(), w.gate, agent, policy.TestRequest{Operation: "mesh.kick"})
	if err != nil || test.Decision != policy.Prompt || !strings.Contains(test.Text(), "your policy: mesh.* prompt") {
		t.Errorf("%+v, %v", test, err)
	}
	if out = set(policy.SetRequest{Operation: "mesh.*", Decision: "none"}); len(out.User) != 1 {
		t.Errorf("%+v", out)
	}
	for _, bad := range []policy.SetRequest{
		{}, {Mode: "fast"}, {Operation: "mesh.ban"}, {Operation: "mesh.ban", Decision: "ask"}, {Operation: "[", Decision: "deny"}, {Operation: "@all", Decision: "deny"},
		{Operation: "mesh.bann", Decision: "deny"}, {Operation: "nosuch.*", Decision: "deny"},
	} {
		if _, err := policy.Set.Call(t.Context(), w.gate, approved, bad); op.CodeOf(err) != op.Invalid || op.AsError(err).Hint == "" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	w.write(t, "user", "{")
	if _, err := policy.Set.Call(t.Context(), w.gate, approved, policy.SetRequest{Mode: "write"}); op.CodeOf(err) != op.Denied || !strings.Contains(op.AsError(err).Hint, "corrected, or removed") {
		t.Errorf("a broken file was written over: %v", err)
	}
	shown, err := policy.Show.Call(t.Context(), w.gate, person, policy.ShowRequest{})
	if err != nil || shown.Broken == "" || strings.Contains(shown.Text(), "everything else") {
		t.Errorf("%+v, %v", shown, err)
	}
}

// Who may not change the policy any more is told where it can be.
func TestThePolicyThatClosesItself(t *testing.T) {
	w := newWorld(t)
	w.write(t, "user", `{"rules":[{"operation":"policy.set","decision":"deny"}]}`)
	_, err := policy.Set.Call(t.Context(), w.gate, approved, policy.SetRequest{Mode: "write"})
	if op.CodeOf(err) != op.Denied || !strings.Contains(op.AsError(err).Hint, w.path("user")) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"mode":"write","rules":[{"operation":"mesh.*","mesh":"team","decision":"deny"}]}`))
	f.Add([]byte(`{"rules":[{"operation":"[","decision":"deny"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := policy.Parse(raw)
		if err != nil {
			return
		}
		for _, rule := range r.Rules {
			if err := rule.Check(); err != nil {
				t.Fatalf("%q is taken: %v", raw, err)
			}
		}
	})
}
