package netns

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
)

// Two people in one room: one reads a code out, the other types it. Nobody names an
// address: the machines find each other by mDNS.
func TestJoinByACodeReadOut(t *testing.T) {
	l := network(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana, ben, cy := user(t, l, 1, "ana"), user(t, l, 2, "ben"), user(t, l, 3, "cy")
	if err := ana.JSON(ctx, &struct{}{}, "new", "room"); err != nil {
		t.Fatal(err)
	}
	if err := cy.JSON(ctx, &struct{}{}, "new", "other"); err != nil { // a node that has no code
		t.Fatal(err)
	}
	var code mesh.CodeResponse
	if err := ana.JSON(ctx, &code, "invite", "--code"); err != nil {
		t.Fatal(err)
	}
	var joined mesh.JoinResponse
	began := time.Now()
	if err := ben.JSON(ctx, &joined, "join", code.Code, "--as", "ben"); err != nil {
		t.Fatal(err)
	}
	t.Logf("joined after %v", short(time.Since(began)))
	if joined.Slug != "room" || joined.InvitedBy == "" {
		t.Errorf("%+v", joined)
	}
	if err := ben.JSON(ctx, &joined, "join", "100-zoo-zoo"); err == nil {
		t.Error("joined by a code that nobody gave out")
	}
	quiet(t, l, 0)
}
