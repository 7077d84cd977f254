package trust

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// State is what an admin log says: who is in, what is open, which epochs are
// the heads. It is a snapshot that nobody changes.
type State struct {
	Mesh ident.MeshID
	// Name is the mesh's name, Created when its genesis says it was founded.
	Name    string
	Created time.Time
	Owner   ident.PublicKey
	// Members are who is in, the owner among them.
	Members map[ident.PublicKey]Member
	// Gone are those who were removed or left, and guests who were banned.
	Gone map[Principal]Gone
	// Invites are all invites that count, by the id of their entry.
	Invites map[ident.ID]InviteState
	// EpochHeads are the entries of the head epochs, ascending.
	EpochHeads []ident.ID
	// Settings are the mesh's settings; unset ones are not there.
	Settings map[string]string
	// Unclean are the keys that are no members now and of which no head epoch is
	// known to exclude them, ascending. While there are any, a new epoch is due.
	Unclean []ident.PublicKey

	counted map[ident.ID]bool
	removed map[removal]bool
}

// removal is one target of a remove that takes effect on it.
type removal struct {
	entry ident.ID
	who   Principal
}

// Member is one member.
type Member struct {
	Keys Keys
	Name string
	Role Role
	// Admit is the entry that admitted it last; the owner's is genesis.
	Admit ident.ID
	// Invite is the invite that entry used up; zero: none.
	Invite ident.ID
	// By signed that entry, at Since by its clock.
	By    ident.PublicKey
	Since time.Time
	// Peer is the libp2p peer id its claim named; the owner's is empty.
	Peer   []byte
	Preset Preset
}

// Gone is somebody who is no member any more.
type Gone struct {
	// Entries are the remove and leave entries that last, ascending.
	Entries []ident.ID
	// Left tells that the member left by itself, and nobody removed it.
	Left bool
	// Keeps are the hashes of the lists of its records that still count.
	Keeps [][32]byte
}

// InviteState is an invite and what became of it. Whether its time is over is
// its admitter's to judge (Invite.Expired).
type InviteState struct {
	*Invite
	// ID is the id of its entry.
	ID ident.ID
	// Used is how many counted admits used it.
	Used int
	// Ended tells that it was ended, or that its signer or admitter lost the
	// role it takes.
	Ended bool
}

// Open tells whether the invite can still admit.
func (s InviteState) Open() bool { return !s.Ended && s.Used < s.Uses }

// Clean tells whether all who are no members are excluded from some head epoch.
func (s *State) Clean() bool { return len(s.Unclean) == 0 }

// Member finds a member.
func (s *State) Member(key ident.PublicKey) (Member, bool) {
	m, ok := s.Members[key]
	return m, ok
}

// Role is a member's role, RoleNone for all others.
func (s *State) Role(key ident.PublicKey) Role { return s.Members[key].Role }

// FreeName is wish, or wish with the lowest of "-2", "-3" … that no member has.
func (s *State) FreeName(wish string) string {
	taken := map[string]bool{}
	for _, m := range s.Members {
		taken[m.Name] = true
	}
	name := wish
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", wish, n)
	}
	return name
}

// Counted tells whether an entry counts. A remove counts even where it may not
// touch one of its targets: see Removed.
func (s *State) Counted(id ident.ID) bool { return s.counted[id] }

// Removed tells whether a remove counts against one of its targets. What came after it
// is another matter.
func (s *State) Removed(id ident.ID, who Principal) bool { return s.removed[removal{id, who}] }

// Epoch is the id of the present set of head epochs.
func (s *State) Epoch() ident.ID { return EpochID(s.EpochHeads) }

// OpenMultiUse are the open invites with more than one use, ascending: what a
// ban ends by default, since the banned may know them.
func (s *State) OpenMultiUse() []ident.ID {
	var ids []ident.ID
	for id, inv := range s.Invites {
		if inv.Open() && inv.Uses > 1 {
			ids = append(ids, id)
		}
	}
	return sorted(ids)
}

