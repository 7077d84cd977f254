package presence

import (
	"context"
	"crypto/subtle"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Authenticate finds the session a token belongs to.
func (f *Feature) Authenticate(token string) (op.Caller, error) {
	hash := hashToken(token)
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.byToken[hash]
	if !ok || subtle.ConstantTimeCompare([]byte(l.Token), []byte(hash)) != 1 {
		return op.Caller{}, op.Errorf(op.Denied, "this session token is not, or no longer, good").
			WithHint("a newer connection may have taken the session over: restart the agent")
	}
	l.active = f.cfg.Now()
	return op.Caller{Session: l.ID}, nil
}

// Attach marks the caller's session as attached while its feed lasts. drop is
// called when a newer connection takes the session over. The returned function
// detaches.
func (f *Feature) Attach(c op.Caller, drop func()) (detach func(), err error) {
	f.mu.Lock()
	l, ok := f.sessions[c.Session]
	if !ok {
		f.mu.Unlock()
		return nil, op.Errorf(op.NotFound, "there is no session %q", c.Session)
	}
	if l.drop != nil {
		l.drop()
	}
	l.drop, l.active = drop, f.cfg.Now()
	l.follow++
	l.left = false
	reopened := l.Closed
	f.reopen(l)
	f.mu.Unlock()
	if reopened {
		f.saveSession(l.ID)
	}
	f.changed(c.Session)
	return func() { f.detach(c.Session) }, nil
}

// detach starts the grace of a session without a feed.
func (f *Feature) detach(id string) {
	f.mu.Lock()
	l, ok := f.sessions[id]
	if ok {
		l.follow--
		if l.follow == 0 {
			l.drop, l.left = nil, true
			l.deadline = f.cfg.Mono() + roster.Grace
		}
	}
	f.mu.Unlock()
	f.changed(id)
}

// changed tells the gate and the other nodes about a session.
func (f *Feature) changed(id string) {
	for _, s := range f.keysOf(id) {
		f.cfg.Gate(s.mesh, s.key)
	}
	f.Announce()
}

// Renewed follows a change of what the own member says of itself in a mesh: names,
// message modes and groups of its sessions may be others now.
func (f *Feature) Renewed(ctx context.Context) error {
	f.mu.Lock()
	var open []string
	for id, l := range f.sessions {
		if !l.Closed {
			open = append(open, id)
		}
	}
	f.mu.Unlock()
	if err := f.Refresh(ctx); err != nil {
		return err
	}
	for _, id := range open {
		f.changed(id)
	}
	return nil
}

type meshKey struct {
	mesh ident.MeshID
	key  ident.PublicKey
}

func (f *Feature) keysOf(id string) []meshKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.sessions[id]
	if !ok {
		return nil
	}
	out := make([]meshKey, 0, len(l.keys))
	for m, k := range l.keys {
		out = append(out, meshKey{m, k.Public()})
	}
	return out
}
