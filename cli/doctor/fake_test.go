package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var today = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// patient is a machine on which everything works, until a test changes something.
type patient struct {
	Env
	hello   local.Hello
	down    error // what Hello fails with
	health  health.ShowResponse
	meshes  mesh.ListResponse
	ping    overview.PingResponse
	refused audit.QueryResponse
	invites mesh.InvitesResponse
	set     settings.Settings
	setErr  error
	held    int
	foreign error // what Foreign says
	procs   []probe.Process
	claude  string // what claude --version says
	hook    time.Duration
}

const id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var seed = ident.Seed{1, 2, 3}

// newPatient is healthy.
func newPatient(t *testing.T) *patient {
	t.Helper()
	home := t.TempDir()
	p := &patient{
		hello:  local.Hello{Version: "1.0", PID: 77, Ready: true},
		claude: "2.1.330 (Claude Code)", hook: 40 * time.Millisecond,
		meshes:  mesh.ListResponse{Meshes: []mesh.Info{{ID: id, Slug: "team", Members: 2, MemberKey: seed.Member().Public().String()}}},
		invites: mesh.InvitesResponse{Mesh: "team"},
	}
	p.health = health.ShowResponse{
		Peer: "12D3", User: 1000, Ports: []health.Port{{Wanted: "/ip4/0.0.0.0/tcp/0", Actual: []string{"/ip4/0.0.0.0/tcp/4001"}}},
		LAN:      health.LAN{State: health.LANOn, Found: 1},
		Meshes:   []health.Mesh{{ID: id, Slug: "team", Clocks: 2, Offset: 400}},
		Sessions: []health.Session{{ID: "s-1", Name: "ana", Agent: claudeCode, Attached: true, Mode: "push", Arrived: true, Speech: health.Speech{Protocol: "2025-11-25", Client: "claude-code 2.1.330", Server: "1.0"}}},
	}
	p.ping = overview.PingResponse{Slug: "team", Connection: "connected", Priorities: []overview.Trips{{Priority: overview.Now, Trips: []overview.Trip{{Name: "ben", Path: "local", MS: 1.2}}}}}
	p.set.MDNS.Value = true
	dir := filepath.Join(home, ".claudemesh")
	must(t, os.MkdirAll(filepath.Join(dir, "keys"), 0o700), os.Mkdir(filepath.Join(home, "tmp"), 0o700), os.Mkdir(filepath.Join(home, "bin"), 0o700))
	program := filepath.Join(home, "bin", "claudemesh")
	must(t, os.WriteFile(program, nil, 0o700))
	must(t, file.Write(filepath.Join(dir, "keys", id+".key"), []byte(hexOf(seed)+"\n")), file.Write(filepath.Join(dir, "config.json"), []byte("{}")))
	look := func(name string) (string, error) {
		switch name {
		case "claude":
			return "/usr/bin/claude", nil
		case "claudemesh", program:
			return program, nil
		}
		return "", fs.ErrNotExist
	}
	p.Env = Env{
		Version: "1.0", Program: program, Home: home, Temp: filepath.Join(home, "tmp"), Dir: dir,
		Getenv: func(string) string { return "" }, Now: func() time.Time { return today },
		Setup: setup.New(setup.Config{
			Home: home, Getenv: func(string) string { return "" }, LookPath: look, Program: "claudemesh", Copies: filepath.Join(dir, "setup"),
			Skill: "skill", Hooks: true, Now: func() time.Time { return today },
		}),
		Release:  func(context.Context) (Release, error) { return Release{Configured: true, Version: "1.0"}, nil },
		Alive:    func(pid int) bool { return pid == 1 },
		Settings: func() (settings.Settings, error) { return p.set, p.setErr },
		System: probe.System{
			User: os.Geteuid(), LookPath: look, Programs: func(string) []string { return []string{program} },
			Run: func(_ context.Context, _, program string, args ...string) (string, time.Duration, error) {
				if args[0] == "hook" {
					return "", p.hook, nil
				}
				return p.claude, time.Millisecond, nil
			},
			Free:      func(string) (int64, int64, error) { return 1 << 40, -1, nil },
			TryWrite:  func(string) error { return nil },
			Owner:     func(fs.FileInfo) (int, bool) { return os.Geteuid(), true },
			Dial:      func(context.Context, string) error { return nil },
			Holder:    func(string) int { return p.held },
			Processes: func() []probe.Process { return p.procs },
			Route:     func() error { return nil }, Multicast: func(context.Context) error { return nil },
			Taken: func(string) error { return nil }, Handler: func(string) string { return "x.desktop" },
		},
		Node: Node{
			Socket: filepath.Join(dir, "node.sock"),
			Hello: func(context.Context) (local.Hello, error) {
				if p.down != nil {
					return local.Hello{}, p.down
				}
				return p.hello, nil
			},
			Absent:  func(err error) bool { return errors.Is(err, errNobody) },
			Start:   func(context.Context) error { p.down = nil; return nil },
			Explain: func(err error) *op.Error { return op.AsError(err).WithHint("`claudemesh node logs` has more") },
			Doer:    p, Listener: func() int { return 77 }, Foreign: func() error { return p.foreign },
			Store: func() error { return nil }, Key: func() (string, error) { return "12D3", nil },
		},
	}
	if _, err := p.Setup.Install("claude"); err != nil {
		t.Fatal(err)
	}
	p.listen(t)
	return p
}

var errNobody = errors.New("nobody listens")

// listen puts a socket where the node's is.
func (p *patient) listen(t *testing.T) {
	t.Helper()
	if l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.Node.Socket, Net: "unix"}); err == nil {
		t.Cleanup(func() { l.Close() })
	} else {
		t.Fatal(err)
	}
}

// Do answers as the node would.
func (p *patient) Do(_ context.Context, _ op.Caller, name string, _ json.RawMessage) (json.RawMessage, error) {
	answers := map[string]any{
		health.Show.ID: p.health, mesh.List.ID: p.meshes, overview.Ping.ID: p.ping, audit.Query.ID: p.refused, mesh.Invites.ID: p.invites,
	}
	out, ok := answers[name]
	if !ok {
		return nil, op.Errorf(op.NotFound, "no operation %s", name)
	}
	return json.Marshal(out)
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func hexOf(s ident.Seed) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range s {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// refusedDial is how a socket answers at which nobody listens.
func refusedDial(context.Context, string) error { return syscall.ECONNREFUSED }

// look runs one check.
func (p *patient) look(t *testing.T, name string, fix bool) Result {
	t.Helper()
	for _, c := range checks() {
		if c.name == name {
			return run(t.Context(), p.Env, Options{Fix: fix}, []check{c})[0]
		}
	}
	t.Fatalf("there is no check %s", name)
	return Result{}
}

// write puts a text into a file in the home.
func (p *patient) write(t *testing.T, text string, name ...string) {
	t.Helper()
	path := filepath.Join(append([]string{p.Home}, name...)...)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
}
