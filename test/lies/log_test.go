package lies_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// admits is the body of an admission.
func (w *world) admits(by someone, claim ident.Statement, invite ident.ID, role trust.Role) *trust.Admit {
	return &trust.Admit{Head: w.head(by), Claim: claim, Role: role, Name: "dan", Invite: invite}
}

// logLies are entries of the admin log that change nothing. A lie that is no entry at
// all is refused when it is read, one with a wrong signature when it is added, and one
// that its signer may not make never counts.
var logLies = map[string]func(w *world) ([]byte, error){
	"an invite of a member": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Invite{Head: w.head(w.eve), Key: w.inviteKey.Public(), Role: trust.RoleMember, Uses: 1, Expires: w.now.Add(time.Hour), Admitter: w.eve.pub})
	},
	"an admin's invite for admins": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), &trust.Invite{Head: w.head(w.bob), Key: w.inviteKey.Public(), Role: trust.RoleAdmin, Uses: 1, Expires: w.now.Add(time.Hour), Admitter: w.bob.pub})
	},
	"an invite for an owner": func(w *world) ([]byte, error) {
		return w.forge(w.ana, w.log.Mesh(), &trust.Invite{Head: w.head(w.ana), Key: w.inviteKey.Public(), Role: trust.RoleOwner, Uses: 1, Expires: w.now.Add(time.Hour), Admitter: w.ana.pub})
	},
	"an invite for 1,001 uses": func(w *world) ([]byte, error) {
		return w.forge(w.ana, w.log.Mesh(), &trust.Invite{Head: w.head(w.ana), Key: w.inviteKey.Public(), Role: trust.RoleMember, Uses: 1001, Expires: w.now.Add(time.Hour), Admitter: w.ana.pub})
	},
	"an invite with a member as admitter": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), &trust.Invite{Head: w.head(w.bob), Key: w.inviteKey.Public(), Role: trust.RoleMember, Uses: 1, Expires: w.now.Add(time.Hour), Admitter: w.eve.pub})
	},
	"a member ends invites": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Uninvite{Head: w.head(w.eve), Invites: []ident.ID{w.open}})
	},
	"a member admits": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), w.admits(w.eve, w.claim(w.dan, w.open), ident.ID{}, trust.RoleMember))
	},
	"a member admits with another's invite": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), w.admits(w.eve, w.claim(w.dan, w.open), w.open, trust.RoleMember))
	},
	"an admission with a higher role than the invite's": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, w.claim(w.dan, w.open), w.open, trust.RoleAdmin))
	},
	"an admin makes an admin": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, w.claim(w.dan, w.open), ident.ID{}, trust.RoleAdmin))
	},
	"an admission by an invite that is none": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, w.claim(w.dan, w.wide), w.wide, trust.RoleMember))
	},
	"a claim without the invite's key": func(w *world) ([]byte, error) {
		c := trust.SignClaim(w.log.Mesh(), w.dan.seed, w.eve.key, trust.Claim{Invite: w.open, Peer: []byte("peer"), Name: "dan"})
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, c, w.open, trust.RoleMember))
	},
	"a claim with keys of somebody else": func(w *world) ([]byte, error) {
		good := trust.Claim{Invite: w.open, Keys: trust.KeysOf(w.dan.seed), Peer: []byte("peer"), Name: "dan"}
		c := ident.Sign(ident.KindClaim, w.log.Mesh(), good.Encode(), w.eve.seed.Member(), w.eve.seed.Blind(), w.inviteKey)
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, c, w.open, trust.RoleMember))
	},
	"a claim of another mesh": func(w *world) ([]byte, error) {
		c := trust.SignClaim(ident.MeshID{9}, w.dan.seed, w.inviteKey, trust.Claim{Invite: w.open, Peer: []byte("peer"), Name: "dan"})
		return w.forge(w.bob, w.log.Mesh(), w.admits(w.bob, c, w.open, trust.RoleMember))
	},
	"a name that reads as markup": func(w *world) ([]byte, error) {
		a := w.admits(w.bob, w.claim(w.dan, w.open), w.open, trust.RoleMember)
		a.Name = "dan\n</peer-message>"
		return w.forge(w.bob, w.log.Mesh(), a)
	},
	"a member promotes itself": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.RoleChange{Head: w.head(w.eve), Member: w.eve.pub, Role: trust.RoleAdmin})
	},
	"an admin promotes": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), &trust.RoleChange{Head: w.head(w.bob), Member: w.eve.pub, Role: trust.RoleAdmin})
	},
	"a second owner": func(w *world) ([]byte, error) {
		return w.forge(w.ana, w.log.Mesh(), &trust.RoleChange{Head: w.head(w.ana), Member: w.bob.pub, Role: trust.RoleOwner})
	},
	"an admin demotes another": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), &trust.RoleChange{Head: w.head(w.bob), Member: w.ann.pub, Role: trust.RoleMember})
	},
	"a member removes": func(w *world) ([]byte, error) { return w.removes(w.eve, w.cy, w.ana) },
	"an admin removes another": func(w *world) ([]byte, error) {
		return w.removes(w.bob, w.ann, w.ana)
	},
	"an admin removes the owner": func(w *world) ([]byte, error) { return w.removes(w.bob, w.ana, w.ana) },
	"a leave for another": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Leave{Head: w.head(w.cy)})
	},
	"a member's setting": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Set{Head: w.head(w.eve), Key: "color", Value: "red"})
	},
	"an admin strikes the owner's entry": func(w *world) ([]byte, error) {
		return w.forge(w.bob, w.log.Mesh(), &trust.Void{Head: w.head(w.bob), Entries: []ident.ID{w.wide}})
	},
	"a member strikes": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Void{Head: w.head(w.eve), Entries: []ident.ID{w.wide}})
	},
	"an entry in the owner's name": func(w *world) ([]byte, error) {
		return w.forge(w.eve, w.log.Mesh(), &trust.Set{Head: w.head(w.ana), Key: "color", Value: "red"})
	},
	"an entry signed for another mesh": func(w *world) ([]byte, error) {
		return w.forge(w.ana, ident.MeshID{9}, &trust.Set{Head: w.head(w.ana), Key: "color", Value: "red"})
	},
	"an entry of somebody who is no member": func(w *world) ([]byte, error) {
		return w.forge(w.dan, w.log.Mesh(), &trust.Set{Head: w.head(w.dan), Key: "color", Value: "red"})
	},
	"an entry whose parents nobody has": func(w *world) ([]byte, error) {
		h := w.head(w.ana)
		h.Parents = []ident.ID{{7}}
		return w.forge(w.ana, w.log.Mesh(), &trust.Set{Head: h, Key: "color", Value: "red"})
	},
	"another genesis": func(w *world) ([]byte, error) {
		e, err := trust.CreateGenesis(w.eve.seed, "team", "eve", w.now, [32]byte{1})
		return e.Marshal(), err
	},
	"a member changes the key": func(w *world) ([]byte, error) {
		l := w.copyLog()
		e, err := l.SignEpoch(w.ana.key, [32]byte{5}, w.ring, w.now)
		if err != nil {
			return nil, err
		}
		b := *e.Body().(*trust.Epoch)
		b.Head = w.head(w.eve)
		return w.withParts(w.eve, &b, e)
	},
}

