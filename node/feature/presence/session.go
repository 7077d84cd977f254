package presence

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// UserSession is the local id of the hidden session of the person at the terminal.
const UserSession = "user"

// Buckets of this package.
const (
	bucketSessions = "session"       // local id → session, JSON
	bucketKeys     = "session-key"   // mesh id / local id → Ed25519 seed
	bucketBeacons  = "beacon"        // mesh id / member key → signed beacon
	bucketBoot     = "boot"          // "boot" → counter
	bucketCounts   = "session-count" // local id → roster.Counts, JSON
)

// session is one of this node's own sessions as kept on disk. Fields are exported
// for the JSON codec alone.
type session struct {
	ID       string            `json:"id"`
	Agents   []string          `json:"agents"`              // agent session ids, newest last
	OpenedAs string            `json:"opened_as,omitempty"` // of Agents, the one it was opened with
	Token    string            `json:"token_hash"`          // SHA-256 of the newest token, hex
	Base     string            `json:"base_name"`           // the name it asked for, or empty
	Names    map[string]string `json:"names"`               // mesh id → name
	Summary  map[string]string `json:"summaries"`           // mesh id → summary
	Role     string            `json:"role"`
	Mode     string            `json:"mode"`             // asked for, or empty
	Rights   string            `json:"rights,omitempty"` // what it may do; empty: everything
	Quiet    bool              `json:"quiet,omitempty"`  // is not told who comes and goes
	Only     string            `json:"only,omitempty"`   // the id of the mesh it was started for; empty: all
	Places   map[string]place  `json:"places"`           // mesh id → what it is there
	Prompted time.Time         `json:"prompted,omitzero"`
	PID      int               `json:"pid"`
	Cwd      string            `json:"cwd"`
	Host     string            `json:"host"`
	PeerType string            `json:"peer_type"`
	Channel  string            `json:"channel"`
	Model    string            `json:"model"`
	Opened   time.Time         `json:"opened"`
	Closed   bool              `json:"closed"`
	Ended    time.Time         `json:"ended,omitzero"` // when it closed
}

// place is what a session is in one mesh, beyond its name.
type place struct {
	Status status.Mark   `json:"status"`
	Groups []group.Group `json:"groups,omitempty"`
	Hidden bool          `json:"hidden,omitempty"`
	Hid    time.Time     `json:"hid,omitzero"` // since when
}

// live is what a session is in this process.
type live struct {
	session
	keys     map[ident.MeshID]ident.PrivateKey
	attests  map[ident.MeshID]attested
	follow   int           // feeds attached now
	drop     func()        // ends the attached feed
	deadline time.Duration // monotonic: closes then, while detached
	left     bool          // its feed has ended, and nobody has taken it up since
	active   time.Time     // last call or attach
	ran      bool          // the agent's process was seen to run
	since    time.Time     // open since
	counts   roster.Counts // what it did, all in all; Up is of earlier openings
	told     roster.Counts // what others are told of it
	consents map[ident.MeshID][64]byte
	coming   map[string]place // what it will be in some meshes once that is on disk
}

// at is what the session is in a mesh.
func (l *live) at(mesh ident.MeshID) place { return l.place(mesh.String()) }

func (l *live) place(mesh string) place {
	p, known := l.Places[mesh]
	if !known {
		p.Hidden = l.elsewhere(mesh)
	}
	p.Status = p.Status.Or()
	if p.Status.At.IsZero() {
		p.Status.At = l.Opened
	}
	return p
}

// attested is a session's current attestation in a mesh.
type attested struct {
	stmt  []byte
	until time.Time
}

// Local is one of this node's own sessions in one mesh.
type Local struct {
	Mesh       ident.MeshID
	Slug       string
	Member     ident.PublicKey
	Session    ident.PublicKey
	Key        ident.PrivateKey
	Attest     []byte
	Name       string
	ID         string
	Attached   bool
	Status     string // idle, working or dnd
	Mode       string
	LastActive time.Time
	// StatusSource tells who said the status, StatusAt when it was last said.
	StatusSource string
	StatusAt     time.Time
	// Groups are those it is in, by name.
	Groups []group.Group
	// Visible is false for a session that hides, and for the terminal's.
	Visible bool
	// Prompted is when its user was last seen to type something; zero: never.
	Prompted time.Time
	// Rights lists what it may do; empty: everything.
	Rights string
}

// mode is the session's message mode: the one it asked for, else its member's, else
// the node's.
func (f *Feature) mode(l *live, own Profile) string { return cmp.Or(l.Mode, own.Mode, f.cfg.Mode) }

// sight is who may see the session in a mesh.
func (l *live) sight(mesh ident.MeshID) roster.Sight {
	switch {
	case l.ID == UserSession:
		return roster.Unlisted
	case l.at(mesh).Hidden:
		return roster.Hiding
	default:
		return roster.Listed
	}
}

