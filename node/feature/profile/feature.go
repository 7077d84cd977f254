package profile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// kind is the collection of profiles.
const kind = "profile"

// Config is what the feature is built from. All fields but Reads are needed.
type Config struct {
	Book   Book
	Meshes Meshes
	// Changed is called, one at a time and without locks held, when a member's name,
	// role tag, groups or message mode are not what they were.
	Changed func(ctx context.Context, mesh ident.MeshID, member ident.PublicKey)
	// Reads tells whether what another member says of itself is shown here. Nil: of
	// everybody.
	Reads func(mesh ident.MeshID, member ident.PublicKey) bool
	Now   func() time.Time
	Log   *slog.Logger
}

// Feature keeps the profiles of the meshes' members. Its methods are safe for
// concurrent use, and those that only read never touch the store: they may be called
// with locks held. A nil Feature can list its operations.
type Feature struct {
	cfg  Config
	poke chan struct{} // somebody is to be told

	// editing orders what is written here: a profile is read, changed and written
	// back. It is held across commits, before mu.
	editing sync.Mutex

	mu    sync.Mutex // guards what follows
	known map[ident.MeshID]map[ident.PublicKey]Profile
	count uint64 // changes so far
	tell  []whose
}

// whose is a member of a mesh.
type whose struct {
	mesh   ident.MeshID
	member ident.PublicKey
}

// New builds the feature. It starts nothing and knows nobody yet.
func New(cfg Config) *Feature {
	return &Feature{cfg: cfg, poke: make(chan struct{}, 1), known: make(map[ident.MeshID]map[ident.PublicKey]Profile)}
}

// Start reads the profiles of earlier runs. It comes after the book's Start and
// before anything else of this package is used.
func (f *Feature) Start() {
	for _, m := range f.cfg.Meshes.List() {
		f.reload(m.Mesh)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell = nil // what was so before is no change
}

// Kinds are the records of the feature.
func (f *Feature) Kinds() []record.Kind {
	return []record.Kind{{Name: kind, Writes: f.mayWrite, Check: checkValue, Changed: f.changed, Followed: f.followed}}
}

// mayWrite lets everybody write their own fields, and admins some of others'.
func (f *Feature) mayWrite(mesh ident.MeshID, author ident.PublicKey, key string) bool {
	member, what, ok := parseKey(key)
	if !ok {
		return false
	}
	return author == member || slices.Contains(byAdmins, what) && f.cfg.Meshes.Admin(mesh, author)
}

// Profile is what is known of a member now.
func (f *Feature) Profile(mesh ident.MeshID, member ident.PublicKey) Profile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[mesh][member]
}

// Version changes whenever anything that this Feature knows does.
func (f *Feature) Version() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Names are the members' names as they count: the display name, unless it is, in
// whatever case, the admitted name or the wish of another member, or looks like one. An
// admitted name that looks like another's, which no honest node gives, stands with the
// beginning of its member's key, if it is the one that is not in plain letters.
func (f *Feature) Names(mesh ident.MeshID) map[ident.PublicKey]string {
	members := f.cfg.Meshes.Members(mesh)
	taken := make(map[string]map[ident.PublicKey]bool) // by name and look: who is or would be called so
	claim := func(name string, key ident.PublicKey) {
		for _, is := range forms(name) {
			if taken[is] == nil {
				taken[is] = make(map[ident.PublicKey]bool)
			}
			taken[is][key] = true
		}
	}
	alone := func(name string) bool {
		return !slices.ContainsFunc(forms(name), func(is string) bool { return len(taken[is]) > 1 })
	}
	admitted := make(map[string]map[string]bool) // by look: the names in small letters
	out := make(map[ident.PublicKey]string, len(members))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range members {
		claim(m.Name, m.Key)
		look := op.Looks(m.Name)
		if admitted[look] == nil {
			admitted[look] = make(map[string]bool)
		}
		admitted[look][strings.ToLower(m.Name)] = true
		if wish := f.known[mesh][m.Key].Name; wish != "" {
			claim(wish, m.Key)
		}
	}
	for _, m := range members {
		out[m.Key] = m.Name
		if wish := f.known[mesh][m.Key].Name; wish != "" && alone(wish) {
			out[m.Key] = wish
		} else if look := op.Looks(m.Name); look != strings.ToLower(m.Name) && len(admitted[look]) > 1 {
			out[m.Key] = m.Name + "-" + m.Key.String()[:8]
		}
	}
	return out
}

// forms are what a name may be found, or taken for, by.
func forms(name string) []string {
	return []string{"is " + strings.ToLower(name), "looks " + op.Looks(name)}
}

// changed follows a record once it is committed.
func (f *Feature) changed(tx *store.Tx, c record.Change) error {
	tx.OnCommit(func() { f.apply(c) })
	return nil
}

