package screen

import (
	"charm.land/lipgloss/v2"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/term"
)

// palette is every colour there is. Nothing is told by colour alone.
type palette struct {
	primary, accent, title, good, bad, warn, muted, bold lipgloss.Style
}

func newPalette() palette {
	in := func(colour string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(colour)) }
	return palette{
		primary: in("6"),
		accent:  in("#7C3AED"),
		title:   lipgloss.NewStyle().Background(lipgloss.Color("#4C1D95")).Foreground(lipgloss.Color("15")).Bold(true),
		good:    in("2"),
		bad:     in("1"),
		warn:    in("3"),
		muted:   in("8"),
		bold:    lipgloss.NewStyle().Bold(true),
	}
}

// brand is the mark that every screen begins with.
func (p palette) brand() string {
	return p.primary.Render(term.Brick) + p.accent.Render(term.Brick) + p.primary.Render(term.Brick) + " " + p.title.Render(" claudemesh ")
}

// mark is how a row stands.
func (p palette) mark(m flow.Mark) string {
	switch m {
	case flow.Open:
		return p.primary.Render(term.Open)
	case flow.Care:
		return p.warn.Render(term.Care)
	}
	return p.good.Render(term.OK)
}
