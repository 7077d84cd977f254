package mesh

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

func (h *home) rename(in RenameRequest) (RenameResponse, error) {
	return h.answerRename(h.t.Context(), user(), in)
}

// The owner's name for a mesh is taken over by all who have no name of their own for
// it, also by those who hear of it later, and it makes room where it is taken.
func TestANameFollowsTheLog(t *testing.T) {
	ana, bo, cy, team, bos, cys := trio(t)
	bo.found("dawn")
	if _, err := cy.rename(RenameRequest{Mesh: "team", Name: "work", Here: true}); err != nil {
		t.Fatal(err)
	}
	out, err := ana.rename(RenameRequest{Mesh: "team", Name: "dawn"})
	if err != nil || out.Slug != "dawn" || out.Was != "team" || team.Slug() != "dawn" {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, m := range []*Mesh{bos, cys} {
		exchangeLogs(t, team, m, true)
		if err := m.all.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if bos.Slug() != "dawn-2" || bos.Info().Name != "dawn" || cys.Slug() != "work" || cys.Info().Name != "dawn" {
		t.Errorf("bo calls it %s, cy %s", bos.Slug(), cys.Slug())
	}
	dee := newHome(t, "dee").mustJoin(ana, ana.invite(InviteRequest{}))
	if dee.Slug() != "dawn" {
		t.Errorf("a newcomer calls it %s", dee.Slug())
	}
	// Its own name for a mesh is given up by giving it the common one.
	if _, err := cy.rename(RenameRequest{Mesh: "work", Name: "dawn", Here: true}); err != nil || cys.kept().Own {
		t.Errorf("%+v, %v", cys.kept(), err)
	}
}

func TestRenamesThatAreRefused(t *testing.T) {
	ana, _, cy, _, _, _ := trio(t)
	ana.found("other")
	for name, c := range map[string]struct {
		at   *home
		in   RenameRequest
		code op.Code
	}{
		"a member, for all":  {cy, RenameRequest{Mesh: "team", Name: "dawn"}, op.Denied},
		"no such mesh":       {ana, RenameRequest{Mesh: "nowhere", Name: "dawn"}, op.NotFound},
		"taken on this node": {ana, RenameRequest{Mesh: "team", Name: "other"}, op.Conflict},
		"taken, here":        {ana, RenameRequest{Mesh: "team", Name: "other", Here: true}, op.Conflict},
		"no name":            {ana, RenameRequest{Mesh: "team", Name: "Not A Name"}, op.Invalid},
	} {
		if _, err := c.at.rename(c.in); op.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A name that a log has and that nobody could type is no name.
func TestANameThatCannotBeTyped(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	if err := m.SetSetting(t.Context(), settingName, "../../etc \x1b[2J"); err != nil {
		t.Fatal(err)
	}
	if err := ana.follow(t.Context()); err != nil || m.Slug() != "team" || m.Info().Name != "team" {
		t.Errorf("%q, %q, %v", m.Slug(), m.Info().Name, err)
	}
}

func TestANameSurvivesARestart(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	if _, err := ana.rename(RenameRequest{Mesh: "team", Name: "work", Here: true}); err != nil {
		t.Fatal(err)
	}
	if err := ana.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	ana.start("ana")
	after, ok := ana.Get(m.id)
	if !ok || after.Slug() != "work" || after.Info().Name != "team" {
		t.Errorf("%+v", after.Info())
	}
}

// A mesh that is closed is kept until everybody has heard, and forgotten then.
func TestAClosedMeshIsKeptUntilAllHaveHeard(t *testing.T) {
	ana, bo, _, team, bos, cys := trio(t)
	if _, err := bo.answerClose(t.Context(), user(), CloseRequest{Mesh: "team"}); op.CodeOf(err) != op.Denied {
		t.Errorf("an admin closes it: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		out CloseResponse
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := ana.answerClose(ctx, user(), CloseRequest{Mesh: "team"})
		done <- result{out, err}
	}()
	for len(team.State().Members) > 1 {
		if t.Context().Err() != nil {
			t.Fatal("nobody was removed")
		}
		time.Sleep(time.Millisecond)
	}
	hear := func(m *Mesh) {
		exchangeLogs(t, m, team, true)
		if err := team.hasHeard(t.Context(), m.self); err != nil {
			t.Fatal(err)
		}
	}
	hear(bos)
	cancel()
	r := <-done
	if r.err != nil || r.out.Forgotten || len(r.out.Removed) != 2 || len(r.out.Waiting) != 1 || r.out.Waiting[0].Name != "cy" {
		t.Fatalf("%+v, %v", r.out, r.err)
	}
	if _, removed := bos.Removed(); !removed || bos.In() {
		t.Error("bo does not know")
	}
	hear(cys)
	out, err := ana.answerClose(t.Context(), user(), CloseRequest{Mesh: "team"})
	if err != nil || !out.Forgotten || len(out.Waiting) != 0 || len(out.Removed) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, here := ana.Get(team.id); here {
		t.Error("it is not forgotten")
	}
	if cys.State().Role(cys.self) != trust.RoleNone {
		t.Error("cy does not know")
	}
}
