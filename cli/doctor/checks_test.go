package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Where everything works no check has anything to say.
func TestTheHealthyPass(t *testing.T) {
	for _, r := range Run(t.Context(), newPatient(t).Env, Options{}) {
		if r.Status != Pass {
			t.Errorf("%s: %s %+v", r.Check, r.Status, r.Findings)
		}
	}
}

// sick is one thing that is wrong, and what must be said about it.
type sick struct {
	what   string
	check  string
	cause  func(t *testing.T, p *patient)
	status Status
	says   string // in the detail
	remedy string // in the fix
	mended string // what --fix says; empty: it mends nothing
}

var sicknesses = []sick{
	{"not on PATH", "path", func(_ *testing.T, p *patient) { p.System.Programs = func(string) []string { return nil } }, Warn, "no folder of PATH has claudemesh", "export PATH=", ""},
	{"another first on PATH", "path", func(_ *testing.T, p *patient) {
		p.System.Programs = func(string) []string { return []string{"/bin/sh"} }
	}, Warn, "a shell starts /bin/sh", "PATH", ""},
	{"second installation", "path", func(_ *testing.T, p *patient) {
		p.System.Programs = func(string) []string { return []string{p.Program, "/opt/claudemesh"} }
	}, Warn, "second installation", "keep one", ""},
	{"newer release", "update", func(_ *testing.T, p *patient) {
		p.Release = func(context.Context) (Release, error) { return Release{true, "2.0", true}, nil }
	}, Warn, "there is a newer release, v2.0", "claudemesh upgrade", ""},
	{"no address of releases", "update", func(_ *testing.T, p *patient) {
		p.Release = func(context.Context) (Release, error) { return Release{}, nil }
	}, Skip, "no address of releases", "", ""},
	{"releases cannot be asked", "update", func(_ *testing.T, p *patient) {
		p.Release = func(context.Context) (Release, error) { return Release{Configured: true}, errors.New("refused") }
	}, Skip, "not known: refused", "", ""},
	{"no handler of links", "links", func(_ *testing.T, p *patient) { p.System.Handler = func(string) string { return "" } }, Skip, "nothing opens claudemesh:// links", "claudemesh join", ""},

	{"stale variable", "folder", func(_ *testing.T, p *patient) { p.Stale = "/gone" }, Warn, "/gone, which does not exist", "unset CLAUDEMESH_CONFIG_DIR", ""},
	{"another's folder", "folder", func(_ *testing.T, p *patient) {
		p.System.Owner = func(fs.FileInfo) (int, bool) { return 4242, true }
	}, Fail, "belongs to user 4242", "chown", ""},
	{"a file in its place", "folder", func(t *testing.T, p *patient) {
		p.Dir = filepath.Join(p.Home, "f")
		p.write(t, "", "f")
	}, Fail, "is no folder", "move it away", ""},
	{"half a restore", "folder", func(t *testing.T, p *patient) { p.write(t, "{}", ".claudemesh", "restoring.json") }, Warn, "a restore was stopped in the middle", "claudemesh node up", ""},
	{"open folder", "modes", func(t *testing.T, p *patient) { must(t, os.Chmod(p.Dir, 0o755)) }, Fail, "0755: others may read it", "chmod 700", "the mode 0700"},
	{"open key", "modes", func(t *testing.T, p *patient) {
		must(t, os.Chmod(p.Dir, 0o711), os.Chmod(filepath.Join(p.Dir, "keys"), 0o750), os.Chmod(filepath.Join(p.Dir, "keys", id+".key"), 0o640))
	}, Fail, "0640: others may read it", "chmod 600", "the mode 0600"},
	{"open key in a closed folder", "modes", func(t *testing.T, p *patient) {
		must(t, os.Chmod(p.Dir, 0o755), os.Chmod(filepath.Join(p.Dir, "keys", id+".key"), 0o644))
	}, Pass, "0644; nobody else comes into its folder", "chmod 600", "the mode 0600"},
	{"key closed to its user", "modes", func(t *testing.T, p *patient) { must(t, os.Chmod(filepath.Join(p.Dir, "keys", id+".key"), 0)) }, Fail, "you cannot read it yourself", "chmod 600", "the mode 0600"},
	{"open log", "modes", func(t *testing.T, p *patient) {
		p.write(t, "", ".claudemesh", "logs", "node.log")
		must(t, os.Chmod(filepath.Join(p.Dir, "logs", "node.log"), 0o644))
	}, Pass, "node.log has the mode 0644", "chmod 600", "the mode 0600"},
	{"broken config.json", "settings", func(_ *testing.T, p *patient) { p.setErr = errors.New("config.json cannot be read: line 1") }, Fail, "cannot be read", "claudemesh config", ""},

	{"damaged key", "keys", func(t *testing.T, p *patient) { p.write(t, "zz", ".claudemesh", "keys", id+".key") }, Fail, "does not hold 64 hex digits", "claudemesh restore", ""},
	{"another's key", "keys", func(t *testing.T, p *patient) {
		p.write(t, hexOf(ident.Seed{9}), ".claudemesh", "keys", id+".key")
	}, Fail, "does not match its public half", "claudemesh restore", ""},
	{"no key", "keys", func(t *testing.T, p *patient) { must(t, os.Remove(filepath.Join(p.Dir, "keys", id+".key"))) }, Fail, "is gone", "claudemesh backup", ""},
	{"damaged node key", "keys", func(_ *testing.T, p *patient) {
		p.Node.Key = func() (string, error) { return "", errors.New("the node key is damaged") }
	}, Fail, "node key is damaged", "remove node.key", ""},
	{"another node key than at the start", "keys", func(_ *testing.T, p *patient) {
		p.Node.Key = func() (string, error) { return "12D4", nil }
	}, Fail, "not the key that the running node was started with", "node down", ""},

	{"full disk", "disk", func(_ *testing.T, p *patient) { p.System.TryWrite = func(string) error { return syscall.ENOSPC } }, Fail, "the disk is full", "free some space", ""},
	{"hardly any room", "disk", func(_ *testing.T, p *patient) {
		p.System.Free = func(string) (int64, int64, error) { return 1 << 20, -1, nil }
	}, Fail, "the disk is full", "free some space", ""},
	{"little room", "disk", func(_ *testing.T, p *patient) {
		p.System.Free = func(string) (int64, int64, error) { return 100 << 20, -1, nil }
	}, Warn, "nearly full", "free some space", ""},
	{"no more files", "disk", func(_ *testing.T, p *patient) {
		p.System.Free = func(string) (int64, int64, error) { return 1 << 40, 0, nil }
	}, Fail, "no more files", "remove files", ""},
	{"read-only disk", "disk", func(_ *testing.T, p *patient) { p.System.TryWrite = func(string) error { return syscall.EROFS } }, Fail, "read-only", "CLAUDEMESH_CONFIG_DIR", ""},

	{"newer store", "store", storeFails(fmt.Errorf("%w: format 2", store.ErrNewer)), Fail, "newer version", "use that version", ""},
	{"broken store", "store", storeFails(fmt.Errorf("%w: x", store.ErrBroken)), Fail, "the store is broken", "claudemesh restore", ""},
	{"unreadable store", "store", storeFails(fs.ErrPermission), Fail, "permission denied", "node logs", ""},

	{"stale socket", "socket", func(_ *testing.T, p *patient) { p.System.Dial = refusedDial }, Warn, "is stale", "rm ", "removed "},
	{"another's socket", "socket", func(_ *testing.T, p *patient) {
		p.System.Owner = func(fs.FileInfo) (int, bool) { return 4242, true }
	}, Fail, "belongs to user 4242", "sudo rm", ""},
	{"a file instead of a socket", "socket", func(t *testing.T, p *patient) {
		p.Node.Socket = filepath.Join(p.Dir, "config.json")
	}, Fail, "a file in the place of the socket", "move it away", ""},
	{"another at the socket", "node", func(_ *testing.T, p *patient) { p.down = op.Errorf(op.Denied, "somebody else listens") }, Fail, "another user", "sudo rm", ""},
	{"a node that hangs", "node", func(_ *testing.T, p *patient) { p.down = op.Errorf(op.Unavailable, "no answer in time") }, Fail, "process 77, hangs", "node down --force", ""},
	{"another program at the socket", "node", foreignAtSocket, Fail, "is not the node", "node logs", ""},
	{"another program at the socket, seen there", "socket", foreignAtSocket, Fail, "is not the node", "node logs", ""},
	{"another program at the socket, and nobody to ask", "twins", foreignAtSocket, Skip, "no node answers", "", ""},
	{"a node that does not start", "node", func(_ *testing.T, p *patient) {
		p.down = errNobody
		p.Node.Start = func(context.Context) error { return errors.New("the node did not start: no ports") }
	}, Fail, "did not start: no ports", "node logs", ""},
	{"nobody starts a node", "node", func(_ *testing.T, p *patient) { p.down, p.Node.Manual = errNobody, true }, Warn, "no node runs", "claudemesh node up", ""},
	{"older node", "versions", func(_ *testing.T, p *patient) { p.hello.Version = "0.9" }, Warn, "node is v0.9, this program v1.0", "node down", ""},
	{"older MCP server", "versions", func(_ *testing.T, p *patient) { p.health.Sessions[0].Server = "0.8" }, Warn, "session ana is v0.8", "restart that agent", ""},

	{"two nodes in one folder", "twins", func(_ *testing.T, p *patient) { p.held = 99 }, Fail, "process 99 has this folder's store open", "kill 99", ""},
	{"a second process in the folder", "twins", func(_ *testing.T, p *patient) {
		p.procs = []probe.Process{{PID: 98, Args: []string{"/x/claudemesh", "node", "run"}, Env: []string{"CLAUDEMESH_CONFIG_DIR=" + p.Dir}}}
	}, Fail, "process 98 runs in this folder", "kill 98", ""},
	{"a copied folder", "twins", func(t *testing.T, p *patient) {
		p.write(t, "key", ".claudemesh", "node.key")
		p.write(t, "key", "copy", ".claudemesh", "node.key")
		p.procs = []probe.Process{{PID: 97, Args: []string{"claudemesh", "node", "run", "--json"}, Env: []string{"HOME=" + filepath.Join(p.Home, "copy")}}}
	}, Fail, "from a copy of this folder", "kill 97", ""},
	{"a copy on another machine", "twins", func(_ *testing.T, p *patient) { p.health.Meshes[0].Twin = true }, Fail, "another one signs with your member key in team", "end the node", ""},

	{"a port that is taken", "ports", func(_ *testing.T, p *patient) {
		p.health.Ports = append(p.health.Ports, health.Port{Wanted: "/ip4/0.0.0.0/tcp/80"})
		p.System.Taken = func(string) error { return syscall.EADDRINUSE }
	}, Warn, "tcp/80: the port is taken", "node.listen", ""},
	{"no port", "ports", func(_ *testing.T, p *patient) { p.health.Ports[0].Actual = nil }, Fail, "listens nowhere", "node.listen", ""},
	{"a port that is taken before the start", "ports", func(_ *testing.T, p *patient) {
		p.down, p.Node.Manual = errNobody, true
		p.System.Dial, p.System.Taken = refusedDial, func(string) error { return syscall.EADDRINUSE }
		p.set.Listen.Value, p.set.Listen.Source = []string{"/ip4/0.0.0.0/tcp/80"}, "config.json"
	}, Fail, "taken by another program (config.json)", "node.listen", ""},
	{"no route", "route", func(_ *testing.T, p *patient) { p.System.Route = func() error { return syscall.ENETUNREACH } }, Warn, "no default route", "connect this machine", ""},
	{"mDNS blocked", "local-network", func(_ *testing.T, p *patient) {
		p.System.Multicast = func(context.Context) error { return errors.New("eth0: nothing came back") }
		p.health.LAN.Found = 0
	}, Warn, "mDNS is blocked", "UDP port 5353", ""},
	{"mDNS failed at the node", "local-network", func(_ *testing.T, p *patient) { p.health.LAN = health.LAN{State: health.LANFailed, Why: "no address"} }, Warn, "no address", "5353", ""},
	{"node started without mDNS", "local-network", func(_ *testing.T, p *patient) { p.health.LAN = health.LAN{State: health.LANOff} }, Warn, "the settings say it should", "node down", ""},

	{"removed", "meshes", func(_ *testing.T, p *patient) {
		p.meshes.Meshes[0].Removed = &ledger.Gone{By: "olga"}
	}, Fail, "removed from team by olga", "claudemesh leave team", ""},
	{"banned by nobody knows whom", "meshes", func(_ *testing.T, p *patient) { p.meshes.Meshes[0].Removed = &ledger.Gone{} }, Fail, "no member of team any more", "only an admin", ""},
	{"restored elsewhere", "meshes", func(_ *testing.T, p *patient) { p.meshes.Meshes[0].Elsewhere = &mesh.Elsewhere{Peer: "12D9"} }, Fail, "team is suspended here", "claudemesh restore", ""},
	{"broken mesh", "meshes", func(_ *testing.T, p *patient) { p.meshes.Broken = []mesh.Broken{{ID: "bb", Reason: "key file"}} }, Fail, "bb cannot be used: key file", "claudemesh restore", ""},
	{"key missing", "meshes", func(_ *testing.T, p *patient) { p.meshes.Meshes[0].KeyMissing = true }, Warn, "has not come here yet", "online", ""},
	{"key due", "meshes", func(_ *testing.T, p *patient) { p.meshes.Meshes[0].KeyDue = true }, Warn, "could still read", "owner or an admin", ""},
	{"nobody reached", "peers", func(_ *testing.T, p *patient) { p.ping = overview.PingResponse{Connection: "alone"} }, Warn, "team: no other member's node is reached", "peers --all", ""},
	{"one does not answer", "peers", func(_ *testing.T, p *patient) { p.ping.Priorities[0].Trips[0].Error = "timeout" }, Warn, "the node of ben does not answer", "run it again", ""},
	{"clock wrong", "clock", func(_ *testing.T, p *patient) { p.health.Meshes[0].Offset = 3 * 3600_000 }, Fail, "clock is wrong: this machine's clock is 3h0m0s behind 2 other members'", "timedatectl", ""},
	{"clock wrong at one of two", "clock", func(_ *testing.T, p *patient) {
		p.health.Meshes[0].Offset, p.health.Meshes[0].Clocks = -600_000, 1
	}, Warn, "10m0s ahead of 1 other member's", "timedatectl", ""},
	{"a liar", "refused", func(_ *testing.T, p *patient) {
		p.refused = audit.QueryResponse{Refused: map[string]uint64{"message": 7}, Entries: []audit.Entry{{Actor: "mallory", Key: "ab", Mesh: "team", Data: map[string]string{"times": "7"}}}}
	}, Warn, "7 things of mallory in team refused", "claudemesh block mallory", ""},
	{"expired invite", "invites", func(_ *testing.T, p *patient) {
		p.invites.Invites = []mesh.ListedInvite{{By: "ana", State: "expired", Uses: 1, Expires: today.Add(-time.Hour).Format(time.RFC3339)}}
	}, Warn, "the invite that ana made has expired", "claudemesh invite", ""},

	{"dead session", "sessions", func(t *testing.T, p *patient) {
		p.write(t, "{}", "tmp", "claudemesh-a1B2c3", "config.json")
		old := today.Add(-48 * time.Hour)
		dir := filepath.Join(p.Temp, "claudemesh-a1B2c3")
		must(t, os.Chtimes(filepath.Join(dir, "config.json"), old, old), os.Chtimes(dir, old, old))
	}, Warn, "1 folder of sessions that are gone", "--fix", "removed 1 folder"},
	{"session whose launcher was killed", "sessions", func(t *testing.T, p *patient) {
		p.write(t, `{"version":1,"pid":77,"mesh":"team"}`, "tmp", "claudemesh-3141592653", "config.json")
		p.write(t, `{"version":1,"pid":1,"mesh":"team"}`, "tmp", "claudemesh-3141592654", "config.json")
	}, Warn, "1 folder of sessions that are gone", "--fix", "removed 1 folder"},
	{"stale tokens", "sessions", func(t *testing.T, p *patient) {
		p.write(t, "{}", ".claudemesh", "sessions", "x.json")
		old := today.Add(-100 * 24 * time.Hour)
		must(t, os.Chtimes(filepath.Join(p.Dir, "sessions", "x.json"), old, old))
	}, Warn, "1 session token that nobody has used", "--fix", "removed 1 stale token"},
	{"no agent", "agents", func(t *testing.T, p *patient) {
		p.System.LookPath = func(string) (string, error) { return "", fs.ErrNotExist }
		must(t, os.Remove(filepath.Join(p.Home, ".claude.json")))
	}, Warn, "no coding agent is found", "npm install", ""},
	{"an agent that is gone", "agents", func(_ *testing.T, p *patient) {
		p.System.LookPath = func(string) (string, error) { return "", fs.ErrNotExist }
	}, Fail, "Claude Code is set up with claudemesh, and is no longer found", "claudemesh uninstall", ""},
	{"old agent", "claude-version", func(_ *testing.T, p *patient) { p.claude = "2.1.79 (Claude Code)" }, Warn, "Claude Code 2.1.79 is too old for channels", "claude update", ""},
	{"agent without a version", "claude-version", func(_ *testing.T, p *patient) { p.claude = "Segmentation fault" }, Warn, "does not say its version", "claude --version", ""},
	{"broken .claude.json", "claude-files", func(t *testing.T, p *patient) { p.write(t, `{"a":`, ".claude.json") }, Fail, ".claude.json cannot be read: not valid JSON", "correct it there", ""},
	{"broken settings.json", "claude-files", func(t *testing.T, p *patient) { p.write(t, `[`, ".claude", "settings.json") }, Fail, "settings.json cannot be read", "correct it there", ""},
	{"no entry", "mcp", func(t *testing.T, p *patient) { p.write(t, `{}`, ".claude.json") }, Fail, "not registered with claude", "claudemesh install", "ran `claudemesh install"},
	{"a command that does not exist", "mcp", func(t *testing.T, p *patient) {
		p.write(t, `{"mcpServers":{"claudemesh":{"command":"/gone/claudemesh","args":["mcp"]}}}`, ".claude.json")
	}, Fail, "does not exist: /gone/claudemesh", "claudemesh install", "ran `claudemesh install"},
	{"another's entry", "mcp", func(t *testing.T, p *patient) {
		p.write(t, `{"mcpServers":{"claudemesh":{"command":"node","args":["x.js"]}}}`, ".claude.json")
	}, Fail, `starts "node x.js"`, "claudemesh install", "ran `claudemesh install"},
	{"codex without an entry", "mcp", func(t *testing.T, p *patient) { p.write(t, "", ".codex", "config.toml") }, Fail, "not registered with codex", "--agent codex", "ran `claudemesh install"},
	{"no permission", "permission", func(t *testing.T, p *patient) { p.write(t, `{}`, ".claude", "settings.json") }, Warn, "asks its user", "claudemesh install", "ran `claudemesh install"},
	{"forbidden", "permission", func(t *testing.T, p *patient) {
		p.write(t, `{"permissions":{"deny":["mcp__claudemesh"]}}`, ".claude", "settings.json")
	}, Fail, "forbids Claude Code our tools", "take that out", ""},
	{"no hooks", "hooks", func(t *testing.T, p *patient) { p.write(t, `{}`, ".claude", "settings.json") }, Warn, "no hooks of ours", "claudemesh install", "ran `claudemesh install"},
	{"hooks off", "hooks", func(t *testing.T, p *patient) { p.write(t, `{"disableAllHooks":true}`, ".claude", "settings.json") }, Warn, "switches all hooks off", "disableAllHooks", ""},
	{"some hooks", "hooks", hooksAre("Stop", "claudemesh hook stop"), Warn, "hooks are missing", "claudemesh install", "ran `claudemesh install"},
	{"old hooks", "hooks", hooksAre("Stop", "claudemesh hook idle"), Warn, "of an older version", "claudemesh install", "ran `claudemesh install"},
	{"a hook that does not exist", "hooks", hooksAre("Stop", "/gone/claudemesh hook stop"), Fail, "hooks start /gone/claudemesh, which does not exist: Stop", "claudemesh install", "ran `claudemesh install"},
	{"others' hooks", "hooks", func(t *testing.T, p *patient) {
		path := filepath.Join(p.Home, ".claude", "settings.json")
		text, err := os.ReadFile(path)
		must(t, err, os.WriteFile(path, []byte(strings.Replace(string(text), `"Stop": [`, `"Stop": [{"hooks":[{"type":"command","command":"lint --all"}]},`, 1)), 0o600))
	}, Pass, "1 hook of another program runs beside: Stop: lint --all", "", ""},
	{"a slow hook", "hook-time", func(_ *testing.T, p *patient) { p.hook = 900 * time.Millisecond }, Warn, "is too slow: it takes 900ms", "waits for it at every step", ""},
	{"a hook that does not end", "hook-time", func(_ *testing.T, p *patient) {
		p.System.Run = func(context.Context, string, string, ...string) (string, time.Duration, error) {
			return "", 0, context.DeadlineExceeded
		}
	}, Fail, "takes more than 4s", "waits for it at every step", ""},
	{"old names", "old-entries", func(t *testing.T, p *patient) {
		p.write(t, `{"allowedTools":["mcp__claudemesh__send_message","Bash"]}`, ".claude", "settings.json")
	}, Warn, "single tools in the way of older versions: mcp__claudemesh__send_message", "claudemesh install", "ran `claudemesh install"},
	{"leftovers", "old-entries", func(t *testing.T, p *patient) {
		p.write(t, `{"mcpServers":{"mesh:db":{"command":"x"},"other":{"command":"y"}}}`, ".claude.json")
	}, Warn, "stale servers that older versions left: mesh:db", "--fix", "took the servers mesh:… out"},
	{"modern revision", "protocol", func(_ *testing.T, p *patient) { p.health.Sessions[0].Protocol = "2026-07-28" }, Fail, "session ana speaks revision 2026-07-28", "restart that agent", ""},
	{"unknown revision", "protocol", func(_ *testing.T, p *patient) { p.health.Sessions[0].Speech = health.Speech{} }, Warn, "does not tell which revision", "restart that agent", ""},
	{"channels off", "channels", func(t *testing.T, p *patient) {
		p.write(t, `{"cachedGrowthBookFeatures":{"tengu_harbor":false}}`, ".claude.json")
	}, Warn, "switch for channels off", "Channel notifications", ""},
	{"pushed in vain", "channels", func(_ *testing.T, p *patient) {
		p.health.Sessions[0].Arrived, p.health.Sessions[0].Unconfirmed = false, 3
	}, Warn, "do not seem to reach ana (3 messages pushed, none seen to arrive)", "--debug-file", ""},
	{"never pushed", "channels", func(_ *testing.T, p *patient) { p.health.Sessions[0].Arrived = false }, Skip, "not known yet whether channels reach ana", "Channel notifications", ""},
}

