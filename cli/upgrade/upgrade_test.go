//go:build unix

package upgrade

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is one that says its version.
func program(version string) []byte {
	return []byte("#!/bin/sh\necho '  claudemesh " + version + "'\n")
}

// shop serves a release.
type shop struct {
	files map[string][]byte
	// serve answers in the place of files, where it is set.
	serve func(w http.ResponseWriter, r *http.Request, name string) bool
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/latest/")
	if s.serve != nil && s.serve(w, r, name) {
		return
	}
	text, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(text)
}

// stage is an installed program v1.0.0 and a shop with v2.0.0.
type stage struct {
	*Upgrader
	shop    *shop
	private ed25519.PrivateKey
	exe     string
}

const linux = "claudemesh-linux-amd64"

func newStage(t *testing.T) *stage {
	t.Helper()
	key, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{shop: &shop{}, private: private, exe: filepath.Join(t.TempDir(), "claudemesh")}
	if err := os.WriteFile(s.exe, program("v1.0.0"), 0o750); err != nil {
		t.Fatal(err)
	}
	s.stock(t, "v2.0.0", program("v2.0.0"))
	server := httptest.NewServer(s.shop)
	t.Cleanup(server.Close)
	s.Upgrader = New(Config{
		URL: server.URL + "/latest/", Key: key, Version: "1.0.0", Executable: s.exe, GOOS: "linux", GOARCH: "amd64",
		MaxSize: 4096, Patience: 10 * time.Second,
	})
	return s
}

// stock puts a release into the shop, with its checksums and signature.
func (s *stage) stock(t *testing.T, version string, text []byte) {
	t.Helper()
	info, err := release.Info{Version: version}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sums := release.Sums{linux: sha256.Sum256(text), release.InfoName: sha256.Sum256(info)}.Encode()
	s.shop.files = map[string][]byte{
		linux: text, release.InfoName: info, release.SumsName: sums, release.SignatureName: ed25519.Sign(s.private, sums),
	}
}

// upgrade checks and installs.
func (s *stage) upgrade(ctx context.Context) error {
	f, err := s.Check(ctx)
	if err != nil {
		return err
	}
	return s.Install(ctx, f)
}

// installed is what stands in the program's place, and that nothing lies beside it but
// the program before.
func (s *stage) installed(t *testing.T) string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(s.exe), ".claudemesh-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	said, err := says(t.Context(), s.exe)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func TestUpgradeAndBack(t *testing.T) {
	for _, goos := range []string{"linux", "windows"} {
		t.Run(goos, func(t *testing.T) {
			s := newStage(t)
			s.cfg.GOOS = goos
			s.shop.files["claudemesh-windows-amd64.exe"] = s.shop.files[linux]
			if goos == "windows" { // how a running program is replaced there
				sums, err := release.ParseSums(s.shop.files[release.SumsName])
				if err != nil {
					t.Fatal(err)
				}
				sums["claudemesh-windows-amd64.exe"] = sums[linux]
				s.shop.files[release.SumsName] = sums.Encode()
				s.shop.files[release.SignatureName] = ed25519.Sign(s.private, sums.Encode())
			}
			f, err := s.Check(t.Context())
			if err != nil || f.Version != "v2.0.0" || !f.Newer {
				t.Fatalf("%+v, %v", f, err)
			}
			if err := s.Install(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			if got := s.installed(t); got != "v2.0.0" {
				t.Errorf("installed: %s", got)
			}
			if info, err := os.Stat(s.exe); err != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			for _, want := range []string{"v1.0.0", "v2.0.0", "v1.0.0"} {
				got, err := s.Back(t.Context())
				if err != nil || got != want || s.installed(t) != want {
					t.Errorf("back to %s: %s, %v", want, got, err)
				}
			}
		})
	}
}

