package lang_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/cli/lang"
)

func TestFor(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"nothing set", nil, "Usage"},
		{"C", map[string]string{"LANG": "C"}, "Usage"},
		{"Mexico", map[string]string{"LANG": "es_MX.UTF-8"}, "Uso"},
		{"with a modifier", map[string]string{"LANG": "es_ES@euro"}, "Uso"},
		{"all before LANG", map[string]string{"LANG": "es_ES.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "Usage"},
		{"own before all", map[string]string{"CLAUDEMESH_LANG": "es", "LC_ALL": "en_GB.UTF-8"}, "Uso"},
		{"no locale at all", map[string]string{"LANG": "../../etc/passwd"}, "Usage"},
		{"a language it has not", map[string]string{"LANG": "de_DE.UTF-8"}, "Usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			say := lang.For(func(name string) string { return c.env[name] })
			if got := say("Usage"); got != c.want {
				t.Errorf("says %q, want %q", got, c.want)
			}
			if got := say("no such text {{.X}} %d"); got != "no such text {{.X}} %d" {
				t.Errorf("an unknown text became %q", got)
			}
		})
	}
}
