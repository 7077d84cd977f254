package nodes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

func (a *app) nodeCommand() *cobra.Command {
	cmd := a.Holder("node", "The background process that keeps your keys, mail and connections",
		"The background process that keeps your keys, mail and connections. It is started by\n"+
			"the first command that needs it; there is one per user and machine.")
	cmd.AddCommand(a.nodeUp(), a.nodeDown(), a.nodeStatus(), a.nodeLogs(), a.nodeRun())
	return cmd
}

func (a *app) nodeRun() *cobra.Command {
	var flags settings.Flags
	var mdns, portmap bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the node in the foreground, as a service manager would",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("mdns") {
				flags.MDNS = &mdns
			}
			if cmd.Flags().Changed("portmap") {
				flags.PortMap = &portmap
			}
			err := a.runNode(cmd.Context(), flags)
			if err != nil && a.Term.IsDocument() {
				// The document is for who started it; the log has it, too.
				e := run.AsError(cmd.Context(), err)
				a.Term.Logger(false).Error("the node ends", "code", e.Code, "error", e.Message, "hint", e.Hint)
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&flags.Listen, "listen", nil, "`addresses` to listen on: IP:PORT or multiaddrs (default all interfaces, a free port)")
	cmd.Flags().BoolVar(&mdns, "mdns", true, "find others on the local network")
	cmd.Flags().BoolVar(&portmap, "portmap", true, "ask the router for a port")
	return cmd
}

// runNode lives as long as the node.
func (a *app) runNode(ctx context.Context, flags settings.Flags) error {
	dir, err := a.Dir()
	if err != nil {
		return err
	}
	set, err := a.Settings(dir, flags)
	if err != nil {
		return err
	}
	log := a.Term.Logger(a.Debug())
	ctl := a.Control(dir, log)
	var foreign *daemon.ForeignError
	switch s, err := ctl.State(ctx); {
	case err == nil:
		return op.Errorf(op.Conflict, "a node runs already, process %d", s.PID).
			WithHint("`claudemesh node status` shows it, `claudemesh node down` ends it")
	case errors.As(err, &foreign):
		return err
	}
	if a.Env.Getenv("GOGC") == "" {
		debug.SetGCPercent(node.GCPercent)
	}
	if a.Env.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(node.MemoryLimit)
	}
	n, err := node.New(node.Config{
		Dir: dir, Listen: set.Listen.Value, MDNS: set.MDNS.Value, PortMap: set.PortMap.Value,
		DisplayName: set.DisplayName.Value, Mode: set.MessageMode.Value,
		Version: a.Env.Version, Log: log,
	})
	if err != nil {
		return onDisk(err)
	}
	ctl.Started()
	if err := keepSettings(dir, running{PID: os.Getpid(), Settings: set}); err != nil {
		log.Warn("settings not noted for node status", "error", err)
	}
	var beside sync.WaitGroup
	resting, stop := context.WithCancel(ctx)
	beside.Go(func() { giveBack(resting) })
	err = n.Run(ctx)
	stop()
	beside.Wait()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// onDisk is the failure of opening what a node has on disk. Whatever it is, it can
// be put right there: damaged keys, say, which name themselves.
func onDisk(err error) error {
	e := op.AsError(err)
	if e.Code != op.Internal || e.Hint != "" {
		return e
	}
	if known := run.Explain(e); known.Code != op.Internal {
		return known
	}
	return op.Errorf(op.Unavailable, "%w", err).WithHint("put that right, then run `claudemesh node up`")
}

func (a *app) nodeUp() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the node in the background",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.Dir()
			if err != nil {
				return err
			}
			s, started, err := a.Control(dir, slog.New(slog.DiscardHandler)).Up(cmd.Context())
			if err != nil {
				return err
			}
			if !started {
				a.WarnSkew(s.Version)
			}
			return run.Show(a.App, nodeDoc{Running: true, Started: &started, PID: s.PID, Version: s.Version}, func(nodeDoc) {
				said := "The node runs already"
				if started {
					said = "The node runs"
				}
				a.Term.Line("%s %s, process %d.", term.Green(term.OK), said, s.PID)
			})
		},
	}
}

func (a *app) nodeDown() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the node",
		Long: "Stop the node. What was acknowledged is on disk; sessions connect again when it is\n" +
			"back. The next command that needs a node starts it.",
		Args: run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.Dir()
			if err != nil {
				return err
			}
			ran, err := a.Control(dir, slog.New(slog.DiscardHandler)).Down(cmd.Context(), force)
			if err != nil {
				return err
			}
			return run.Show(a.App, nodeDoc{Stopped: &ran}, func(nodeDoc) {
				said := "No node was running."
				if ran {
					said = "The node has stopped."
				}
				a.Term.Line("%s %s", term.Green(term.OK), said)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "kill a node that does not answer or does not end")
	return cmd
}