// Of two upgrades at once the second does not keep the new program as the one before.
func TestTwoUpgradesLeaveAWayBack(t *testing.T) {
	s := newStage(t)
	f, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Install(t.Context(), f); err != nil || s.installed(t) != "v2.0.0" {
			t.Fatalf("%s, %v", s.installed(t), err)
		}
	}
	if got, err := s.Back(t.Context()); err != nil || got != "v1.0.0" {
		t.Errorf("back to %s, %v", got, err)
	}
}

// Whatever is wrong with a release, the old program stays, and nothing lies about.
func TestReleasesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *stage)
		want  error
	}{
		"another's signature": {func(_ *testing.T, s *stage) {
			_, other, _ := ed25519.GenerateKey(nil)
			s.shop.files[release.SignatureName] = ed25519.Sign(other, s.shop.files[release.SumsName])
		}, release.ErrUnsigned},
		"no signature": {func(_ *testing.T, s *stage) { delete(s.shop.files, release.SignatureName) }, ErrNone},
		"sums changed": {func(_ *testing.T, s *stage) {
			sums, _ := release.ParseSums(s.shop.files[release.SumsName])
			s.shop.files[linux] = program("v2.0.0 ")
			sums[linux] = sha256.Sum256(s.shop.files[linux])
			s.shop.files[release.SumsName] = sums.Encode()
		}, release.ErrUnsigned},
		"an old release shown as new": {func(_ *testing.T, s *stage) {
			s.shop.files[release.InfoName] = []byte(`{"version":"v9.0.0"}`)
		}, release.ErrSum},
		"another program":      {func(_ *testing.T, s *stage) { s.shop.files[linux] = program("v6.6.6") }, release.ErrSum},
		"not for this system":  {func(_ *testing.T, s *stage) { s.cfg.GOARCH = "riscv64" }, release.ErrNotListed},
		"program not there":    {func(_ *testing.T, s *stage) { delete(s.shop.files, linux) }, ErrNone},
		"nothing there at all": {func(_ *testing.T, s *stage) { s.shop.files = nil }, ErrNone},
		"too large":            {func(t *testing.T, s *stage) { s.stock(t, "v2.0.0", make([]byte, 5000)) }, ErrTooLarge},
		"too large, unsaid": {func(_ *testing.T, s *stage) {
			s.serves(linux, func(w http.ResponseWriter, _ *http.Request) {
				for range 100 {
					_, _ = w.Write(make([]byte, 100))
					w.(http.Flusher).Flush()
				}
			})
		}, ErrTooLarge},
		"endless small file": {func(_ *testing.T, s *stage) {
			s.serves(release.InfoName, func(w http.ResponseWriter, _ *http.Request) {
				for range release.MaxText {
					if _, err := w.Write([]byte("{}")); err != nil {
						return
					}
				}
			})
		}, ErrTooLarge},
		"broken off": {func(_ *testing.T, s *stage) {
			s.serves(linux, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(s.shop.files[linux])))
				_, _ = w.Write(s.shop.files[linux][:10])
			})
		}, ErrUnreachable},
		"stops in the middle": {func(_ *testing.T, s *stage) {
			s.cfg.Patience = 50 * time.Millisecond
			s.serves(linux, func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write(s.shop.files[linux][:10])
				w.(http.Flusher).Flush()
				<-r.Context().Done() // silent until it is left
			})
		}, ErrUnreachable},
		"slower than the limit": {func(_ *testing.T, s *stage) {
			s.cfg.Limit = 200 * time.Millisecond
			s.serves(linux, func(w http.ResponseWriter, r *http.Request) {
				drip := time.NewTicker(10 * time.Millisecond) // never silent for long
				defer drip.Stop()
				for r.Context().Err() == nil {
					if _, err := w.Write([]byte{' '}); err != nil {
						return
					}
					w.(http.Flusher).Flush()
					select {
					case <-drip.C:
					case <-r.Context().Done():
					}
				}
			})
		}, ErrUnreachable},
		"out of order": {func(_ *testing.T, s *stage) {
			s.serves(linux, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sorry", http.StatusBadGateway) })
		}, ErrUnreachable},
		"does not start":     {func(t *testing.T, s *stage) { s.stock(t, "v2.0.0", []byte("#!/bin/sh\nexit 1\n")) }, ErrBroken},
		"another version":    {func(t *testing.T, s *stage) { s.stock(t, "v2.0.0", program("v1.5.0")) }, ErrBroken},
		"no program at all":  {func(t *testing.T, s *stage) { s.stock(t, "v2.0.0", []byte("hello")) }, ErrBroken},
		"kept by a packager": {func(_ *testing.T, s *stage) { s.cfg.Executable = "/opt/homebrew/Cellar/claudemesh/1/bin/claudemesh" }, ErrManaged},
		"nowhere":            {func(_ *testing.T, s *stage) { s.cfg.Executable = "/proc/none/claudemesh" }, ErrPlace},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			c.spoil(t, s)
			if err := s.upgrade(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			if got := s.installed(t); got != "v1.0.0" {
				t.Errorf("installed: %s", got)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(s.exe), "claudemesh.previous")); err == nil {
				t.Error("something was kept")
			}
		})
	}
}

