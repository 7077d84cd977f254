package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// lookAtMeshes looks whether this node may act in each of its meshes.
func lookAtMeshes(ctx context.Context, x *exam) []Finding {
	meshes, err := x.meshes(ctx)
	if err != nil {
		return noNode(err)
	}
	var out []Finding
	for _, b := range meshes.Broken {
		out = append(out, fail("mesh %s cannot be used: %s", b.ID, op.Word(b.Reason)).hint("%s, then `claudemesh node down`", fromBackup()))
	}
	var good []op.Phrase
	for _, m := range meshes.Meshes {
		switch {
		case m.Removed != nil && m.Removed.By != "":
			out = append(out, fail("you were removed from %s by %s: nothing is sent or received there", m.Slug, m.Removed.By).
				hint("only an admin of it can let you in again; `claudemesh leave %s` forgets it here", m.Slug))
		case m.Removed != nil:
			out = append(out, fail("you are no member of %s any more: nothing is sent or received there", m.Slug).
				hint("only an admin of it can let you in again; `claudemesh leave %s` forgets it here", m.Slug))
		case m.Elsewhere != nil:
			out = append(out, fail("%s is suspended here: your membership was restored on another machine, node %s", m.Slug, m.Elsewhere.Peer).
				hint("go on there, and `claudemesh leave %s` here; or make this machine its home again: `claudemesh backup`, then `claudemesh restore` of that file, here", m.Slug))
		case m.KeyMissing:
			out = append(out, warn("the present key of %s has not come here yet: what goes to the whole mesh waits", m.Slug).
				hint("it comes from any member that is online"))
		case m.KeyDue:
			out = append(out, warn("somebody who left %s could still read what is sealed for the whole mesh", m.Slug).
				hint("the owner or an admin changes the key as soon as one is online"))
		default:
			good = append(good, op.Phrasef("%s (%s)", m.Slug, count(m.Members, "member", "members")))
		}
	}
	switch {
	case len(meshes.Meshes)+len(meshes.Broken) == 0:
		return one(pass("you are in none yet").hint("`claudemesh new <name>` makes one, `claudemesh join <link>` joins one"))
	case len(good) > 0:
		out = append(out, pass("%s", list(good)))
	}
	return out
}

