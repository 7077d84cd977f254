package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// EnvAutoStart, set to 0, keeps commands from starting a node by themselves: it is
// for machines where a service manager runs the node.
const EnvAutoStart = "CLAUDEMESH_AUTOSTART"

// ProbeLimit is how long a node may take to answer a probe.
const ProbeLimit = 2 * time.Second

// Connect returns a client of a running node. Inside an agent session it speaks
// for that session, else for the person.
func (a *App) Connect(ctx context.Context) (*local.Client, error) {
	if a.Client != nil {
		return a.Client, nil
	}
	dir, err := a.Dir()
	if err != nil {
		return nil, err
	}
	ctl := a.Control(dir, slog.New(slog.DiscardHandler))
	s, err := ctl.Ensure(ctx)
	if err != nil {
		return nil, err
	}
	a.WarnSkew(s.Version)
	a.Client = local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	if token, ok := agent.Tokens(dir).Get(agent.ID(a.Env.Getenv)); ok {
		a.Client = a.Client.As(token)
	}
	return a.Client, nil
}

// Dir is the user's folder. A stale name of it is told once.
func (a *App) Dir() (string, error) {
	if a.Folder != "" {
		return a.Folder, nil
	}
	f, err := settings.Find(a.Env.Getenv)
	if err != nil {
		return "", NoFolder(err)
	}
	if f.Stale != "" && a.Term.ErrTTY() && !a.Quiet {
		a.Term.Warn("%s names %s, which does not exist: using %s", settings.EnvDir, f.Stale, f.Path)
	}
	a.Folder = f.Path
	return f.Path, nil
}

// NoFolder is the failure of finding the user's folder.
func NoFolder(err error) error {
	if errors.Is(err, settings.ErrHome) {
		return op.Errorf(op.Invalid, "%w", err).
			WithHint("set HOME, or %s to a folder that exists", settings.EnvDir)
	}
	return op.Errorf(op.Invalid, "%w", err).
		WithHint("correct %s, or unset it to use ~/.claudemesh", settings.EnvDir)
}

// Control finds, starts and stops the node of the folder dir.
func (a *App) Control(dir string, log *slog.Logger) *daemon.Control {
	exe, err := os.Executable()
	if err != nil {
		exe = "claudemesh" // looked up in PATH
	}
	probe := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	return daemon.New(daemon.Config{
		Dir:     dir,
		Socket:  local.SocketPath(dir),
		Command: []string{exe, "node", "run", "--json"},
		Failure: failure,
		Manual:  a.Env.Getenv(EnvAutoStart) == "0",
		Environ: nodeEnviron(a.Env.Environ(), dir),
		Probe: func(ctx context.Context) (daemon.State, error) {
			ctx, cancel := context.WithTimeout(ctx, ProbeLimit)
			defer cancel()
			h, err := probe.Hello(ctx)
			return daemon.State{Version: h.Version, PID: h.PID, Ready: h.Ready}, err
		},
		Absent:   Absent,
		Progress: a.Term.Progress,
		Working:  a.Term.Working,
		Now:      time.Now,
		Log:      log,
	})
}

// failure reads what a node that could not start has printed.
func failure(stdout []byte) (daemon.Failure, bool) {
	var doc term.Failed
	if json.Unmarshal(stdout, &doc) != nil || doc.Error.Message == "" {
		return daemon.Failure{}, false
	}
	return daemon.Failure{Code: doc.Error.Code, Message: doc.Error.Message, Hint: doc.Error.Hint}, true
}

// Absent tells whether an error says that nobody listens at the node's socket.
func Absent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout() && !errors.Is(err, syscall.EAGAIN)
}

// inherited are the variables that a node started here gets. It outlives who
// started it, and an agent's environment holds secrets that are none of its
// business.
var inherited = []string{
	"HOME", "USER", "LOGNAME", "USERNAME", "PATH", "LANG", "TZ", "XDG_RUNTIME_DIR", "TMPDIR", "TMP", "TEMP", "GODEBUG", "GOCOVERDIR",
	"USERPROFILE", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "COMSPEC", "WINDIR",
}

// perSession are variables of ours that concern one session alone.
var perSession = []string{"CLAUDEMESH_SESSION_ID", "CLAUDEMESH_DISPLAY_NAME", "CLAUDEMESH_ROLE", settings.EnvMode, settings.EnvDir, agent.EnvFolder}

// nodeEnviron is the environment of a node started in the background.
func nodeEnviron(environ []string, dir string) []string {
	out := []string{settings.EnvDir + "=" + dir}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(name)
		ours := strings.HasPrefix(upper, "CLAUDEMESH_") && !slices.Contains(perSession, upper)
		if ours || slices.Contains(inherited, upper) || strings.HasPrefix(upper, "LC_") {
			out = append(out, pair)
		}
	}
	return out
}

// WarnSkew tells once that the node is of another version than this program.
func (a *App) WarnSkew(running string) {
	if running == a.Env.Version || a.knowsSkew {
		return
	}
	a.knowsSkew = true
	a.Term.Note("%s", fmt.Sprintf("The running node is v%s, this program v%s. "+
		"`claudemesh node down` ends it; the next command starts the new one.", running, a.Env.Version))
}