// serves answers for one file.
func (s *stage) serves(name string, answer func(http.ResponseWriter, *http.Request)) {
	s.shop.serve = func(w http.ResponseWriter, r *http.Request, asked string) bool {
		if asked == name {
			answer(w, r)
		}
		return asked == name
	}
}

func TestAnOlderReleaseIsNotNewer(t *testing.T) {
	s := newStage(t)
	s.stock(t, "v0.9.0", program("v0.9.0"))
	if f, err := s.Check(t.Context()); err != nil || f.Newer || f.Version != "v0.9.0" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestBackWithoutAnything(t *testing.T) {
	s := newStage(t)
	if _, err := s.Back(t.Context()); !errors.Is(err, ErrNoPrevious) {
		t.Error(err)
	}
}

// At every moment of a replacement one of the two programs stands there, whole.
func TestAWholeProgramStandsThereAtEveryMoment(t *testing.T) {
	s := newStage(t)
	one, two := program("v1.0.0"), []byte(strings.Repeat("#", 100_000))
	var looking sync.WaitGroup
	done := make(chan struct{})
	looking.Go(func() {
		for {
			text, err := os.ReadFile(s.exe)
			if err != nil || string(text) != string(one) && string(text) != string(two) {
				t.Errorf("%d bytes, %v", len(text), err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 200 {
		next := filepath.Join(filepath.Dir(s.exe), ".claudemesh-new-x")
		text := two
		if i%2 == 1 {
			text = one
		}
		if err := os.WriteFile(next, text, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.swap(next); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	looking.Wait()
}

// What a killed upgrade has left behind goes with the next one, what another one is
// writing does not.
func TestLeftoversAreSwept(t *testing.T) {
	s := newStage(t)
	old, young := filepath.Join(filepath.Dir(s.exe), ".claudemesh-new-1"), filepath.Join(filepath.Dir(s.exe), ".claudemesh-new-2")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	if err := s.upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one is still there")
	}
	if err := os.Remove(young); err != nil {
		t.Error(err)
	}
}

// Never is a program fetched over an open connection because a closed one led there.
func TestNotLedToAnOpenConnection(t *testing.T) {
	s := newStage(t)
	led := httptest.NewTLSServer(http.RedirectHandler(s.cfg.URL, http.StatusFound))
	defer led.Close()
	s.http = led.Client()
	s.http.CheckRedirect = client(s.cfg.Patience).CheckRedirect
	s.cfg.URL = led.URL
	if _, err := s.Check(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "without encryption") {
		t.Error(err)
	}
}

func TestDueOnceADay(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Minute, false}, {23 * time.Hour, false}, {24 * time.Hour, true}, {25 * time.Hour, false}, {-time.Hour, true}} {
		if got := Due(dir, now.Add(c.after)); got != c.want {
			t.Errorf("after %v: %v", c.after, got)
		}
	}
	if Due(filepath.Join(dir, "gone"), now) {
		t.Error("due where it cannot be noted")
	}
}