// removes is a removal by somebody, made as the owner would make it.
func (w *world) removes(by, target, as someone) ([]byte, error) {
	victim := target
	if target.pub == as.pub {
		victim = w.cy // nobody can sign the owner's removal rightly
	}
	e, err := w.copyLog().SignRemove(as.key, trust.Removal{Targets: []trust.Principal{trust.Principal(victim.pub)}, Key: [32]byte{5}}, w.ring, w.now)
	if err != nil {
		return nil, err
	}
	b := *e.Body().(*trust.Remove)
	b.Head, b.Targets = w.head(by), []trust.Principal{trust.Principal(target.pub)}
	return w.withParts(by, &b, e)
}

// withParts is a body signed by somebody, with the wrapped keys of another entry.
func (w *world) withParts(by someone, body trust.Body, of trust.Entry) ([]byte, error) {
	r, err := ident.ReadFields(of.Marshal(), 1, 2, 3)
	if err != nil {
		return nil, err
	}
	r.Bytes(1, trust.MaxEntry)
	wraps := r.Bytes(2, trust.MaxEntry)
	var f ident.Fields
	f.Bytes(1, ident.Sign(body.Kind(), w.log.Mesh(), body.Encode(), by.key).Marshal())
	f.Bytes(2, wraps)
	return f.Body(), nil
}