// RekeyTurn says who writes the epoch that an unclean log is due: the owner is
// 0, the admins follow in the order of their keys, each waiting longer for
// those before it. ok is false for all who may not.
func (s *State) RekeyTurn(key ident.PublicKey) (turn int, ok bool) {
	switch s.Role(key) {
	case RoleOwner:
		return 0, true
	case RoleAdmin:
		for k, m := range s.Members {
			if m.Role == RoleAdmin && k.Compare(key) < 0 {
				turn++
			}
		}
		return turn + 1, true
	}
	return 0, false
}

// state works out the log's State.
func (r *rules) state() *State {
	v := r.judge(func(int) bool { return true })
	g := r.log.entries[0].body.(*Genesis)
	s := &State{
		Mesh: r.log.mesh, Name: g.Name, Created: g.Time, Owner: g.Signer,
		Members:  map[ident.PublicKey]Member{},
		Gone:     map[Principal]Gone{},
		Invites:  map[ident.ID]InviteState{},
		Settings: map[string]string{},
		counted:  map[ident.ID]bool{},
		removed:  map[removal]bool{},
	}
	for i, counts := range v.counts {
		if counts {
			s.counted[r.log.entries[i].id] = true
		}
	}
	v.removals(s)
	v.members(s)
	v.invites(s)
	v.settings(s)
	heads := v.epochHeads()
	for _, i := range heads {
		s.EpochHeads = append(s.EpochHeads, r.log.entries[i].id)
	}
	s.EpochHeads = sorted(s.EpochHeads)
	s.Unclean = v.unclean(s, heads)
	return s
}

// removals are whom counted removes touch.
func (v *view) removals(s *State) {
	for key, acts := range v.acts {
		for _, a := range acts {
			if e := v.log.entries[a.at]; e.body.Kind() == ident.KindRemove {
				s.removed[removal{e.id, Principal(key)}] = true
			}
		}
	}
}

// members is rule 5.
func (v *view) members(s *State) {
	g := v.log.entries[0].body.(*Genesis)
	s.Members[g.Signer] = Member{
		Keys: g.Keys, Name: g.Owner, Role: RoleOwner,
		Admit: v.log.entries[0].id, By: g.Signer, Since: g.Time,
	}
	for key := range v.acts {
		if role := v.role(key); role != RoleNone {
			s.Members[key] = v.member(key, role)
		} else {
			s.Gone[Principal(key)] = v.gone(key)
		}
	}
}

// member takes the fields from the last admits, of several from the lowest id.
func (v *view) member(key ident.PublicKey, role Role) Member {
	var admits []int
	for _, a := range v.acts[key] {
		if a.admit {
			admits = append(admits, a.at)
		}
	}
	e := v.log.entries[v.lowest(v.graph().Maximal(admits))]
	a := e.body.(*Admit)
	return Member{
		Keys: a.Claimed.Keys, Name: a.Name, Role: role, Admit: e.id, Invite: a.Invite,
		By: a.Signer, Since: a.Time, Peer: a.Claimed.Peer, Preset: a.Preset,
	}
}

func (v *view) gone(key ident.PublicKey) Gone {
	g := Gone{Left: true}
	for _, a := range v.lasting(key) {
		e := v.log.entries[a.at]
		switch b := e.body.(type) {
		case *Remove:
			g.Left = false
			at, _ := slices.BinarySearchFunc(b.Targets, Principal(key), func(x, y Principal) int {
				return ident.ID(x).Compare(ident.ID(y))
			})
			g.Keeps = append(g.Keeps, b.Keeps[at])
		case *Leave:
			g.Keeps = append(g.Keeps, b.Keep)
		default:
			continue
		}
		g.Entries = append(g.Entries, e.id)
	}
	g.Entries = sorted(g.Entries)
	g.Keeps = slices.DeleteFunc(sorted(g.Keeps), func(k [32]byte) bool { return k == [32]byte{} })
	return g
}

