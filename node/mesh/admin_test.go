package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// asking is another home as a member's node asks it.
type asking struct {
	as   ident.PublicKey
	mesh ident.MeshID
	home *home
}

func (a asking) Do(ctx context.Context, _ op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	for _, o := range a.home.Ops() {
		if o.ID == id {
			return optest.Set(a.home.t, o).Do(ctx, op.Caller{Member: a.as.String(), Mesh: a.mesh.String()}, id, in)
		}
	}
	return nil, errors.New("no such operation")
}

// trio is an owner, an admin and a member, who all know of each other.
func trio(t *testing.T) (ana, bo, cy *home, team, bos, cys *Mesh) {
	t.Helper()
	ana, bo, cy = newHome(t, "ana"), newHome(t, "bo"), newHome(t, "cy")
	team = ana.found("team")
	bos = bo.mustJoin(ana, ana.invite(InviteRequest{Role: "admin"}))
	cys = cy.mustJoin(ana, ana.invite(InviteRequest{}))
	exchangeLogs(t, team, bos, true)
	return ana, bo, cy, team, bos, cys
}

func user() op.Caller { return op.Caller{User: true} }

// ban removes members at one home.
func (h *home) ban(who ...string) BanResponse {
	h.t.Helper()
	out, err := h.answerBan(h.t.Context(), user(), BanRequest{Members: who})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Who missed the wrapping of a key asks a member for it, and only members are given
// any.
func TestKeysAreAskedFor(t *testing.T) {
	ana, bo, cy, team, bos, cys := trio(t)
	// bo removes cy while ana, not knowing of it, admits dan: dan gets no key of bo's.
	bo.ban("cy")
	dan := newHome(t, "dan")
	dans := dan.mustJoin(ana, ana.invite(InviteRequest{}))
	exchangeLogs(t, team, bos, true)
	exchangeLogs(t, dans, team, true)
	if _, err := dans.SealGossip([]byte("x")); !errors.Is(err, trust.ErrNoKey) {
		t.Fatalf("dan seals without the head's key: %v", err)
	}
	if !dans.Info().KeyMissing {
		t.Error("and does not say so")
	}
	dan.near = map[ident.PublicKey]op.Doer{team.self: asking{dans.self, team.id, ana}}
	if learned, err := dans.pull(t.Context()); err != nil || !learned {
		t.Fatalf("dan learned %v, %v", learned, err)
	}
	sealed, err := dans.SealGossip([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Mesh{"ana": team, "bo": bos} {
		if name == "bo" {
			exchangeLogs(t, team, bos, true)
		}
		if plain, current, err := m.OpenGossip(sealed); err != nil || !current || !bytes.Equal(plain, []byte("x")) {
			t.Errorf("%s opens %q, %v, %v", name, plain, current, err)
		}
	}
	// The removed one asks with its own key, and with none.
	cy.near = map[ident.PublicKey]op.Doer{team.self: asking{cys.self, team.id, ana}, bos.self: asking{ident.PublicKey{1}, team.id, bo}}
	exchangeLogs(t, cys, team, true)
	if learned, err := cys.pull(t.Context()); err != nil || learned {
		t.Errorf("cy learned %v, %v", learned, err)
	}
	if _, _, err := cys.OpenGossip(sealed); !errors.Is(err, ErrUnknownEpoch) {
		t.Errorf("cy opens what came after: %v", err)
	}
	if _, err := cys.SealGossip([]byte("y")); !errors.Is(err, ErrNotMember) {
		t.Errorf("cy speaks on: %v", err)
	}
	// What is kept survives.
	if err := dan.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	dan.start("dan")
	if again, _ := dan.Get(team.id); again.Info().KeyMissing {
		t.Error("dan lost the key over a restart")
	}
}

// A key that does not fit its epoch is refused, whoever gives it.
func TestWrongKeysAreRefused(t *testing.T) {
	ana, bo, _, team, bos, _ := trio(t)
	bo.ban("cy")
	dan := newHome(t, "dan")
	dans := dan.mustJoin(ana, ana.invite(InviteRequest{}))
	exchangeLogs(t, team, bos, true)
	exchangeLogs(t, dans, team, true)
	want, now := dans.lacking()
	if !now || len(want) != 1 {
		t.Fatalf("dan lacks %v", want)
	}
	own, _ := dans.admin.State().Member(dans.self)
	w, err := trust.WrapKey(dans.id, own.Keys, [32]byte{6})
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]SealedKey{
		"another key":   {Epoch: want[0].String(), Sealed: w.Sealed},
		"no key":        {Epoch: want[0].String(), Sealed: []byte("zzz")},
		"another epoch": {Epoch: team.Heads()[0].String(), Sealed: w.Sealed},
		"no epoch":      {Epoch: "zz", Sealed: w.Sealed},
	} {
		if learned, err := dans.takeKeys(t.Context(), want, []SealedKey{given}); learned || err != nil {
			t.Errorf("%s: %v, %v", name, learned, err)
		}
	}
}

// During a change of key what was sealed under the old one still opens, and says that
// somebody's log differs.
func TestGossipThroughAChangeOfKey(t *testing.T) {
	ana, _, _, team, bos, cys := trio(t)
	early, err := bos.SealGossip([]byte("early"))
	if err != nil {
		t.Fatal(err)
	}
	ana.ban("cy")
	late, err := team.SealGossip([]byte("late"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, current, err := team.OpenGossip(early); err != nil || current || string(plain) != "early" {
		t.Errorf("ana opens %q, %v, %v", plain, current, err)
	}
	if _, _, err := bos.OpenGossip(late); !errors.Is(err, ErrUnknownEpoch) {
		t.Errorf("bo opens what he has no key of: %v", err)
	}
	exchangeLogs(t, bos, team, true)
	if plain, current, err := bos.OpenGossip(late); err != nil || !current || string(plain) != "late" {
		t.Errorf("bo opens %q, %v, %v", plain, current, err)
	}
	if _, _, err := cys.OpenGossip(late); !errors.Is(err, ErrUnknownEpoch) {
		t.Errorf("cy: %v", err)
	}
}

// The removal that somebody is told of may stand on entries that are kept from it. It
// believes it, across restarts, until its log says otherwise.
func TestTheRemovedIsTold(t *testing.T) {
	ana, bo, cy, team, bos, cys := trio(t)
	newHome(t, "dan").mustJoin(ana, ana.invite(InviteRequest{})) // cy does not know
	ana.ban("cy")
	before := cys.admin.Len()
	exchangeLogs(t, cys, team, true)
	gone, ok := cys.Removed()
	if cys.In() || !ok || gone.By != "ana" || cys.admin.Len() != before {
		t.Fatalf("cy knows %+v, %v", gone, ok)
	}
	if err := cy.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	cy.start("cy")
	cys, _ = cy.Get(team.id)
	if info := cys.Info(); cys.In() || info.Removed == nil || info.Role != "removed" {
		t.Errorf("after a restart: %+v", info)
	}
	if err := cy.Outcast(""); op.CodeOf(err) != op.Denied {
		t.Errorf("cy's users hear %v", err)
	}
	if _, err := cy.answerInvites(t.Context(), user(), InvitesRequest{}); op.CodeOf(err) != op.Denied {
		t.Errorf("cy lists invites: %v", err)
	}
	// It may come in again.
	exchangeLogs(t, bos, team, true)
	if _, err := bo.answerUnban(t.Context(), user(), UnbanRequest{Member: "cy"}); err != nil {
		t.Fatal(err)
	}
	exchangeLogs(t, bos, cys, true)
	if _, ok := cys.Removed(); ok || !cys.In() {
		t.Error("cy is in again and does not know it")
	}
}

// A removal by somebody who may not remove is no news to its target.
func TestALieAboutARemovalIsNotBelieved(t *testing.T) {
	ana, bo, _, team, bos, cys := trio(t)
	newHome(t, "dan").mustJoin(ana, ana.invite(InviteRequest{}))
	exchangeLogs(t, team, bos, true)
	bo.ban("cy")
	lie := bos.admin.Entries()[bos.admin.Len()-1]
	if _, err := ana.answerDemote(t.Context(), user(), DemoteRequest{Member: "bo"}); err != nil {
		t.Fatal(err)
	}
	for _, e := range team.admin.Entries() { // cy has heard of the demotion
		if e.Kind() != ident.KindGenesis {
			if _, err := cys.take(t.Context(), []trust.Entry{e}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := cys.take(t.Context(), []trust.Entry{lie}, nil); err != nil {
		t.Fatal(err)
	}
	if !cys.In() {
		t.Error("cy believes somebody who was demoted")
	}
}

// The owner writes a due epoch at once, admits in their order, members never.
func TestTurns(t *testing.T) {
	_, _, cy, team, bos, cys := trio(t)
	leave, err := cys.admin.SignLeave(cys.member, nil, cy.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Mesh{team, bos} {
		if _, due := (turns{}).left(m, 0, 0); due {
			t.Error("an epoch is due in a clean mesh")
		}
		if _, err := m.take(t.Context(), []trust.Entry{leave}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left, due := (turns{}).left(team, time.Minute, turnMix); !due || left != 0 {
		t.Errorf("the owner waits %v, %v", left, due)
	}
	waiting := turns{}
	if left, due := waiting.left(bos, time.Minute, turnMix/2); !due || left != turnStep+turnMix/2 {
		t.Errorf("the admin waits %v, %v", left, due)
	}
	if left, _ := waiting.left(bos, time.Minute+turnStep, 0); left != turnMix/2 {
		t.Errorf("later it waits %v", left)
	}
	if _, due := (turns{}).left(cys, 0, 0); due {
		t.Error("who left writes an epoch")
	}
	if err := team.rekey(t.Context()); err != nil || !team.State().Clean() {
		t.Fatalf("after the owner's epoch: %v, %v", err, team.State().Unclean)
	}
	if err := team.rekey(t.Context()); !errors.Is(err, errClean) {
		t.Errorf("a second epoch: %v", err)
	}
	exchangeLogs(t, bos, team, true)
	if _, due := waiting.left(bos, time.Hour, 0); due || len(waiting) != 0 {
		t.Error("the admin still waits, although another was faster")
	}
}

// A removal carries the lists of what stays, made by whoever has the records.
func TestABanCarriesWhatStays(t *testing.T) {
	ana, _, _, team, _, cys := trio(t)
	ana.cfg.Keeps = func(_ ident.MeshID, members []ident.PublicKey) ([][]byte, error) {
		if !slices.Equal(members, []ident.PublicKey{cys.self}) {
			t.Errorf("asked about %v", members)
		}
		return [][]byte{[]byte("a list")}, nil
	}
	ana.ban("cy")
	last := team.admin.Entries()[team.admin.Len()-1]
	if got := last.Lists(); len(got) != 1 || string(got[0]) != "a list" {
		t.Errorf("lists %q", got)
	}
	if len(team.State().Gone[trust.Principal(cys.self)].Keeps) != 1 {
		t.Error("the log does not know of the list")
	}
	broken := errors.New("records cannot be read")
	ana.cfg.Keeps = func(ident.MeshID, []ident.PublicKey) ([][]byte, error) { return nil, broken }
	if _, err := ana.answerBan(t.Context(), user(), BanRequest{Members: []string{"bo"}}); !errors.Is(err, broken) {
		t.Errorf("a ban without its lists: %v", err)
	}
	if _, err := ana.answerBan(t.Context(), user(), BanRequest{Members: []string{"bo"}, Forget: true}); err != nil {
		t.Errorf("a ban that keeps nothing: %v", err)
	}
	if last := team.admin.Entries()[team.admin.Len()-1]; len(last.Lists()) != 0 {
		t.Errorf("it keeps %q", last.Lists())
	}
}

// What cannot be done says why and what to do instead.
func TestAdminRequestsAreChecked(t *testing.T) {
	ana, bo, cy, _, _, _ := trio(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		err  error
		code op.Code
	}{
		"promote by an admin":   {second(bo.answerPromote(ctx, user(), PromoteRequest{Member: "cy"})), op.Denied},
		"promote nobody":        {second(ana.answerPromote(ctx, user(), PromoteRequest{Member: "zoe"})), op.NotFound},
		"promote to king":       {second(ana.answerPromote(ctx, user(), PromoteRequest{Member: "cy", Role: "king"})), op.Invalid},
		"demote the owner":      {second(ana.answerDemote(ctx, user(), DemoteRequest{Member: "ana"})), op.Denied},
		"ban by a member":       {second(cy.answerBan(ctx, user(), BanRequest{Members: []string{"bo"}})), op.Denied},
		"ban the owner":         {second(bo.answerBan(ctx, user(), BanRequest{Members: []string{"ana"}})), op.Denied},
		"ban oneself":           {second(ana.answerBan(ctx, user(), BanRequest{Members: []string{"ana"}})), op.Invalid},
		"ban nobody":            {second(ana.answerBan(ctx, user(), BanRequest{})), op.Invalid},
		"unban a member":        {second(ana.answerUnban(ctx, user(), UnbanRequest{Member: "bo"})), op.NotFound},
		"kick by a member":      {second(cy.answerKick(ctx, user(), KickRequest{Member: "bo"})), op.Denied},
		"kick who is away":      {second(ana.answerKick(ctx, user(), KickRequest{Member: "bo"})), op.Offline},
		"uninvite nothing":      {second(ana.answerUninvite(ctx, user(), UninviteRequest{})), op.Invalid},
		"uninvite unknown":      {second(ana.answerUninvite(ctx, user(), UninviteRequest{IDs: []string{"0123456789"}})), op.NotFound},
		"void by an admin":      {second(bo.answerVoid(ctx, user(), VoidRequest{By: "ana"})), op.Denied},
		"void nothing":          {second(ana.answerVoid(ctx, user(), VoidRequest{})), op.Invalid},
		"void oneself":          {second(ana.answerVoid(ctx, user(), VoidRequest{By: "ana"})), op.Invalid},
		"void what is not":      {second(ana.answerVoid(ctx, user(), VoidRequest{By: "bo"})), op.NotFound},
		"void since never":      {second(ana.answerVoid(ctx, user(), VoidRequest{By: "bo", Since: "noon"})), op.Invalid},
		"several of one name":   {second(ana.answerInvite(ctx, user(), InviteRequest{Name: "kim", Uses: 2})), op.Invalid},
		"a name that cannot be": {second(ana.answerInvite(ctx, user(), InviteRequest{Name: "@all"})), op.Invalid},
		"a mode that is none":   {second(ana.answerInvite(ctx, user(), InviteRequest{Mode: "loud"})), op.Invalid},
		"a group that is none":  {second(ana.answerInvite(ctx, user(), InviteRequest{Groups: []string{"@"}})), op.Invalid},
		"keys for strangers":    {second(ana.answerKeys(ctx, user(), KeysRequest{})), op.Denied},
	} {
		if op.CodeOf(c.err) != c.code {
			t.Errorf("%s: got %v (%s), want %s", name, c.err, op.CodeOf(c.err), c.code)
		} else if op.AsError(c.err).Hint == "" && name != "keys for strangers" {
			t.Errorf("%s: no next step in %v", name, c.err)
		}
	}
}