// apply takes over what one key shows now.
func (f *Feature) apply(c record.Change) {
	member, what, ok := parseKey(c.Key)
	if !ok {
		return
	}
	var value Profile
	if c.New != nil {
		var err error
		if value, err = decode(c.New.Value); err != nil {
			return // the book shows none that does not read
		}
	}
	f.mu.Lock()
	f.count++
	f.put(c.Mesh, member, what, value)
	f.mu.Unlock()
	if slices.Contains(byAdmins, what) {
		f.announce(whose{c.Mesh, member})
	}
}

// put sets one field of what is known. The caller holds f.mu.
func (f *Feature) put(mesh ident.MeshID, member ident.PublicKey, what field, value Profile) {
	if f.known[mesh] == nil {
		f.known[mesh] = make(map[ident.PublicKey]Profile)
	}
	f.known[mesh][member] = f.known[mesh][member].with(what, value)
}

// with is p with one field of value.
func (p Profile) with(what field, value Profile) Profile {
	switch what {
	case about:
		p.Avatar, p.Title, p.Bio, p.Capabilities = value.Avatar, value.Title, value.Bio, value.Capabilities
	case fName:
		p.Name = value.Name
	case fRoleTag:
		p.RoleTag = value.RoleTag
	case fGroups:
		p.Groups = value.Groups
	case fMode:
		p.Mode = value.Mode
	case fSeen:
		p.Seen = value.Seen
	}
	return p
}

// reload reads all profiles of a mesh anew.
func (f *Feature) reload(mesh ident.MeshID) {
	for {
		f.mu.Lock()
		before := f.count
		f.mu.Unlock()
		fresh, err := f.read(mesh)
		if err != nil {
			f.cfg.Log.Warn("profiles not read", "mesh", mesh, "error", err)
			return
		}
		f.mu.Lock()
		if f.count != before {
			f.mu.Unlock()
			continue // something was committed meanwhile
		}
		old := f.known[mesh]
		f.known[mesh] = fresh
		f.count++
		changed := differing(old, fresh)
		f.mu.Unlock()
		for _, member := range changed {
			f.announce(whose{mesh, member})
		}
		return
	}
}

// followed has the day this node ran be written down in a mesh that may be new here.
func (f *Feature) followed(ident.MeshID) { f.wake() }

// wake has Run look at once.
func (f *Feature) wake() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

// read is what the book shows of a mesh's profiles.
func (f *Feature) read(mesh ident.MeshID) (map[ident.PublicKey]Profile, error) {
	entries, err := f.cfg.Book.List(mesh, kind, "")
	if err != nil {
		return nil, err
	}
	out := make(map[ident.PublicKey]Profile)
	for _, e := range entries {
		member, what, ok := parseKey(e.Key)
		value, err := decode(e.Value)
		if !ok || err != nil {
			continue
		}
		out[member] = out[member].with(what, value)
	}
	return out, nil
}

// differing are the members that a reading made others of, as far as admins may write.
func differing(old, fresh map[ident.PublicKey]Profile) (out []ident.PublicKey) {
	for member, p := range fresh {
		if !old[member].same(p) {
			out = append(out, member)
		}
	}
	for member, p := range old {
		if _, still := fresh[member]; !still && !p.same(Profile{}) {
			out = append(out, member)
		}
	}
	return out
}

// same compares what admins may write.
func (p Profile) same(o Profile) bool {
	return p.Name == o.Name && p.RoleTag == o.RoleTag && p.Mode == o.Mode && slices.Equal(p.Groups, o.Groups)
}

// announce has Run tell of a change.
func (f *Feature) announce(w whose) {
	f.mu.Lock()
	if !slices.Contains(f.tell, w) {
		f.tell = append(f.tell, w)
	}
	f.mu.Unlock()
	f.wake()
}

// Run tells of changes, and each day writes down that this node ran, until ctx ends.
func (f *Feature) Run(ctx context.Context) error {
	const look = 10 * time.Minute
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		f.mu.Lock()
		tell := f.tell
		f.tell = nil
		f.mu.Unlock()
		for _, w := range tell {
			f.cfg.Changed(ctx, w.mesh, w.member)
		}
		if err := f.beSeen(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Log.Warn("the day this node was seen is not written down", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-f.poke:
		}
	}
}

// beSeen writes down the day where it is not yet.
func (f *Feature) beSeen(ctx context.Context) error {
	today := f.cfg.Now().UTC().Truncate(day)
	for _, m := range f.cfg.Meshes.List() {
		if f.Profile(m.Mesh, m.Member).Seen.Equal(today) {
			continue
		}
		text := Profile{Seen: today}.encode(fSeen)
		if _, err := f.cfg.Book.Put(ctx, m.Mesh, kind, keyOf(m.Member, fSeen), text); err != nil {
			return fmt.Errorf("mesh %s: %w", m.Slug, err)
		}
	}
	return nil
}

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{Get.Bind(f.answerGet), Set.Bind(f.answerSet), Edit.Bind(f.answerEdit)}
}
