package flow_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/node/op"
)

func isLink(w string) bool { return strings.HasPrefix(w, "claudemesh://") }

// fake is a world that counts what was made in it.
type fake struct {
	meshes       []flow.Mesh
	made, joined []string
	fails        error // of the next call
}

func (f *fake) failure() error {
	err := f.fails
	f.fails = nil
	return err
}

func (f *fake) Meshes(context.Context) ([]flow.Mesh, error) { return f.meshes, f.failure() }

func (f *fake) Newer(context.Context) string { return "" }

func (f *fake) Online(context.Context, string) (int, error) { return 1, nil }

func (f *fake) Make(_ context.Context, name, _ string) (string, error) {
	if err := f.failure(); err != nil {
		return "", err
	}
	f.made = append(f.made, name)
	return name, nil
}

func (f *fake) Join(_ context.Context, link, _ string) (string, bool, error) {
	if err := f.failure(); err != nil {
		return "", false, err
	}
	f.joined = append(f.joined, link)
	return "theirs", false, nil
}

func one() []flow.Mesh { return []flow.Mesh{{Name: "team", ID: "aabbccdd00"}} }

func outcast() []flow.Mesh {
	return []flow.Mesh{{Name: "team", ID: "aabbccdd00", Trouble: op.Word("eve removed you from team")}}
}

func two() []flow.Mesh { return append(one(), flow.Mesh{Name: "other", ID: "eeff001122"}) }

// known is a session of which a mesh, a name and all the rest are known.
func known(change func(*flow.Session)) *flow.Session {
	s := &flow.Session{
		Looked: true, Meshes: two(), Mesh: "team",
		Name: flow.Say("ana"), Role: flow.Say(""), Groups: flow.Say(""), Mode: flow.Say(""),
	}
	if change != nil {
		change(s)
	}
	return s
}

// Which step is shown follows from what is known alone.
func TestWhatIsKnownDecidesWhatComesNext(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*flow.Session)
		want   string
	}{
		"nothing":                    {func(s *flow.Session) { *s = flow.Session{} }, "look"},
		"everything":                 {nil, "confirm"},
		"and a yes":                  {func(s *flow.Session) { s.Confirmed = true }, ""},
		"no mesh":                    {func(s *flow.Session) { s.Meshes, s.Mesh = nil, "" }, "welcome"},
		"to make one":                {func(s *flow.Session) { s.Meshes, s.Mesh, s.Start = nil, "", flow.Create }, "new"},
		"its name":                   {func(s *flow.Session) { s.Meshes, s.Mesh, s.Start, s.NewMesh = nil, "", flow.Create, "x1" }, "confirm"},
		"its name, and a yes":        {func(s *flow.Session) { s.Meshes, s.Mesh, s.NewMesh, s.Confirmed = nil, "", "x1", true }, "make"},
		"to join one":                {func(s *flow.Session) { s.Meshes, s.Mesh, s.Start = nil, "", flow.Join }, "link"},
		"a link":                     {func(s *flow.Session) { s.Meshes, s.Mesh, s.Link = nil, "", "claudemesh://x" }, "confirm"},
		"a link, and a yes":          {func(s *flow.Session) { s.Mesh, s.Link, s.Confirmed = "", "claudemesh://x", true }, "join"},
		"several meshes":             {func(s *flow.Session) { s.Mesh = "" }, "mesh"},
		"several, and a yes already": {func(s *flow.Session) { s.Mesh, s.Confirmed = "", true }, "mesh"},
		"another is to be made":      {func(s *flow.Session) { s.Mesh, s.Start = "", flow.Create }, "new"},
		"no name":                    {func(s *flow.Session) { s.Name = flow.Text{} }, "name"},
		"no role":                    {func(s *flow.Session) { s.Role = flow.Text{} }, "role"},
		"no groups":                  {func(s *flow.Session) { s.Groups = flow.Text{} }, "groups"},
		"no mode":                    {func(s *flow.Session) { s.Mode = flow.Text{} }, "mode"},
		"neither name nor role":      {func(s *flow.Session) { s.Name, s.Role = flow.Text{}, flow.Text{} }, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := flow.Launch(isLink).Next(known(c.change))
			if ok != (c.want != "") || e.ID != c.want {
				t.Errorf("%q, not %q", e.ID, c.want)
			}
		})
	}
}

