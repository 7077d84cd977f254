package settings_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/settings"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheNearestSourceWins(t *testing.T) {
	off := false
	file := `{"version":1,"displayName":"ana","future":[1],"node":{"listen":["127.0.0.1:7"],"mdns":false}}`
	all := map[string]string{settings.EnvListen: "127.0.0.1:8, /ip4/127.0.0.1/tcp/9", settings.EnvMDNS: "1"}
	for name, c := range map[string]struct {
		file         string
		env          map[string]string
		flags        settings.Flags
		listen       []string
		listenSource string
		mdns         bool
		mdnsSource   string
	}{
		"default":     {"", nil, settings.Flags{}, nil, "default", true, "default"},
		"file":        {file, nil, settings.Flags{}, []string{"/ip4/127.0.0.1/tcp/7", "/ip4/127.0.0.1/udp/7/quic-v1"}, "config.json", false, "config.json"},
		"environment": {file, all, settings.Flags{}, []string{"/ip4/127.0.0.1/tcp/8", "/ip4/127.0.0.1/udp/8/quic-v1", "/ip4/127.0.0.1/tcp/9"}, "CLAUDEMESH_LISTEN", true, "CLAUDEMESH_MDNS"},
		"flags":       {file, all, settings.Flags{Listen: []string{"[::1]:5"}, MDNS: &off}, []string{"/ip6/::1/tcp/5", "/ip6/::1/udp/5/quic-v1"}, "--listen", false, "--mdns"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				write(t, dir, c.file)
			}
			s, err := settings.Load(dir, env(c.env), c.flags)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(s.Listen, settings.Value[[]string]{Value: c.listen, Source: c.listenSource}) {
				t.Errorf("listen: %+v", s.Listen)
			}
			if s.MDNS != (settings.Value[bool]{Value: c.mdns, Source: c.mdnsSource}) {
				t.Errorf("mdns: %+v", s.MDNS)
			}
			if s.MessageMode.Value != "push" || !s.PortMap.Value {
				t.Errorf("defaults: %+v", s)
			}
		})
	}
}

func TestWrongSettingsNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		file, listen, mdns, want string
	}{
		"file is no JSON": {"{", "", "", "config.json"},
		"wrong type":      {`{"displayName":7}`, "", "", "config.json"},
		"mode":            {`{"messageMode":"loud"}`, "", "", "loud"},
		"switch":          {"", "", "maybe", "CLAUDEMESH_MDNS"},
		"no port":         {"", "127.0.0.1", "", "CLAUDEMESH_LISTEN"},
		"port too large":  {"", "127.0.0.1:70000", "", "70000"},
		"host name":       {"", "example.org:80", "", "example.org"},
		"multiaddr":       {"", "/ip4/999.1.1.1/tcp/1", "", "999.1.1.1"},
		"in the file":     {`{"node":{"listen":["x"]}}`, "", "", "config.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				write(t, dir, c.file)
			}
			_, err := settings.Load(dir, env(map[string]string{settings.EnvListen: c.listen, settings.EnvMDNS: c.mdns}), settings.Flags{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheFolder(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	usual := filepath.Join(home, ".claudemesh")

	f, err := settings.Find(env(nil))
	if err != nil || f.Path != usual || f.Stale != "" {
		t.Fatalf("default: %+v, %v", f, err)
	}
	if info, err := os.Stat(usual); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode: %v, %v", info, err)
	}
	named := t.TempDir()
	f, err = settings.Find(env(map[string]string{settings.EnvDir: named}))
	if err != nil || f.Path != named || f.Stale != "" {
		t.Fatalf("named: %+v, %v", f, err)
	}
	gone := filepath.Join(named, "gone")
	f, err = settings.Find(env(map[string]string{settings.EnvDir: gone}))
	if err != nil || f.Path != usual || f.Stale != gone {
		t.Fatalf("stale: %+v, %v", f, err)
	}
	open := t.TempDir()
	write(t, open, "{}")
	if err := os.Rename(filepath.Join(open, "config.json"), filepath.Join(open, "thesis.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err = settings.Find(env(map[string]string{settings.EnvDir: open})); err == nil {
		t.Fatal("a folder in use for something else was closed")
	}
	write(t, named, "{}")
	if _, err = settings.Find(env(map[string]string{settings.EnvDir: filepath.Join(named, "config.json")})); err == nil {
		t.Fatal("a file passed for a folder")
	}
}

func FuzzAddrs(f *testing.F) {
	for _, s := range []string{"127.0.0.1:1", ":7", "[::1]:1", "/ip4/1.2.3.4/tcp/5", "localhost:0", "[fe80::1%eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addrs, err := settings.Addrs(s)
		if err == nil && len(addrs) == 0 {
			t.Fatal("no error and no address")
		}
	})
}

// Setting a key keeps what else stands in the file, and refuses what could not be
// loaded.
func TestSet(t *testing.T) {
	keys := make(map[string]settings.Key)
	for _, k := range settings.Keys() {
		keys[k.Name] = k
	}
	for name, c := range map[string]struct {
		before, key, value string
		after, fails       string
	}{
		"new file":     {"", "mcp.tools", "core", `{"mcp":{"tools":"core"},"version":1}`, ""},
		"kept":         {`{"version":2,"future":[1],"node":{"x":7,"mdns":false}}`, "node.mdns", "on", `{"future":[1],"node":{"mdns":true,"x":7},"version":2}`, ""},
		"list":         {`{"version":1}`, "node.listen", "127.0.0.1:7, :8", `{"node":{"listen":["127.0.0.1:7",":8"]},"version":1}`, ""},
		"removed":      {`{"mcp":{"joins":false},"role":"x"}`, "mcp.joins", "", `{"role":"x"}`, ""},
		"mode":         {`{"role":"x"}`, "messageMode", "loud", `{"role":"x"}`, "none of push, inbox, off"},
		"tier":         {`{"role":"x"}`, "mcp.tools", "all", `{"role":"x"}`, "none of full, core, none"},
		"switch":       {`{"role":"x"}`, "mcp.joins", "maybe", `{"role":"x"}`, "neither on nor off"},
		"address":      {`{"role":"x"}`, "node.listen", "here", `{"role":"x"}`, "here"},
		"no object":    {`{"node":7}`, "node.mdns", "on", `{"node":7}`, "no object"},
		"broken":       {`{`, "role", "x", `{`, "cannot be read"},
		"null":         {`null`, "role", "x", `null`, "no object"},
		"other wrong":  {`{"messageMode":"loud"}`, "role", "x", `{"messageMode":"loud"}`, "loud"},
		"not a string": {`{"role":7}`, "messageMode", "off", `{"role":7}`, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != "" {
				write(t, dir, c.before)
			}
			err := keys[c.key].Set(dir, c.value)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v", err)
			}
			text, err := os.ReadFile(settings.Path(dir))
			if err != nil {
				t.Fatal(err)
			}
			var flat bytes.Buffer
			if json.Compact(&flat, text) != nil {
				flat.Write(text)
			}
			if flat.String() != c.after {
				t.Errorf("the file holds %s", flat.String())
			}
			if mode, ok, err := settings.FileMode(dir); err != nil || !ok || mode != 0o600 {
				t.Errorf("mode %v, %v, %v", mode, ok, err)
			}
		})
	}
}

func TestEverySettingIsShown(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, `{"mcp":{"joins":false},"messageMode":"inbox"}`)
	s, err := settings.Load(dir, env(map[string]string{settings.EnvTools: "none"}), settings.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]settings.Shown)
	for _, k := range settings.Keys() {
		shown[k.Name] = k.Show(s)
	}
	for key, want := range map[string]settings.Shown{
		"mcp.joins":   {Key: "mcp.joins", Value: false, Source: "config.json"},
		"mcp.tools":   {Key: "mcp.tools", Value: "none", Source: "CLAUDEMESH_TOOLS"},
		"messageMode": {Key: "messageMode", Value: "inbox", Source: "config.json"},
		"node.mdns":   {Key: "node.mdns", Value: true, Source: "default"},
	} {
		if shown[key] != want {
			t.Errorf("%s: %+v", key, shown[key])
		}
	}
}
