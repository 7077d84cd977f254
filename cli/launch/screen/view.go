package screen

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/term"
)

const (
	// margin stands before every line.
	margin = "  "
	// widest is how wide text gets at most: longer lines are hard to read.
	widest = 76
	// labels is the width of the column of labels.
	labels = 12
)

// frame is what is shown, line by line.
type frame struct {
	width  int
	lines  []string
	cursor *tea.Cursor
}

func (f *frame) put(text string) { f.lines = append(f.lines, margin+text) }
func (f *frame) gap()            { f.lines = append(f.lines, "") }

// wrapped puts text that may need several lines.
func (f *frame) wrapped(style lipgloss.Style, text string) {
	for line := range strings.SplitSeq(lipgloss.Wrap(term.Clean(text), f.width, ""), "\n") {
		f.put(style.Render(strings.TrimRight(line, " ")))
	}
}

// cut shortens text to a width.
func cut(text string, width int) string {
	if lipgloss.Width(text) <= width {
		return text
	}
	r := []rune(text)
	for len(r) > 0 && lipgloss.Width(string(r))+1 > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// View draws. A fault of ours shows nothing, and the next message ends the interface.
func (m *model) View() (v tea.View) {
	defer func() {
		if r := recover(); r != nil {
			m.err = fault(r)
			v = tea.NewView("")
		}
	}()
	f := &frame{width: max(min(m.width-2*len(margin), widest), 20)}
	rows := m.rows(f.width)
	below := &frame{width: f.width}
	m.below(below)
	// On a low screen the question is what must be seen.
	const head = 3
	if m.height > 0 && head+len(rows)+1+len(below.lines) > m.height {
		rows = nil
	}
	f.gap()
	f.put(m.hues.brand())
	f.gap()
	if len(rows) > 0 {
		f.lines = append(append(f.lines, rows...), "")
	}
	top := len(f.lines)
	f.lines = append(f.lines, below.lines...)
	m.update(f)
	v = tea.NewView(strings.Join(f.lines, "\n"))
	v.AltScreen = true
	if v.Cursor = below.cursor; v.Cursor != nil {
		v.Cursor.Y += top
	}
	return v
}

// update tells of a newer release, below all else and where there is room for it.
func (m *model) update(f *frame) {
	if text := m.walk.Session().Update(); text != "" && (m.height == 0 || len(f.lines)+2 <= m.height) {
		f.gap()
		f.put(m.hues.warn.Render(term.To) + " " + cut(oneLine(text), f.width-2))
	}
}

// rows are the lines about the session, once there is something to say.
func (m *model) rows(width int) []string {
	s := m.walk.Session()
	if len(s.Meshes) == 0 && s.NewMesh == "" && s.Link == "" {
		return nil
	}
	var out []string
	for _, r := range s.Rows() {
		label := m.hues.muted.Render(fmt.Sprintf("%-*s", labels, s.Tell(r.Label)))
		out = append(out, margin+label+m.hues.mark(r.Mark)+" "+cut(oneLine(r.Value), width-labels-2))
	}
	return out
}

func oneLine(text string) string { return strings.ReplaceAll(term.Clean(text), "\n", " ") }

// below is what is asked, or under way.
func (m *model) below(f *frame) {
	if o, ok := m.walk.Overlay(); ok {
		m.overlay(f, o)
		return
	}
	e, ok := m.walk.Step()
	switch {
	case !ok:
	case e.IsWork():
		text := m.say(e.Doing(m.walk.Session())) + " …"
		if m.left {
			text = m.say("Cancelling …")
		}
		f.put(m.hues.accent.Render(term.Busy) + " " + cut(oneLine(text), f.width-2))
		f.gap()
		f.put(m.hues.muted.Render(m.say("Esc cancels")))
	default:
		m.question(f, e.Ask(m.walk.Session()))
	}
}

func (m *model) question(f *frame, q flow.Question) {
	f.wrapped(m.hues.bold, m.say(q.Title))
	if q.Help != "" {
		f.wrapped(m.hues.muted, m.say(q.Help))
	}
	f.gap()
	if len(q.Options) == 0 {
		text, column := m.line.view(f.width - 3)
		f.cursor = tea.NewCursor(len(margin)+2+column, len(f.lines))
		f.put(m.hues.primary.Render(term.Open) + " " + text)
	} else {
		m.options(f, q.Options)
	}
	f.gap()
	if m.refused != "" {
		f.wrapped(m.hues.bad, term.Bad+" "+m.refused)
		f.gap()
	}
	m.keys(f, len(q.Options) == 0)
}

// overlay is drawn in place of the question.
func (m *model) overlay(f *frame, o flow.Overlay) {
	wrong, remedy := o.Failure.In(m.say)
	f.wrapped(m.hues.bad, term.Bad+" "+wrong)
	if remedy != "" {
		f.wrapped(m.hues.muted, remedy)
	}
	if o.Retry > 0 {
		f.put(fmt.Sprintf(m.say("Trying again in %d s."), flow.Countdown(m.now(), m.until)))
	}
	f.gap()
	m.options(f, o.Options)
	f.gap()
	m.keys(f, false)
}

// options are a list, of which as much is shown as fits around the chosen one.
func (m *model) options(f *frame, options []flow.Option) {
	from, to := 0, len(options)
	if room := max(m.height-len(f.lines)-7, 3); m.height > 0 && room < to {
		from = max(min(m.at-room/2, to-room), 0)
		to = from + room
	}
	for i := from; i < to; i++ {
		o := options[i]
		mark, label := " ", cut(oneLine(o.In(m.say)), f.width-2)
		if i == m.at {
			mark, label = m.hues.primary.Render(term.Here), m.hues.bold.Render(label)
		}
		note := ""
		if room := f.width - 4 - lipgloss.Width(o.In(m.say)); o.Note != "" && room > 8 {
			note = "  " + m.hues.muted.Render(cut(oneLine(m.say(o.Note)), room))
		}
		f.put(mark + " " + label + note)
	}
}

func (m *model) keys(f *frame, typed bool) {
	parts := []string{m.say("Enter takes"), m.say("Esc cancels")}
	if !typed {
		parts = append([]string{m.say("↑↓ choose")}, parts...)
	}
	f.put(m.hues.muted.Render(strings.Join(parts, " "+term.Point+" ")))
}

// say is a text in the person's language.
func (m *model) say(text string) string { return m.walk.Session().Tell(text) }