// Every answer that the confirmation offers to change leads back to its question, and
// from there to the confirmation.
func TestEverythingCanBeChanged(t *testing.T) {
	w := flow.New(flow.Launch(isLink), known(nil))
	e, _ := w.Step()
	for _, o := range e.Ask(w.Session()).Options {
		id, ok := strings.CutPrefix(o.Value, "change:")
		if !ok {
			continue
		}
		w := flow.New(flow.Launch(isLink), known(nil))
		if err := w.Answer(o.Value); err != nil {
			t.Fatal(err)
		}
		e, _ := w.Step()
		if e.ID != id {
			t.Errorf("%s leads to %s", o.Value, e.ID)
		}
		q := e.Ask(w.Session())
		value := "x"
		if len(q.Options) > 0 {
			value = q.Options[0].Value
		}
		if err := w.Answer(value); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if e, _ := w.Step(); e.ID != "confirm" {
			t.Errorf("after %s comes %s", id, e.ID)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		step, value string
		change      func(*flow.Session)
	}{
		{"new", "Not A Name", func(s *flow.Session) { s.Mesh, s.Start = "", flow.Create }},
		{"new", "-x", func(s *flow.Session) { s.Mesh, s.Start = "", flow.Create }},
		{"new", "team", func(s *flow.Session) { s.Mesh, s.Start = "", flow.Create }},
		{"link", "nonsense", func(s *flow.Session) { s.Mesh, s.Start = "", flow.Join }},
		{"mesh", "nowhere", func(s *flow.Session) { s.Mesh = "" }},
		{"name", " ", func(s *flow.Session) { s.Name = flow.Text{} }},
		{"name", strings.Repeat("x", 65), func(s *flow.Session) { s.Name = flow.Text{} }},
		{"groups", "a,b c", func(s *flow.Session) { s.Groups = flow.Text{} }},
		{"mode", "loud", func(s *flow.Session) { s.Mode = flow.Text{} }},
		{"confirm", "perhaps", nil},
	} {
		w := flow.New(flow.Launch(isLink), known(c.change))
		if err := w.Answer(c.value); err == nil {
			t.Errorf("%s takes %q", c.step, c.value)
		}
		if e, _ := w.Step(); e.ID != c.step {
			t.Errorf("%s is followed by %s", c.step, e.ID)
		}
	}
}

// Where nobody is asked, what is missing is named, with what there is to choose from.
func TestNobodyIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		s    flow.Session
		have []flow.Mesh
		code op.Code
		want string // in the hint; or the mesh
	}{
		"one mesh":      {flow.Session{User: "ana"}, one(), "", "team"},
		"named":         {flow.Session{User: "ana", Mesh: "other"}, two(), "", "other"},
		"by its id":     {flow.Session{User: "ana", Mesh: "eeff0011"}, two(), "", "other"},
		"a link":        {flow.Session{User: "ana", Link: "claudemesh://x"}, two(), "", "theirs"},
		"several":       {flow.Session{User: "ana"}, two(), op.Invalid, "one of: team, other"},
		"the last one":  {flow.Session{User: "ana", Last: "team"}, two(), op.Invalid, "one of: team, other"},
		"none":          {flow.Session{User: "ana"}, nil, op.Invalid, "--join"},
		"unknown":       {flow.Session{User: "ana", Mesh: "nowhere"}, one(), op.NotFound, "team"},
		"outcast":       {flow.Session{User: "ana"}, outcast(), op.Denied, "eve removed you"},
		"and named":     {flow.Session{User: "ana", Mesh: "team"}, outcast(), op.Denied, "eve removed you"},
		"and another":   {flow.Session{User: "ana"}, append(outcast(), two()[1]), "", "other"},
		"unknown, none": {flow.Session{User: "ana", Mesh: "nowhere"}, nil, op.NotFound, "claudemesh new"},
	} {
		t.Run(name, func(t *testing.T) {
			w := flow.New(flow.Launch(isLink), &c.s)
			err := w.Through(t.Context(), &fake{meshes: c.have})
			if c.code == "" {
				if err != nil || c.s.Mesh != c.want || c.s.Name.Value != "ana" || !c.s.Reached() {
					t.Errorf("%v, %+v", err, c.s)
				}
				return
			}
			if e := op.AsError(err); err == nil || e.Code != c.code || !strings.Contains(e.Message+e.Hint, c.want) {
				t.Errorf("%v", op.AsError(err))
			}
		})
	}
}

// step goes one step further, whatever comes: work is done, an answer drawn.
func step(r *rapid.T, w *flow.Walk, world *fake) (ended bool) {
	if o, ok := w.Overlay(); ok {
		return w.Answer(rapid.SampledFrom(o.Options).Draw(r, "overlay").Value) != nil
	}
	e, ok := w.Step()
	switch {
	case !ok:
		return true
	case e.IsWork():
		if rapid.IntRange(0, 3).Draw(r, "fails") == 0 {
			codes := []op.Code{op.Unavailable, op.Offline, op.RateLimited, op.Expired, op.Conflict, op.Denied, op.NotFound}
			world.fails = op.Errorf(rapid.SampledFrom(codes).Draw(r, "code"), "no")
		}
		apply, err := e.Do(context.Background(), world, *w.Session())
		w.Done(e, apply, err)
		return false
	}
	q := e.Ask(w.Session())
	value := rapid.SampledFrom([]string{"x1", "", "claudemesh://y", "a:b,c", "!"}).Draw(r, "text")
	if len(q.Options) > 0 {
		value = rapid.SampledFrom(q.Options).Draw(r, "option").Value
	}
	return errors.Is(w.Answer(value), flow.ErrCancelled)
}

