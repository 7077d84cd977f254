package flow

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// meshName is what a mesh can be called.
var meshName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}[a-z0-9]$`)

// maxWord is the longest name or role, in bytes.
const maxWord = 64

// Launch is the flow that leads to a started session. isLink tells what can be joined
// by.
func Launch(isLink func(string) bool) Flow {
	return Flow{
		look(), welcome(), newMesh(), link(isLink), meshes(),
		name(), role(), groups(), mode(), confirm(),
		makeMesh(), joinMesh(),
	}
}

// look finds out in which meshes this machine is.
func look() Step {
	return Step{
		ID:       "look",
		Complete: func(s *Session) bool { return s.Looked },
		Doing:    func(*Session) string { return "Looking for your meshes" },
		Do: func(ctx context.Context, w World, s Session) (func(*Session), error) {
			all, err := w.Meshes(ctx)
			if err != nil {
				return nil, err
			}
			s.Meshes, s.Outcast = sorted(all)
			name, failed := s.chosen()
			online := -1
			if name != "" {
				if online, err = w.Online(ctx, name); err != nil {
					online = -1
				}
			}
			return func(to *Session) {
				to.Looked, to.Meshes, to.Outcast, to.Mesh, to.Online = true, s.Meshes, s.Outcast, name, online
			}, failed
		},
		Failed: lookFailed,
	}
}

// sorted are the meshes a session can be in, and those it cannot.
func sorted(all []Mesh) (usable, outcast []Mesh) {
	for _, m := range all {
		if m.Trouble.String() == "" {
			usable = append(usable, m)
		} else {
			outcast = append(outcast, m)
		}
	}
	return usable, outcast
}

// chosen is the mesh that is meant, if that is known: the one that was named, or the
// only one.
func (s *Session) chosen() (string, error) {
	switch {
	case s.Link != "" || s.NewMesh != "":
		return "", nil
	case s.Mesh != "":
		if m, ok := s.mesh(s.Mesh); ok {
			return m.Name, nil
		}
		return "", &unknownMesh{noMesh(s.Mesh, s)}
	case len(s.Meshes) == 1 && s.Start == Undecided:
		return s.Meshes[0].Name, nil
	}
	return "", nil
}

// unknownMesh is a failure that leaves the meshes known.
type unknownMesh struct{ error }

func (u *unknownMesh) Unwrap() error { return u.error }

func lookFailed(err error) Overlay {
	var u *unknownMesh
	if errors.As(err, &u) {
		return noSuchMesh(u.error)
	}
	o := lost(err)
	o.Retry = lostFirst
	return o
}

// welcome is for who is in no mesh.
func welcome() Step {
	return Step{
		ID: "welcome", Flag: "--join <link>",
		Show:     func(s *Session) bool { return len(s.Meshes) == 0 && s.NewMesh == "" && s.Link == "" && s.Mesh == "" },
		Complete: func(s *Session) bool { return s.Start != Undecided },
		Ask: func(s *Session) Question {
			title := "Welcome. You are in no mesh yet."
			if len(s.Outcast) > 0 {
				title = s.Outcast[0].Trouble.In(s.Tell)
			}
			return Question{
				Title: title,
				Help:  "A mesh connects your agent sessions with those of others. Nothing is hosted anywhere, and you need no account.",
				Options: []Option{
					{string(Create), "Create a mesh on this machine", ""},
					{string(Join), "Join one by a link or a spoken code", ""},
					{Quit, "Exit", ""},
				},
			}
		},
		Answer: route,
	}
}

// isRoute tells an answer that leads elsewhere from one that names something.
func isRoute(value string) bool {
	return value == string(Create) || value == string(Join) || value == Quit
}

// route takes a way to a mesh.
func route(s *Session, value string) error {
	if s.Start = Start(value); s.Start != Create && s.Start != Join {
		s.Start = Undecided
		return fmt.Errorf("%q is no way to a mesh", value)
	}
	return nil
}

func newMesh() Step {
	return Step{
		ID:       "new",
		Show:     func(s *Session) bool { return s.Start == Create && s.Mesh == "" },
		Complete: func(s *Session) bool { return s.NewMesh != "" },
		Ask: func(*Session) Question {
			return Question{Title: "What is the mesh to be called?", Help: "2 to 32 characters of a-z, 0-9 and -, as in first-light"}
		},
		Answer: func(s *Session, value string) error {
			if !meshName.MatchString(value) {
				return fmt.Errorf("a name has 2 to 32 characters of a-z, 0-9 and -, with - only inside")
			}
			if _, taken := s.mesh(value); taken {
				return fmt.Errorf("you are in a mesh called %s already", value)
			}
			s.NewMesh = value
			return nil
		},
	}
}

func link(isLink func(string) bool) Step {
	return Step{
		ID: "link", Flag: "--join <link>",
		Show:     func(s *Session) bool { return s.Start == Join && s.Mesh == "" },
		Complete: func(s *Session) bool { return s.Link != "" },
		Ask: func(*Session) Question {
			return Question{Title: "The link, or the code that was spoken to you:", Help: "as in claudemesh://join/… or 4-tiger-harbor; whoever made it must be on"}
		},
		Answer: func(s *Session, value string) error {
			if !isLink(value) {
				return fmt.Errorf("that is no invite: a link begins with claudemesh://join/, a code is a number and two words")
			}
			s.Link = value
			return nil
		},
	}
}

// meshes is the choice among several.
func meshes() Step {
	return Step{
		ID: "mesh", Flag: "--mesh <name>",
		Show: func(s *Session) bool {
			return len(s.Meshes) > 0 && s.Start == Undecided && s.Link == "" && s.NewMesh == ""
		},
		Complete: func(s *Session) bool { return s.Mesh != "" },
		Ask: func(s *Session) Question {
			q := Question{Title: "Which mesh?"}
			for i, m := range s.Meshes {
				if m.Name == s.Last {
					q.At = i
				}
				q.Options = append(q.Options, Option{m.Name, m.Name, s.fill("%d in it, you are %s", m.Members, m.Member)})
			}
			q.Options = append(q.Options, Option{string(Create), "Create another", ""}, Option{string(Join), "Join another by a link or code", ""})
			return q
		},
		Answer: func(s *Session, value string) error {
			if m, ok := s.mesh(value); ok {
				s.Mesh, s.Online = m.Name, -1
				return nil
			}
			if isRoute(value) {
				return route(s, value)
			}
			return noMesh(value, s)
		},
	}
}

// text is a question for a word or two that is answered once.
func text(id, flag, title, help string, field func(*Session) *Text, otherwise func(*Session) string, check func(string) error) Step {
	return Step{
		ID: id, Flag: flag,
		Complete: func(s *Session) bool { return field(s).Known },
		Ask: func(s *Session) Question {
			at := field(s).Value
			if at == "" {
				at = otherwise(s)
			}
			return Question{Title: title, Help: help, Text: at}
		},
		Answer: func(s *Session, value string) error {
			value = strings.TrimSpace(value)
			if err := check(value); err != nil {
				return err
			}
			*field(s) = Say(value)
			return nil
		},
		Otherwise: otherwise,
	}
}

func nothing(*Session) string { return "" }

func name() Step {
	return text("name", "--name <name>", "Your name in the mesh:", "what others call this session by", func(s *Session) *Text { return &s.Name },
		func(s *Session) string { return s.User },
		func(v string) error {
			if v == "" {
				return errors.New("a name is needed")
			}
			return named(v)
		})
}

func role() Step {
	return text("role", "--role <role>", "Its role:", "free text, as in reviewer; may stay empty", func(s *Session) *Text { return &s.Role }, nothing, short)
}

func groups() Step {
	return text("groups", "--groups <list>", "Its groups:", "as in frontend:lead,qa; messages to @qa then reach it; may stay empty", func(s *Session) *Text { return &s.Groups }, nothing,
		func(v string) error { _, err := ParseGroups(v); return err })
}

// named refuses what no session can be called: it would start, and not be on the mesh.
func named(v string) error {
	err := op.CheckNewName(v)
	if err == nil {
		return nil
	}
	e := op.AsError(err)
	return op.Errorf(op.Invalid, "%w: %s", e, op.Word(e.Hint))
}

// short refuses what nobody could read in a list.
func short(v string) error {
	if len(v) > maxWord {
		return op.Errorf(op.Invalid, "that is longer than %d characters", maxWord)
	}
	return nil
}

// asSet is the answer that leaves the message mode to the profile and the settings.
const asSet = "as-set"

func mode() Step {
	return Step{
		ID: "mode", Flag: "--message-mode <mode>",
		Complete: func(s *Session) bool { return s.Mode.Known },
		Ask: func(s *Session) Question {
			q := Question{Title: "How do messages reach the session?", Options: append(Modes(), Option{asSet, "as set", "what your profile and settings say"})}
			for i, o := range q.Options {
				if o.Value == s.Mode.Value {
					q.At = i
				}
			}
			return q
		},
		Answer: func(s *Session, value string) error {
			if value == asSet {
				s.Mode = Say("")
				return nil
			}
			if err := checkMode(value); err != nil {
				return err
			}
			s.Mode = Say(value)
			return nil
		},
		Otherwise: func(*Session) string { return asSet },
	}
}

func makeMesh() Step {
	return Step{
		ID:       "make",
		Show:     func(s *Session) bool { return s.NewMesh != "" },
		Complete: func(s *Session) bool { return s.Mesh != "" },
		Doing:    func(s *Session) string { return s.fill("Making the mesh %s", s.NewMesh) },
		Do: func(ctx context.Context, w World, s Session) (func(*Session), error) {
			slug, err := w.Make(ctx, s.NewMesh, s.Name.Value)
			return func(s *Session) { s.Mesh, s.Online = slug, 0 }, err
		},
		Failed: notMade,
	}
}

func joinMesh() Step {
	return Step{
		ID:       "join",
		Show:     func(s *Session) bool { return s.Link != "" },
		Complete: func(s *Session) bool { return s.Mesh != "" },
		Doing:    func(*Session) string { return "Asking the inviter's node" },
		Do: func(ctx context.Context, w World, s Session) (func(*Session), error) {
			slug, already, err := w.Join(ctx, s.Link, s.Name.Value)
			return func(s *Session) { s.Mesh, s.Already, s.Online = slug, already, -1 }, err
		},
		Failed: notJoined,
	}
}
