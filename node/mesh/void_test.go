package mesh

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/trust"
)

// A thief sets its clock as it likes, so a time alone misses what it dated back; what
// is not in the past of the last good entry it cannot hide.
func TestVoidSinceAnEntryFindsWhatWasDatedBack(t *testing.T) {
	ana, _, _, team, bos, _ := trio(t)
	set := func(key string, at time.Time) trust.Entry {
		t.Helper()
		e, err := bos.admin.SignSet(bos.member, key, "x", at)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*Mesh{bos, team} {
			if _, err := m.take(t.Context(), []trust.Entry{e}, nil); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
	good := set("good", ana.now)
	ana.pass(24 * time.Hour)
	bad := set("bad", ana.now.Add(24*time.Hour))
	dated := set("dated back", ana.now.AddDate(-1, 0, 0))
	for since, want := range map[string][]trust.Entry{
		"":                 {good, bad, dated},
		"12h":              {bad},
		good.ID().String(): {bad, dated},
	} {
		out, err := ana.answerVoid(t.Context(), user(), VoidRequest{By: "bo", Since: since})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Struck) != len(want) || out.Done || !out.StillAdmin {
			t.Fatalf("since %q: %+v", since, out)
		}
		for i, e := range want {
			if out.Struck[i].ID != e.ID().String() {
				t.Errorf("since %q: entry %d is %+v", since, i, out.Struck[i])
			}
		}
	}
	out, err := ana.answerVoid(t.Context(), user(), VoidRequest{By: "bo", Since: good.ID().String(), Apply: true})
	if err != nil || !out.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := team.State().Settings; len(got) != 1 || got["good"] != "x" {
		t.Errorf("settings %v", got)
	}
}
