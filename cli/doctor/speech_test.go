package doctor

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/lang"
)

// What is found, what to do and what was done are said in a person's language, and
// how they were made is in no document.
func TestFindingsAreSpoken(t *testing.T) {
	english := func(text string) string { return text }
	spanish := lang.For(func(name string) string { return map[string]string{"CLAUDEMESH_LANG": "es"}[name] })
	for _, s := range sicknesses {
		t.Run(s.what, func(t *testing.T) {
			p := newPatient(t)
			s.cause(t, p)
			for _, f := range p.look(t, s.check, true).Findings {
				same, other := f.In(english), f.In(spanish)
				if texts(same) != texts(f) {
					t.Errorf("%+v is said %+v", f, same)
				}
				if strings.Contains(f.Detail, s.says) && texts(other) == texts(f) {
					t.Errorf("all of it is English: %+v", f)
				}
				if raw, err := json.Marshal(f); err != nil || !strings.Contains(string(raw), "\"detail\":") || strings.Contains(string(raw), "said") {
					t.Errorf("the document is %s, %v", raw, err)
				}
			}
		})
	}
}

// A sentence is whole: its counts and lists are said, too, and names stay.
func TestFindingsAreSpokenWhole(t *testing.T) {
	spanish := lang.For(func(name string) string { return map[string]string{"LANG": "es_MX.UTF-8"}[name] })
	p := newPatient(t)
	p.health.Sessions[0].Arrived, p.health.Sessions[0].Unconfirmed = false, 3
	p.meshes.Meshes[0].Slug = "members"
	for check, want := range map[string]string{
		"channels": "los canales no parecen llegar a ana (3 mensajes por el canal, sin que conste que llegara ninguno); en su lugar traen los mensajes los ganchos",
		"meshes":   "members (2 miembros)",
		"clock":    "como los relojes de 2 miembros más",
	} {
		if got := p.look(t, check, false).Findings[0].In(spanish).Detail; got != want {
			t.Errorf("%s: %q, want %q", check, got, want)
		}
	}
}

func texts(f Finding) string { return strings.Join([]string{f.Detail, f.Fix, f.Done, f.NotDone}, "\n") }
