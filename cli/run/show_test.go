package run

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/lang"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/policy"
)

// What an answer says of itself is said in the person's language; the words that are typed
// stay.
func TestAnswersAreSpoken(t *testing.T) {
	key := strings.Repeat("a", 64)
	for _, c := range []struct {
		answer      op.Texter
		text, words string
	}{
		{grant.ListResponse{Slug: "team", Peers: []grant.Granted{{Name: "ana", Key: key, Caps: []string{"read", "dm"}}, {Key: key, Blocked: true}}},
			"ana (aaaaaaaaaaaaaaaa) may read, dm\nmember aaaaaaaaaaaaaaaa (aaaaaaaaaaaaaaaa) is blocked\nall others in team may do nothing",
			"ana (aaaaaaaaaaaaaaaa) puede read, dm\nmiembro aaaaaaaaaaaaaaaa (aaaaaaaaaaaaaaaa) está bloqueado\ncualquier otro en team no puede hacer nada"},
		{grant.PeerResponse{Slug: "team", Granted: grant.Granted{Name: "ana", Caps: []string{"dm"}, Writes: "no"}, Released: 2},
			"In team, ana may dm; its writes to shared state do not count.\n2 message(s) that were held wait for you now.",
			"En team, ana puede dm; lo que escribe en el estado compartido no cuenta.\n2 mensaje(s) retenidos te esperan ahora."},
		{policy.ShowResponse{Mode: policy.Write, User: []policy.Rule{{Operation: "mesh.ban", Decision: policy.Deny}}, Path: "/p"},
			"mode write\ndeny  mesh.ban  in *  (yours)\nallow  everything else\nrules: /p",
			"modo write\ndeny  mesh.ban  en *  (tuya)\nallow  todo lo demás\nreglas: /p"},
		{plain("as it is"), "as it is", "as it is"},
	} {
		if got := speaking(t, "en").Told(c.answer); got != c.text || got != c.answer.Text() {
			t.Errorf("in English %q, want %q", got, c.text)
		}
		if got := speaking(t, "es").Told(c.answer); got != c.words {
			t.Errorf("in Spanish %q, want %q", got, c.words)
		}
	}
}

// plain is an answer that knows English alone.
type plain string

func (p plain) Text() string { return string(p) }

// speaking is a command line in a language.
func speaking(t *testing.T, language string) *App {
	t.Helper()
	getenv := func(name string) string { return map[string]string{"CLAUDEMESH_LANG": language}[name] }
	return &App{Term: term.New(term.Config{Getenv: getenv, Say: lang.For(getenv)})}
}
