package session

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/run"
)

func TestStatusLine(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	const fresh, old = "2026-05-04T11:59:30Z", "2026-05-04T11:58:00Z"
	for name, c := range map[string]struct{ cache, last, want string }{
		"no file":       {"", "", "◇ claudemesh (not joined)"},
		"broken":        {"{", "", "◇ claudemesh (not joined)"},
		"none":          {"{}", "", "◇ claudemesh (not joined)"},
		"one":           {`{"team":{"total":3,"online":2,"updatedAt":"` + fresh + `","you":"ana"}}`, "", "◇ team · 2/3 online · ana"},
		"no name":       {`{"team":{"total":3,"online":2,"updatedAt":"` + fresh + `"}}`, "", "◇ team · 2/3 online"},
		"stale":         {`{"team":{"total":3,"online":2,"updatedAt":"` + old + `"}}`, "", "◇ team · 2/3 (stale)"},
		"the last used": {`{"a":{"updatedAt":"` + fresh + `"},"b":{"total":1,"updatedAt":"` + fresh + `"}}`, "b", "◇ b · 0/1 online"},
		"the first":     {`{"b":{"updatedAt":"` + fresh + `"},"a":{"total":1,"updatedAt":"` + fresh + `"}}`, "gone", "◇ a · 0/1 online"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &app{&run.App{Folder: t.TempDir()}}
			if c.cache != "" {
				if err := os.WriteFile(filepath.Join(a.Folder, "peer-cache.json"), []byte(c.cache), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a.Used(c.last)
			if got := a.statusLine(now); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