// nodeDoc tells of the node's process.
type nodeDoc struct {
	Running  bool               `json:"running"`
	Ready    bool               `json:"ready,omitempty"`
	Started  *bool              `json:"started,omitempty"`
	Stopped  *bool              `json:"stopped,omitempty"`
	PID      int                `json:"pid,omitempty"`
	Version  string             `json:"version,omitempty"`
	Boot     uint64             `json:"boot,omitempty"`
	UptimeMS int64              `json:"uptime_ms,omitempty"`
	TwinSeen string             `json:"twin_seen,omitempty"`
	Dir      string             `json:"dir,omitempty"`
	Log      string             `json:"log,omitempty"`
	Settings *settings.Settings `json:"settings,omitempty"`
}

func (a *app) nodeStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell whether the node runs, and with which settings",
		Long:  "Tell whether the node runs, and with which settings: those of the running node, or\nthose a start would use now, each with its source. It starts nothing.",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := a.lookAtNode(cmd.Context())
			if err != nil {
				return err
			}
			return run.Show(a.App, doc, a.printNode)
		},
	}
}

func (a *app) lookAtNode(ctx context.Context) (nodeDoc, error) {
	dir, err := a.Dir()
	if err != nil {
		return nodeDoc{}, err
	}
	set, err := a.Settings(dir, settings.Flags{})
	if err != nil {
		return nodeDoc{}, err
	}
	ctl := a.Control(dir, nil)
	doc := nodeDoc{Dir: dir, Settings: &set, Log: ctl.LogPath()}
	ctx, cancel := context.WithTimeout(ctx, run.ProbeLimit)
	defer cancel()
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	defer client.Close()
	h, err := client.Hello(ctx)
	if err != nil {
		if run.Absent(err) {
			return doc, nil
		}
		if foreign := ctl.Foreign(); foreign != nil {
			err = foreign
		}
		return doc, err
	}
	doc.Running, doc.Ready, doc.PID, doc.Version, doc.Boot, doc.UptimeMS = true, h.Ready, h.PID, h.Version, h.Boot, h.UptimeMS
	doc.TwinSeen = h.TwinSeen
	if r, ok := keptSettings(dir); ok && r.PID == h.PID {
		doc.Settings = &r.Settings
	}
	return doc, nil
}

func (a *app) printNode(d nodeDoc) {
	if d.Running {
		up := (time.Duration(d.UptimeMS) * time.Millisecond).Round(time.Second)
		a.Term.Line("%s The node runs: v%s, process %d, up %s.", term.Green(term.Dot), d.Version, d.PID, up)
		a.WarnSkew(d.Version)
		if d.TwinSeen != "" {
			a.Term.Warn("Another node runs with a copy of this folder, last heard %s: stop one of the two and delete its copy.", d.TwinSeen)
		}
	} else {
		a.Term.Line("%s No node runs. The next command that needs one starts it.", term.Dim(term.Dot))
	}
	a.Term.Line("  %s %s", term.Bold(a.Say("folder")).Pad(12), d.Dir)
	a.Term.Line("  %s %s", term.Bold(a.Say("log")).Pad(12), d.Log)
	listen := a.Say("all interfaces, a free port")
	if len(d.Settings.Listen.Value) > 0 {
		listen = strings.Join(d.Settings.Listen.Value, ", ")
	}
	a.printSetting("listen", listen, d.Settings.Listen.Source)
	a.printSetting("mdns", run.OnOff(d.Settings.MDNS.Value), d.Settings.MDNS.Source)
	a.printSetting("portMap", run.OnOff(d.Settings.PortMap.Value), d.Settings.PortMap.Source)
	for _, s := range []struct {
		name string
		set  settings.Value[string]
	}{{"displayName", d.Settings.DisplayName}, {"role", d.Settings.Role}, {"messageMode", d.Settings.MessageMode}} {
		if s.set.Value != "" {
			a.printSetting(s.name, s.set.Value, s.set.Source)
		}
	}
}

func (a *app) printSetting(name, value, source string) {
	a.Term.Line("  %s %s %s", term.Bold(name).Pad(12), value, term.Dim("("+a.Source(source)+")"))
}

func (a *app) nodeLogs() *cobra.Command {
	var lines int
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Print the log of the node started in the background",
		Args:  run.Words(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.Dir()
			if err != nil {
				return err
			}
			path := a.Control(dir, nil).LogPath()
			if a.Term.IsDocument() {
				return a.Term.JSON(nodeDoc{Dir: filepath.Dir(path), Log: path})
			}
			f, err := os.Open(path)
			if errors.Is(err, fs.ErrNotExist) {
				return op.Errorf(op.NotFound, "there is no log yet").
					WithHint("it is made by the first node started in the background")
			}
			if err != nil {
				return err
			}
			defer f.Close()
			if lines > 0 {
				if err := toLast(f, lines); err != nil {
					return err
				}
			}
			return a.Term.Copy(f)
		},
	}
	cmd.Flags().IntVarP(&lines, "lines", "n", 0, "only the last so `many` lines; 0: all")
	return cmd
}

// toLast leaves a file at the beginning of its last n lines.
func toLast(f *os.File, n int) error {
	starts, at := make([]int64, 0, n), int64(0)
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			if len(starts) == n {
				starts = slices.Delete(starts, 0, 1)
			}
			starts = append(starts, at)
			at += int64(len(line))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
	if len(starts) > 0 {
		at = starts[0]
	}
	_, err := f.Seek(at, io.SeekStart)
	return err
}