// Whatever was answered before somebody gives up: nothing was made and nothing joined
// unless that had been confirmed, and never both, nor twice.
func TestGivingUpLeavesNothingHalfMade(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		world := &fake{meshes: rapid.SampledFrom([][]flow.Mesh{nil, one(), two()}).Draw(r, "meshes")}
		s := &flow.Session{User: "ana", Mesh: rapid.SampledFrom([]string{"", "team", "gone"}).Draw(r, "mesh")}
		w := flow.New(flow.Launch(isLink), s)
		ended := false
		for range rapid.IntRange(0, 40).Draw(r, "steps") {
			if ended = step(r, w, world); ended {
				break
			}
			if n := len(world.made) + len(world.joined); n > 1 || n == 1 && !s.Confirmed {
				r.Fatalf("made %v, joined %v, confirmed %v", world.made, world.joined, s.Confirmed)
			}
		}
		_, left := w.Step()
		if !left && !s.Reached() {
			r.Fatalf("nothing left to ask, and yet not there: %+v", s)
		}
	})
}

func TestOverlays(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*flow.Session)
		code    op.Code
		overlay string
		retries bool
		after   string // the step once the first way out was taken
	}{
		"no node":         {func(s *flow.Session) { *s = flow.Session{} }, op.Unavailable, "lost", true, "look"},
		"not made":        {func(s *flow.Session) { s.Mesh, s.NewMesh, s.Confirmed = "", "x1", true }, op.Conflict, "new", false, "new"},
		"bad invite":      {func(s *flow.Session) { s.Mesh, s.Link, s.Confirmed = "", "claudemesh://x", true }, op.Expired, "invite", false, "link"},
		"inviter is away": {func(s *flow.Session) { s.Mesh, s.Link, s.Confirmed = "", "claudemesh://x", true }, op.Offline, "inviter", false, "join"},
		"too often":       {func(s *flow.Session) { s.Mesh, s.Link, s.Confirmed = "", "claudemesh://x", true }, op.RateLimited, "rate-limited", true, "join"},
	} {
		t.Run(name, func(t *testing.T) {
			w := flow.New(flow.Launch(isLink), known(c.change))
			var waits []int64
			for range 6 {
				e, _ := w.Step()
				apply, err := e.Do(t.Context(), &fake{fails: op.Errorf(c.code, "no")}, *w.Session())
				w.Done(e, apply, err)
				o, ok := w.Overlay()
				if !ok || o.ID != c.overlay || (o.Retry > 0) != c.retries {
					t.Fatalf("%v, %+v", ok, o)
				}
				waits = append(waits, int64(o.Retry))
				w.Retry()
				if e, _ := w.Step(); e.ID != c.after {
					t.Fatalf("then comes %s", e.ID)
				}
				if !e.IsWork() || c.after != e.ID {
					return
				}
			}
			if !slices.IsSorted(waits) || c.retries && waits[0] == waits[len(waits)-1] {
				t.Errorf("it is not tried ever later: %v", waits)
			}
		})
	}
}

func FuzzParseGroups(f *testing.F) {
	for _, s := range []string{"", "a:lead,b,c/d:member", "@a", ",,", "a b", ":", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		groups, err := flow.ParseGroups(text)
		for _, g := range groups {
			if err != nil || g.Name == "" || strings.ContainsAny(g.Name, ",: \n") {
				t.Errorf("%q gives %+v, %v", text, g, err)
			}
		}
	})
}

// A name that no session can have is refused before the agent starts: it would start, and
// not be on the mesh.
func TestNamesThatNoSessionCanHave(t *testing.T) {
	for _, e := range flow.Launch(isLink) {
		if e.ID != "name" {
			continue
		}
		for _, bad := range []string{"", "a:b", "@all", "x\x1b[31m", "-y", "a(b)", strings.Repeat("x", op.MaxName+1)} {
			if err := e.Answer(&flow.Session{}, bad); err == nil {
				t.Errorf("%q is taken", bad)
			}
		}
		if err := e.Answer(&flow.Session{}, " Ana Ñ "); err != nil {
			t.Error(err)
		}
		return
	}
	t.Fatal("nobody asks for a name")
}
