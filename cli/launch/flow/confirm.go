package flow

import (
	"fmt"
	"strings"
)

const (
	goOn   = "continue"
	change = "change:"
)

// confirm shows what will be done, and is where all can be changed.
func confirm() Step {
	return Step{
		ID:       "confirm",
		Complete: func(s *Session) bool { return s.Confirmed },
		Ask: func(s *Session) Question {
			q := Question{Title: "Start Claude Code?", Rows: true, Options: []Option{{goOn, "Continue", ""}}}
			for _, e := range changes(s) {
				q.Options = append(q.Options, Option{change + e.id, e.label, ""})
			}
			q.Options = append(q.Options, optionQuit())
			return q
		},
		Answer: func(s *Session, value string) error {
			if value == goOn {
				s.Confirmed = true
				return nil
			}
			id, ok := strings.CutPrefix(value, change)
			for _, e := range changes(s) {
				if ok && e.id == id {
					e.clear(s)
					return nil
				}
			}
			return fmt.Errorf("%q is nothing to choose here", value)
		},
		Otherwise: func(*Session) string { return goOn },
	}
}

// changed is an answer that can be taken back.
type changed struct {
	id, label string
	clear     func(*Session)
}

// changes lists them. To take an answer back is all there is to do: its step comes next
// then.
func changes(s *Session) []changed {
	out := []changed{
		{"name", "Change the name", func(s *Session) { s.Name.Known = false }},
		{"role", "Change the role", func(s *Session) { s.Role.Known = false }},
		{"groups", "Change the groups", func(s *Session) { s.Groups.Known = false }},
		{"mode", "Change the message mode", func(s *Session) { s.Mode.Known = false }},
	}
	if len(s.Meshes) > 0 || s.NewMesh != "" || s.Link != "" {
		out = append([]changed{{"mesh", "Change the mesh", func(s *Session) {
			s.Mesh, s.NewMesh, s.Link, s.Start = "", "", "", Undecided
		}}}, out...)
	}
	return out
}

// Mark says how a row stands.
type Mark int

// The marks.
const (
	Known Mark = iota
	Open
	Care
)

// Row is a line about the session.
type Row struct {
	Label, Value string
	Mark         Mark
}

// Rows describe the session, in the order in which people look for them.
func (s *Session) Rows() []Row {
	rows := []Row{{"Directory", s.Folder, Known}, s.meshRow(), s.textRow("Name", s.Name, ""), s.textRow("Role", s.Role, s.Tell("none"))}
	rows = append(rows, s.textRow("Groups", s.Groups, s.Tell("none")), s.textRow("Messages", s.Mode, s.Tell("as your profile and settings say")))
	if s.Resumes != "" {
		rows = append(rows, Row{"Resumes", s.Resumes, Known})
	}
	if s.Unasked {
		rows = append(rows, Row{"Permissions", s.Tell("skipped: Claude Code will not ask before it acts"), Care})
	}
	return rows
}

func (s *Session) textRow(label string, t Text, empty string) Row {
	switch {
	case !t.Known:
		return Row{label, s.Tell("to choose"), Open}
	case t.Value == "":
		return Row{label, empty, Known}
	}
	return Row{label, t.Value, Known}
}

func (s *Session) meshRow() Row {
	switch {
	case s.NewMesh != "" && s.Mesh == "":
		return Row{"Mesh", s.fill("%s, to be made on this machine", s.NewMesh), Known}
	case s.Link != "" && s.Mesh == "":
		return Row{"Mesh", s.Tell("the one that the invite leads to"), Known}
	case s.Mesh == "":
		return Row{"Mesh", s.Tell("to choose"), Open}
	case s.Online < 0:
		return Row{"Mesh", s.Mesh, Known}
	}
	return Row{"Mesh", s.fill("%s, %d online", s.Mesh, s.Online), Known}
}