// each asks about all active meshes at the same time.
func each(ctx context.Context, x *exam, look func(mesh.Info) []Finding) []Finding {
	list, err := x.meshes(ctx)
	if err != nil {
		return noNode(err)
	}
	all := active(list)
	if len(all) == 0 {
		return one(skip("you are in no mesh"))
	}
	found := make([][]Finding, len(all))
	var asking sync.WaitGroup
	for i, m := range all {
		asking.Go(func() { found[i] = look(m) })
	}
	asking.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

// lookForPeers has the other members' nodes answer.
func lookForPeers(ctx context.Context, x *exam) []Finding {
	return each(ctx, x, func(m mesh.Info) []Finding {
		got, err := ask(ctx, x, overview.Ping, overview.PingRequest{InMesh: op.InMesh{Mesh: m.ID}, Priorities: []overview.Priority{overview.Now}})
		if err != nil {
			return one(warn("%s: the members' nodes did not answer in time: %s", m.Slug, op.AsError(err)).
				hint("`claudemesh ping --mesh %s` takes longer and tells more", m.Slug))
		}
		switch got.Connection {
		case "empty":
			return one(pass("%s: nobody else is a member yet", m.Slug).hint("`claudemesh invite --mesh %s`", m.Slug))
		case "alone":
			return one(warn("%s: no other member's node is reached", m.Slug).
				hint("they are off, or the network is in the way: `claudemesh peers --all` tells when each was last there"))
		}
		return trips(m.Slug, got)
	})
}

func trips(slug string, got overview.PingResponse) []Finding {
	var out []Finding
	var there []string
	for _, p := range got.Priorities {
		for _, t := range p.Trips {
			if t.Error != "" {
				out = append(out, warn("%s: the node of %s does not answer: %s", slug, t.Name, op.Word(t.Error)).hint("it may have gone just now; run it again"))
				continue
			}
			there = append(there, fmt.Sprintf("%s %.1f ms (%s)", t.Name, t.MS, t.Path))
		}
	}
	if len(there) > 0 {
		out = append(out, pass("%s: %s", slug, strings.Join(there, ", ")))
	}
	if len(out) == 0 {
		return one(pass("%s: connected", slug))
	}
	return out
}

const (
	// clockLittle is by how much clocks may differ, clockMuch from when messages go
	// astray.
	clockLittle = 30 * time.Second
	clockMuch   = 5 * time.Minute
	// sureClocks is how many others must agree that it is this clock that is wrong.
	sureClocks = 2
)

// lookAtClock compares this machine's clock with those of the others.
func lookAtClock(ctx context.Context, x *exam) []Finding {
	h, err := x.health(ctx)
	if err != nil {
		return noNode(err)
	}
	set := op.Word("have the system set the clock: timedatectl set-ntp true, or the date and time settings")
	var out []Finding
	compared := 0
	for _, m := range h.Meshes {
		if m.Clocks == 0 {
			continue
		}
		compared += m.Clocks
		off := time.Duration(m.Offset) * time.Millisecond
		others := count(m.Clocks, "other member's", "other members'")
		said := op.Phrasef("this machine's clock is %s behind %s in %s", off.Abs().Round(time.Second), others, m.Slug)
		if off < 0 {
			said = op.Phrasef("this machine's clock is %s ahead of %s in %s", off.Abs().Round(time.Second), others, m.Slug)
		}
		switch {
		case off.Abs() >= clockMuch && m.Clocks >= sureClocks:
			out = append(out, fail("the clock is wrong: %s", said).hint("%s", set))
		case off.Abs() >= clockLittle:
			out = append(out, warn("the clock is wrong here or there: %s", said).hint("%s", set))
		}
	}
	switch {
	case len(out) > 0:
		return out
	case compared == 0:
		return unlike(ctx, x, set)
	}
	return one(pass("as the clocks of %s", count(compared, "other member", "other members")))
}

// unlike tells of nodes that did not let each other in since a clock is wrong by weeks:
// then there is nobody to compare with.
func unlike(ctx context.Context, x *exam, set op.Phrase) []Finding {
	got, err := ask(ctx, x, audit.Query, audit.QueryRequest{Kind: "refused", Limit: 200, Since: fmt.Sprint(int(recently.Hours())) + "h"})
	if err == nil && slices.ContainsFunc(got.Entries, func(e audit.Entry) bool { return e.Data["reason"] == "clock" }) {
		return one(warn("nobody is connected, and members' nodes were turned away by their dates: this machine's clock is wrong, or theirs").
			hint("%s", set))
	}
	return one(skip("no other member's clock is known now"))
}

// recently is for how long what was refused is worth a warning.
const recently = 24 * time.Hour

// lookAtRefused counts what members have said that cannot be true.
func lookAtRefused(ctx context.Context, x *exam) []Finding {
	const page = 200
	got, err := ask(ctx, x, audit.Query, audit.QueryRequest{Kind: "refused", Limit: page, Since: fmt.Sprint(int(recently.Hours())) + "h"})
	if err != nil {
		return noNode(err)
	}
	type liar struct{ name, mesh string }
	lies := make(map[liar]int)
	var order []liar
	for _, e := range got.Entries {
		if e.Key == "" {
			continue
		}
		l := liar{e.Actor, e.Mesh}
		if lies[l] == 0 {
			order = append(order, l)
		}
		times := 1
		_, _ = fmt.Sscan(e.Data["times"], &times) // absent: once
		lies[l] += times
	}
	all := op.Word("nothing was ever refused")
	if said := got.RefusedText(); said != "" {
		all = op.Phrasef("refused so far: %s", said)
	}
	var out []Finding
	for _, l := range order {
		out = append(out, warn("%s of %s in %s refused within a day: what it signs does not hold", count(lies[l], "thing", "things"), l.name, l.mesh).
			hint("`claudemesh audit --kind refused` tells what; `claudemesh block %s` keeps it off you, and an admin can ban it", l.name))
	}
	return append(out, pass("%s", all))
}

// heldFor is for how long somebody may still hold a link that is over.
const heldFor = 14 * 24 * time.Hour

// lookAtInvites looks for links in others' hands that do not work any more.
func lookAtInvites(ctx context.Context, x *exam) []Finding {
	return each(ctx, x, func(m mesh.Info) []Finding {
		got, err := ask(ctx, x, mesh.Invites, mesh.InvitesRequest{InMesh: op.InMesh{Mesh: m.ID}, All: true})
		if err != nil {
			return one(skip("%s: %s", m.Slug, op.AsError(err)))
		}
		counts := make(map[string]int)
		var out []Finding
		for _, v := range got.Invites {
			counts[v.State]++
			until, err := time.Parse(time.RFC3339, v.Expires)
			if v.State == "expired" && err == nil && x.Now().Sub(until) < heldFor {
				out = append(out, warn("%s: the invite that %s made has expired, used %d of %d times: its link lets nobody in", m.Slug, v.By, v.Used, v.Uses).
					hint("`claudemesh invite --mesh %s` makes a new one", m.Slug))
			}
		}
		return append(out, pass("%s: %d open, %d used up, %d expired", m.Slug, counts["open"], counts["used up"], counts["expired"]))
	})
}