// sum is what a log says, but for the heads of the log itself.
func sum(l *trust.Log) string {
	s := l.State()
	var lines []string
	for key, m := range s.Members {
		lines = append(lines, fmt.Sprint("member ", key, m.Name, m.Role))
	}
	for p := range s.Gone {
		lines = append(lines, fmt.Sprint("gone ", p))
	}
	for id, v := range s.Invites {
		lines = append(lines, fmt.Sprint("invite ", id, v.Used, v.Ended))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Settings)) {
		lines = append(lines, "setting "+key+" "+s.Settings[key])
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + fmt.Sprint(s.Owner)
}

// lied counts the lies of a table.
func lied(t *testing.T, n, least int) {
	t.Helper()
	if n < least {
		t.Errorf("%d lies, at least %d", n, least)
	}
}

func TestLiesInTheAdminLog(t *testing.T) {
	lied(t, len(logLies), 30)
	for name, lie := range logLies {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before, heads := sum(w.log), w.log.State().EpochHeads
			raw, err := lie(w)
			nodetest.Must(t, err)
			e, err := trust.ParseEntry(raw)
			if err == nil {
				_, err = w.log.Add(e)
			}
			if after := sum(w.log); after != before {
				t.Errorf("it changes something:\n%s\n\n%s", before, after)
			}
			if err != nil || !w.log.Has(e.ID()) {
				return
			}
			if _, rekeys := e.Body().(*trust.Remove); rekeys && e.Signer() == w.bob.pub {
				return // its key counts, as admins may change it at any time; nobody is out
			}
			if w.log.State().Counted(e.ID()) || !slices.Equal(heads, w.log.State().EpochHeads) {
				t.Error("it counts")
			}
		})
	}
}

// An invite for one, used on two nodes at once, lets one in, the same on both; and what
// a removed admin dates back lets nobody in.
func TestLiesThatNeedTwoNodes(t *testing.T) {
	w := newWorld(t)
	zoe := person(7)
	here, there := w.copyLog(), w.copyLog()
	first, err := here.SignAdmit(w.bob.key, trust.Admit{Claim: w.claim(w.dan, w.once), Invite: w.once, Name: "dan"}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := there.SignAdmit(w.bob.key, trust.Admit{Claim: w.claim(zoe, w.once), Invite: w.once, Name: "zoe"}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*trust.Log{here, there} {
		for _, e := range []trust.Entry{first, second} {
			if _, err := l.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, dan := here.State().Member(w.dan.pub)
	_, z := here.State().Member(zoe.pub)
	if dan == z || sum(here) != sum(there) {
		t.Errorf("dan in: %v, zoe in: %v; the logs agree: %v", dan, z, sum(here) == sum(there))
	}

	stale := w.copyLog()
	w.must(w.log.SignRemove(w.ana.key, trust.Removal{Targets: []trust.Principal{trust.Principal(w.bob.pub)}, Key: [32]byte{6}}, w.ring, w.now))
	late, err := stale.SignAdmit(w.bob.key, trust.Admit{Claim: w.claim(zoe, w.open), Invite: w.open, Name: "zoe"}, w.now.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.Add(late); err != nil {
		t.Fatal(err)
	}
	if _, in := w.log.State().Member(zoe.pub); in {
		t.Error("a removed admin dated an admission back")
	}
	// The admission of somebody who was removed, shown again, changes nothing.
	before := sum(w.log)
	for _, e := range stale.Entries() {
		if _, err := w.log.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if sum(w.log) != before {
		t.Error("an old log brought somebody back")
	}
}
