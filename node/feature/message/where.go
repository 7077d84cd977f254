package message

import (
	"errors"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// where finds the session that a message is sent as. One message is in one mesh: the
// one the request names, else the only one, else that of the first target with a
// mesh before a colon, of what it answers, or the only one that knows its targets.
func (f *Feature) where(c op.Caller, in SendRequest) (Self, error) {
	if in.Mesh != "" {
		return f.cfg.Sessions.Caller(c, in.Mesh)
	}
	all, err := f.cfg.Sessions.Callers(c)
	if err != nil || len(all) == 1 {
		return first(all), err
	}
	for _, t := range in.To {
		if s, _, ok := prefixed(all, t); ok {
			return s, nil
		}
	}
	if id, err := letter.ParseID(in.ReplyTo); err == nil {
		if s, ok, err := f.answering(all, id); ok || err != nil {
			return s, err
		}
	}
	return f.knowing(all, in.To)
}

// asking are the sessions c asks as: in the mesh named, else in all.
func (f *Feature) asking(c op.Caller, slug string) ([]Self, error) {
	if slug == "" {
		return f.cfg.Sessions.Callers(c)
	}
	self, err := f.cfg.Sessions.Caller(c, slug)
	return []Self{self}, err
}

func first(all []Self) Self {
	if len(all) == 0 {
		return Self{}
	}
	return all[0]
}

// prefixed splits a target that begins with the name of one of the meshes.
func prefixed(all []Self, target string) (s Self, rest string, ok bool) {
	slug, rest, ok := strings.Cut(strings.TrimSpace(target), ":")
	if !ok {
		return Self{}, target, false
	}
	for _, s := range all {
		if s.Slug == slug {
			return s, strings.TrimSpace(rest), true
		}
	}
	return Self{}, target, false
}

// answering finds the mesh in which a message came, or was sent.
func (f *Feature) answering(all []Self, id letter.ID) (found Self, ok bool, err error) {
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		for _, s := range all {
			r, err := findReplied(tx, s, id)
			if err != nil {
				return err
			}
			if r != nil {
				found, ok = s, true
				return nil
			}
		}
		return nil
	})
	return found, ok, err
}

// knowing finds the only mesh that knows one of the targets. A group may be in every
// mesh: it names none.
func (f *Feature) knowing(all []Self, targets []string) (Self, error) {
	slugs := make([]string, len(all))
	var known []string
	var found Self
	var failed error
	for i, s := range all {
		slugs[i] = s.Slug
		for _, t := range targets {
			if many(strings.TrimSpace(t)) {
				continue
			}
			_, err := f.cfg.Sessions.Resolve(s.Mesh, s, t)
			if err == nil || op.CodeOf(err) == op.Ambiguous {
				known, found = append(known, s.Slug), s
				break
			}
			failed = errors.Join(failed, err)
		}
	}
	switch {
	case len(known) == 1:
		return found, nil
	case len(known) > 1:
		return Self{}, op.Errorf(op.Ambiguous, "%s is known in several meshes: %s", strings.Join(targets, ", "), strings.Join(known, ", ")).
			WithHint("put the mesh before it, as in %s:%s", known[0], some(targets))
	case failed != nil:
		return Self{}, op.Errorf(op.NotFound, "none of your meshes (%s) knows %s", strings.Join(slugs, ", "), strings.Join(targets, ", ")).
			WithHint("list_peers (`claudemesh peers --all`) shows who is there")
	}
	return Self{}, op.Errorf(op.Ambiguous, "you are in %d meshes: %s", len(all), strings.Join(slugs, ", ")).
		WithHint("put the mesh before the target, as in %s:%s, or name it in mesh_slug", slugs[0], some(targets))
}

// some is a target for an example.
func some(targets []string) string {
	if len(targets) == 0 {
		return "*"
	}
	return targets[0]
}