// open makes or takes up the session of an agent and returns its new token.
func (f *Feature) open(in OpenRequest) (*live, string, bool, error) {
	token, hash, err := newToken()
	if err != nil {
		return nil, "", false, err
	}
	where, err := f.wishes(in)
	if err != nil {
		return nil, "", false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l, resumed := f.byAgent[in.AgentSession]
	if !resumed {
		l, resumed = f.goesOn(in)
	}
	if !resumed {
		if f.openCount() >= roster.MaxSessions {
			return nil, "", false, op.Errorf(op.RateLimited, "this node has %d open sessions, the most it takes", roster.MaxSessions).
				WithHint("end some: a session closes %s after its agent has gone", roster.Grace)
		}
		l = f.newLive(session{ID: newLocalID(), Opened: f.cfg.Now(), Agents: []string{in.AgentSession}})
	}
	if l.drop != nil {
		l.drop()
	}
	f.reopen(l)
	l.Token, l.left = hash, false
	l.describe(in, f.cfg)
	if err := f.settle(l, where); err != nil {
		return nil, "", false, err
	}
	l.ran = in.PID > 0 && f.cfg.Alive != nil && f.cfg.Alive(in.PID)
	l.deadline = f.cfg.Mono() + roster.Grace
	l.active = f.cfg.Now()
	f.index(l)
	for _, m := range f.cfg.Meshes.List() {
		f.settleName(l, m)
	}
	f.takeReports(l, in)
	return l, token, resumed, nil
}

// goesOn finds the session of an agent that comes back under a new session id: one
// whose feed has just ended, of the same process in the same folder. Claude Code
// takes a new id at /clear, does not tell its servers, and gives it to the next one
// that it starts. The caller holds f.mu.
func (f *Feature) goesOn(in OpenRequest) (*live, bool) {
	if in.PID == 0 {
		return nil, false
	}
	for _, l := range f.sessions {
		if l.left && !l.Closed && l.PID == in.PID && l.Cwd == clip(in.Cwd, roster.MaxCwd) && l.Channel == clip(in.Channel, roster.MaxWord) {
			l.Agents = append(l.Agents, in.AgentSession)
			return l, true
		}
	}
	return nil, false
}

// describe takes over what the agent says of itself.
func (l *live) describe(in OpenRequest, cfg Config) {
	l.Base, l.Role = clip(in.Name, roster.MaxWord), clip(in.Role, roster.MaxWord)
	l.Mode, l.Quiet, l.OpenedAs = in.Mode, in.Quiet, in.AgentSession
	if l.Rights != in.Rights {
		l.Rights = in.Rights
		clear(l.attests) // those of before say otherwise
	}
	l.PID, l.Cwd, l.Host = in.PID, clip(in.Cwd, roster.MaxCwd), clip(cfg.Host, roster.MaxWord)
	l.PeerType, l.Channel, l.Model = clip(in.PeerType, roster.MaxWord), clip(in.Channel, roster.MaxWord), clip(in.Model, roster.MaxWord)
}

// newLive gives a stored session its life in this process.
func (f *Feature) newLive(s session) *live {
	if s.Names == nil {
		s.Names = make(map[string]string)
	}
	if s.Summary == nil {
		s.Summary = make(map[string]string)
	}
	if s.Places == nil {
		s.Places = make(map[string]place)
	}
	return &live{
		session: s, active: s.Opened, since: f.cfg.Now(),
		keys: make(map[ident.MeshID]ident.PrivateKey), attests: make(map[ident.MeshID]attested),
		consents: make(map[ident.MeshID][64]byte),
	}
}

// index makes l findable. The caller holds f.mu.
func (f *Feature) index(l *live) {
	f.sessions[l.ID] = l
	for _, a := range l.Agents {
		f.byAgent[a] = l
	}
	for hash, other := range f.byToken {
		if other == l {
			delete(f.byToken, hash)
		}
	}
	if l.Token != "" {
		f.byToken[l.Token] = l
	}
}

// settleName gives l a name in mesh m that no other open session of this node has
// there. The caller holds f.mu.
func (f *Feature) settleName(l *live, m Mesh) {
	id := m.ID.String()
	want := l.Base
	if want == "" {
		want = m.Name
	}
	if have := l.Names[id]; have != "" && f.nameFree(l, id, have) && sameBase(have, want) {
		return
	}
	name := want
	for n := 2; !f.nameFree(l, id, name); n++ {
		name = fmt.Sprintf("%s-%d", want, n)
	}
	l.Names[id] = name
	delete(l.attests, m.ID)
}

// sameBase tells whether name is want, or want with a number behind it.
func sameBase(name, want string) bool {
	if name == want {
		return true
	}
	rest, ok := strings.CutPrefix(name, want+"-")
	return ok && rest != "" && !slices.ContainsFunc([]byte(rest), func(c byte) bool { return c < '0' || c > '9' })
}

// nameFree tells whether no other open agent session has the name in the mesh.
func (f *Feature) nameFree(l *live, mesh, name string) bool {
	for _, other := range f.sessions {
		if other != l && !other.Closed && other.ID != UserSession && other.Names[mesh] == name {
			return false
		}
	}
	return true
}

// openCount counts open agent sessions. The caller holds f.mu.
func (f *Feature) openCount() int {
	n := 0
	for _, l := range f.sessions {
		if !l.Closed && l.ID != UserSession {
			n++
		}
	}
	return n
}

// save writes a session and makes its missing keys, in one commit.
func (f *Feature) save(tx *store.Tx, s session, meshes []Mesh) error {
	if err := store.PutJSON(tx.Bucket(bucketSessions), []byte(s.ID), s); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	for _, m := range meshes {
		if err := makeKey(tx, m.ID, s.ID); err != nil {
			return err
		}
	}
	return nil
}

// makeKey makes a session's key for a mesh, once for ever.
func makeKey(tx *store.Tx, mesh ident.MeshID, id string) error {
	b := tx.Bucket(bucketKeys, mesh.String())
	if b.Get([]byte(id)) != nil {
		return nil
	}
	key, err := ident.NewPrivateKey()
	if err != nil {
		return fmt.Errorf("make session key: %w", err)
	}
	seed := key.Seed()
	return b.Put([]byte(id), seed[:])
}

// newToken makes a token and its hash, both in hex.
func newToken() (token, hash string, err error) {
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", "", fmt.Errorf("make session token: %w", err)
	}
	token = hex.EncodeToString(raw[:])
	return token, hashToken(token), nil
}

func hashToken(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// newLocalID names a session inside this node.
func newLocalID() string { return "s-" + rand.Text()[:16] }

// clip cuts text to at most n bytes at a character border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
