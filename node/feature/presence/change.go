package presence

import (
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// change has fn change what a session is in one mesh, or in all it is in, keeps it,
// and then shows it, to the gate and the others too: what a kill would undo nobody has
// seen. It returns the meshes' names. fn runs with f.mu held, twice: for the commit, and
// after it on what the session is by then. The first error leaves everything as it was.
func (f *Feature) change(ctx context.Context, c op.Caller, of OfSession, slug string, fn func(*live, place) (place, error)) ([]string, error) {
	meshes, err := f.scope(slug)
	if err != nil {
		return nil, err
	}
	if len(meshes) == 0 {
		_, err := f.pick("")
		return nil, err
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	f.mu.Lock()
	l, err := f.subject(c, of)
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		f.mu.Lock()
		s, err := l.prepare(meshes, fn)
		f.mu.Unlock()
		if err != nil {
			return err
		}
		tx.OnCommit(func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			l.settle(meshes, fn)
		})
		return f.save(tx, s, nil)
	})
	if err != nil {
		f.mu.Lock()
		l.coming = nil
		f.mu.Unlock()
		return nil, err
	}
	var slugs []string
	for _, m := range meshes {
		slugs = append(slugs, m.Slug)
	}
	f.changed(l.ID)
	return slugs, nil
}

// prepare works out what the session will be in some meshes, and returns it as it is to
// be kept: whoever else keeps it in the same commit keeps that too. The caller holds f.mu.
func (l *live) prepare(meshes []Mesh, fn func(*live, place) (place, error)) (session, error) {
	coming := make(map[string]place, len(meshes))
	for _, m := range meshes {
		p, err := fn(l, l.at(m.ID))
		if err != nil {
			return session{}, err
		}
		coming[m.ID.String()] = p
	}
	l.coming = coming
	return l.copy(), nil
}

// settle makes what was prepared so. What changed meanwhile stays. The caller holds f.mu.
func (l *live) settle(meshes []Mesh, fn func(*live, place) (place, error)) {
	for _, m := range meshes {
		p, err := fn(l, l.at(m.ID))
		if err != nil {
			p = l.coming[m.ID.String()]
		}
		l.Places[m.ID.String()] = p
	}
	l.coming = nil
}

// subject is the session that a request changes: an agent's own, or the one that the
// person at the terminal names. The caller holds f.mu.
func (f *Feature) subject(c op.Caller, of OfSession) (*live, error) {
	if !c.User {
		if of.Session != "" {
			return nil, op.Errorf(op.Denied, "an agent's session changes itself alone").WithHint("leave session out")
		}
		l, ok := f.sessions[c.Session]
		if !ok {
			return nil, op.Errorf(op.NotFound, "there is no session %q", c.Session)
		}
		return l, nil
	}
	var open, named []*live
	for _, l := range f.sessions {
		if l.ID == UserSession || l.Closed {
			continue
		}
		open = append(open, l)
		if l.called(of.Session) {
			named = append(named, l)
		}
	}
	if of.Session == "" {
		named = open
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(open) == 0:
		return nil, op.Errorf(op.NotFound, "no agent session of yours is open").WithHint("start an agent with claudemesh, or run the command inside its session")
	case len(named) == 0:
		return nil, op.Errorf(op.NotFound, "you have no open session %q", of.Session).WithHint("yours: %s", labels(open))
	default:
		return nil, op.Errorf(op.Ambiguous, "you have %d open sessions", len(named)).WithHint("name one with --session: %s", labels(named))
	}
}

// called tells whether text names the session: its local id, an id of its agent, its
// name in a mesh, or at least 8 digits of its key there.
func (l *live) called(text string) bool {
	if text == "" {
		return false
	}
	if l.ID == text || slices.Contains(l.Agents, text) {
		return true
	}
	for _, n := range l.Names {
		if strings.EqualFold(n, text) {
			return true
		}
	}
	for _, k := range l.keys {
		if len(text) >= 8 && strings.HasPrefix(k.Public().String(), strings.ToLower(text)) {
			return true
		}
	}
	return false
}

// labels lists sessions for an error message: name, key and folder.
func labels(list []*live) string {
	out := make([]string, 0, len(list))
	for _, l := range list {
		one := ""
		for mesh, k := range l.keys {
			one = l.Names[mesh.String()] + " " + k.Public().String()[:16]
			break
		}
		out = append(out, strings.TrimSpace(one+" "+l.Cwd))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// keep writes one session to disk as it is when the commit is made, so that of two
// writers at once the later state stays.
func (f *Feature) keep(ctx context.Context, id string) error {
	return f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		f.mu.Lock()
		l, ok := f.sessions[id]
		var s session
		if ok {
			s = l.copy()
		}
		f.mu.Unlock()
		if !ok {
			return nil
		}
		return f.save(tx, s, nil)
	})
}

// reopen opens a session that was closed. The caller holds f.mu.
func (f *Feature) reopen(l *live) {
	if !l.Closed {
		return
	}
	l.Closed, l.since = false, f.cfg.Now()
}

// end closes a session. The caller holds f.mu.
func (f *Feature) end(l *live) {
	if l.Closed {
		return
	}
	now := f.cfg.Now()
	l.counts = l.sum(now)
	l.Closed, l.Ended = true, now
}