func storeFails(err error) func(*testing.T, *patient) {
	return func(_ *testing.T, p *patient) {
		p.System.Dial, p.Node.Store = refusedDial, func() error { return err }
	}
}

func hooksAre(event, command string) func(*testing.T, *patient) {
	return func(t *testing.T, p *patient) {
		p.write(t, fmt.Sprintf(`{"hooks":{%q:[{"hooks":[{"type":"command","command":%q}]}]}}`, event, command), ".claude", "settings.json")
	}
}

// Each fault is named with its remedy, nothing is changed without --fix, and what is
// mended with it stays mended.
func TestFaultsAreNamedWithTheirRemedies(t *testing.T) {
	for _, s := range sicknesses {
		t.Run(s.what, func(t *testing.T) {
			p := newPatient(t)
			s.cause(t, p)
			r := p.look(t, s.check, false)
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.Detail, s.says) && strings.Contains(f.Fix, s.remedy) })
			if r.Status != s.status && s.status != Pass || i < 0 || r.Findings[i].Status != s.status {
				t.Fatalf("%s, not %s with %q and %q: %+v", r.Status, s.status, s.says, s.remedy, r.Findings)
			}
			if r.Findings[i].Done != "" {
				t.Error("mended without being asked to:", r.Findings[i].Done)
			}
			mended := p.look(t, s.check, true)
			if s.mended == "" {
				if mended.Findings[i].Done != "" {
					t.Errorf("mended: %s", mended.Findings[i].Done)
				}
				return
			}
			if !strings.Contains(mended.Findings[i].Done, s.mended) || mended.Findings[i].NotDone != "" || mended.Status != Pass {
				t.Fatalf("not mended: %s %+v", mended.Status, mended.Findings)
			}
			if again := p.look(t, s.check, false); again.Status != Pass {
				t.Errorf("afterwards: %s %+v", again.Status, again.Findings)
			}
		})
	}
}

// Every check has something that it finds, but that which only tells the version.
func TestEveryCheckFindsSomething(t *testing.T) {
	for _, name := range Names() {
		if name != "program" && !slices.ContainsFunc(sicknesses, func(s sick) bool { return s.check == name }) {
			t.Errorf("no fault is known to the check %s", name)
		}
	}
}

// foreignAtSocket has something at the node's socket that is no node and does not answer.
func foreignAtSocket(_ *testing.T, p *patient) {
	p.foreign = errors.New("process 9 listens there and is not the node")
	p.down = op.Errorf(op.Unavailable, "no answer in time")
}
