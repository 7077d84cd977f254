package screen

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/node/op"
)

// watchEvery is how often it is looked whether what is shown still holds.
const watchEvery = 2 * time.Second

// model is what is shown. The terminal's loop is the only one that calls it; work runs
// beside and comes back as a message.
type model struct {
	ctx   context.Context
	walk  *flow.Walk
	world flow.World
	hues  palette
	now   func() time.Time

	width, height int
	seen          string // what is asked, to tell when that is something else
	at            int    // the option that would be chosen
	line          line
	refused       string // why the last answer was
	busy          bool   // work is under way
	until         time.Time
	round         int // of the overlay's clock, so that an old tick counts for nothing
	err           error
	left          bool // a person gave up while work was under way
	cancel        context.CancelFunc
}

type (
	// worked is what work came to.
	worked struct {
		step  flow.Step
		apply func(*flow.Session)
		err   error
	}
	// watched is what a look at the node came to.
	watched struct {
		online int
		err    error
	}
	// newer is the version of a newer release, or empty.
	newer string
	tick  struct{ round int }
	watch struct{}
	// broken is a fault of ours that was met in work.
	broken struct{ err error }
)

// fault makes an error of what a panic brought.
func fault(what any) error {
	return fmt.Errorf("panic in the interface: %v\n%s", what, debug.Stack())
}

func (m *model) Init() tea.Cmd {
	update := guarded(func() tea.Msg { return newer(m.world.Newer(m.ctx)) })
	return tea.Batch(m.next(), update, after(watchEvery, watch{}))
}

// Update takes a key, a size or a result. A fault of ours ends the interface in order.
func (m *model) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	defer func() {
		if r := recover(); r != nil {
			m.err, cmd = fault(r), tea.Quit
		}
	}()
	return m, m.take(msg)
}

func (m *model) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.press(msg)
	case tea.PasteMsg:
		m.line.insert(msg.Content)
	case worked:
		return m.took(msg)
	case broken:
		return m.end(msg.err)
	case tick:
		return m.ticked(msg)
	case watch:
		return tea.Batch(m.look(), after(watchEvery, watch{}))
	case watched:
		return m.saw(msg)
	case newer:
		m.walk.Session().Newer = string(msg)
	}
	return nil
}

// end ends the interface.
func (m *model) end(err error) tea.Cmd {
	m.err = err
	return tea.Quit
}

// next goes on to what comes now: work is begun, a question is laid out, and where
// nothing is left, the interface ends.
func (m *model) next() tea.Cmd {
	m.refused = ""
	if o, ok := m.walk.Overlay(); ok {
		m.at, m.seen = 0, ""
		m.round++
		if o.Retry == 0 {
			return nil
		}
		m.until = m.now().Add(o.Retry)
		return after(time.Second, tick{m.round})
	}
	e, ok := m.walk.Step()
	switch {
	case !ok:
		return tea.Quit
	case e.IsWork():
		return m.begin(e)
	case e.ID != m.seen:
		q := e.Ask(m.walk.Session())
		m.seen, m.at, m.line = e.ID, q.At, newLine(q.Text)
	}
	return nil
}

// begin runs work beside.
func (m *model) begin(e flow.Step) tea.Cmd {
	if m.busy {
		return nil
	}
	m.busy, m.seen = true, ""
	ctx, cancel := context.WithCancel(m.ctx)
	m.cancel = cancel
	s := *m.walk.Session()
	return guarded(func() tea.Msg {
		apply, err := e.Do(ctx, m.world, s)
		return worked{e, apply, err}
	})
}

// took takes over what work came to. Who gave up meanwhile is told what had become of
// it, as it can no longer be taken back.
func (m *model) took(w worked) tea.Cmd {
	m.busy = false
	m.cancel()
	if m.left {
		if w.err == nil && w.apply != nil {
			w.apply(m.walk.Session())
		}
		return m.end(flow.ErrCancelled)
	}
	m.walk.Done(w.step, w.apply, w.err)
	return m.next()
}

// ticked counts down to the next try.
func (m *model) ticked(t tick) tea.Cmd {
	if t.round != m.round {
		return nil
	}
	if _, ok := m.walk.Overlay(); !ok {
		return nil
	}
	if m.now().Before(m.until) {
		return after(min(time.Second, m.until.Sub(m.now())), t)
	}
	m.walk.Retry()
	return m.next()
}

// look asks how many are online, by which it shows whether the node is still there.
func (m *model) look() tea.Cmd {
	_, over := m.walk.Overlay()
	mesh := m.walk.Session().Mesh
	if over || m.busy || mesh == "" {
		return nil
	}
	return guarded(func() tea.Msg {
		n, err := m.world.Online(m.ctx, mesh)
		return watched{n, err}
	})
}

// saw takes over what the look came to.
func (m *model) saw(w watched) tea.Cmd {
	if m.busy {
		return nil
	}
	switch {
	case w.err == nil:
		m.walk.Session().Online = w.online
	case slices.Contains([]op.Code{op.Unavailable, op.Offline}, op.CodeOf(w.err)):
		m.walk.Lost(w.err)
		return m.next()
	}
	return nil
}

// press does what a key means.
func (m *model) press(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc", "ctrl+c":
		return m.giveUp()
	case "ctrl+z":
		return tea.Suspend
	}
	if m.busy {
		return nil
	}
	options, typed := m.asked()
	switch {
	case k.String() == "enter":
		return m.enter(options, typed)
	case typed:
		m.line.press(k)
		m.refused = ""
	default:
		m.move(k, len(options))
	}
	return nil
}

// giveUp ends the flow, once work that is under way has ended.
func (m *model) giveUp() tea.Cmd {
	if m.busy {
		m.left = true
		m.cancel()
		return nil
	}
	return m.end(flow.ErrCancelled)
}

// asked is what there is to choose now, or that a text is typed.
func (m *model) asked() (options []flow.Option, typed bool) {
	if o, ok := m.walk.Overlay(); ok {
		return o.Options, false
	}
	e, ok := m.walk.Step()
	if !ok || e.IsWork() {
		return nil, false
	}
	q := e.Ask(m.walk.Session())
	return q.Options, len(q.Options) == 0
}

func (m *model) move(k tea.KeyPressMsg, n int) {
	switch s := k.String(); s {
	case "up", "k", "ctrl+p", "shift+tab":
		m.at--
	case "down", "j", "ctrl+n", "tab":
		m.at++
	case "home":
		m.at = 0
	case "end":
		m.at = n - 1
	default:
		if len(s) == 1 && s[0] >= '1' && int(s[0]-'0') <= n {
			m.at = int(s[0] - '1')
		}
	}
	if n > 0 {
		m.at = (m.at + n) % n
	}
}

// enter gives the answer.
func (m *model) enter(options []flow.Option, typed bool) tea.Cmd {
	value := m.line.value()
	if !typed {
		if m.at >= len(options) {
			return nil
		}
		value = options[m.at].Value
	}
	switch err := m.walk.Answer(value); {
	case errors.Is(err, flow.ErrCancelled):
		return m.end(err)
	case err != nil:
		m.refused, _ = op.AsError(err).In(m.say)
		return nil
	}
	m.seen = ""
	return m.next()
}

// after brings a message later.
func after(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}

// guarded is work whose faults come back as a message.
func guarded(f func() tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		defer func() {
			if r := recover(); r != nil {
				msg = broken{fault(r)}
			}
		}()
		return f()
	}
}