// lowest is the node with the lowest id.
func (v *view) lowest(nodes []int) int {
	return slices.MinFunc(nodes, func(a, b int) int {
		return v.graph().ID(a).Compare(v.graph().ID(b))
	})
}

func (v *view) invites(s *State) {
	for i, counts := range v.counts {
		inv, ok := v.log.entries[i].body.(*Invite)
		if !ok || !counts {
			continue
		}
		id := v.log.entries[i].id
		ended := len(v.ends[id]) > 0 || s.Role(inv.Signer) < RoleAdmin
		if inv.Admitter != inv.Signer {
			ended = ended || s.Role(inv.Admitter) < RoleService
		}
		s.Invites[id] = InviteState{Invite: inv, ID: id, Used: v.used[id], Ended: ended}
	}
}

// settings: of the last counted entries for one key the owner's, then the one
// with the lowest id.
func (v *view) settings(s *State) {
	byKey := map[string][]int{}
	for i, counts := range v.counts {
		if set, ok := v.log.entries[i].body.(*Set); ok && counts {
			byKey[set.Key] = append(byKey[set.Key], i)
		}
	}
	for key, nodes := range byKey {
		last := v.graph().Maximal(nodes)
		best := slices.MinFunc(last, func(a, b int) int {
			return cmp.Or(v.notOwner(a)-v.notOwner(b), v.graph().ID(a).Compare(v.graph().ID(b)))
		})
		if value := v.log.entries[best].body.(*Set).Value; value != "" {
			s.Settings[key] = value
		}
	}
}

func (v *view) notOwner(i int) int {
	if v.signer(i) == v.log.owner {
		return 0
	}
	return 1
}

// epochHeads are the counted epochs that lie in no other counted one's past.
func (v *view) epochHeads() []int {
	var epochs []int
	for i, counts := range v.counts {
		if _, ok := commitOf(v.log.entries[i].body); ok && counts {
			epochs = append(epochs, i)
		}
	}
	return v.graph().Maximal(epochs)
}

// unclean: for every key in any known admit that is no member now, some head epoch
// must shut it out.
func (v *view) unclean(s *State, heads []int) []ident.PublicKey {
	var out []ident.PublicKey
	for key, admits := range v.log.admits {
		if _, in := s.Members[key]; in {
			continue
		}
		seen := v.mustKnow(key)
		if slices.ContainsFunc(admits, func(a int) bool { return !v.excluded(key, a, seen, heads) }) {
			out = append(out, key)
		}
	}
	return sorted(out)
}

// mustKnow is what an epoch must have in its past, any of it, to shut somebody out:
// what ended the membership now. An epoch of an earlier end is not enough: whoever came
// in again since was given its key. Where nothing ended it, the admission being void,
// it is the last void, if there is one.
func (v *view) mustKnow(key ident.PublicKey) (ends []int) {
	for _, a := range v.lasting(key) {
		if a.role == RoleNone {
			ends = append(ends, a.at)
		}
	}
	if len(ends) > 0 {
		return ends
	}
	return v.graph().Maximal(v.log.voids)
}

// excluded tells whether a head epoch has an admit in its past, knows of its end, and
// is not wrapped for the key.
func (v *view) excluded(key ident.PublicKey, admit int, ends, heads []int) bool {
	return slices.ContainsFunc(heads, func(h int) bool {
		knows := func(end int) bool { return end == h || v.graph().Before(end, h) }
		if !v.graph().Before(admit, h) || len(ends) > 0 && !slices.ContainsFunc(ends, knows) {
			return false
		}
		_, wrapped := slices.BinarySearchFunc(v.log.entries[h].wraps, key, func(w Wrap, k ident.PublicKey) int {
			return w.Member.Compare(k)
		})
		return !wrapped
	})
}
