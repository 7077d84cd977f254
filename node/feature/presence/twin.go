package presence

import (
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// A folder that was copied makes two nodes with one key. libp2p lets neither dial the
// other, and third nodes take them for one: what is sent to the member reaches now this,
// now that one. Each hears the other's beacons, as its own, by way of third nodes.

// EventTwin says that another node runs with a copy of this one's folder.
const EventTwin = "node_copied"

const (
	// twinFor is how long after its last beacon such a node is spoken of.
	twinFor = 10 * time.Minute
	// twinEvery is how often it is told.
	twinEvery = time.Hour
	// twinSlack is how much older than a beacon the start of this run must be.
	twinSlack = 5 * time.Second
	// bootSlack is how far ahead of the clock a boot number is at most, in seconds, if the
	// clock was not set back since an earlier start.
	bootSlack = 60
)

// echo looks at a beacon of this node's own member. It is one of this run, or of an
// earlier one; or another node makes them.
func (f *Feature) echo(m Mesh, raw []byte) {
	stmt, err := ident.ParseStatement(raw, roster.MaxBeacon)
	if err != nil {
		return
	}
	b, err := roster.Decode(stmt.Body)
	if err != nil || !f.foreign(b) || stmt.Verify(ident.KindBeacon, m.ID, m.Self) != nil {
		return
	}
	now, mono := f.cfg.Now(), f.cfg.Mono()
	f.mu.Lock()
	tell := len(f.twins) == 0 || mono-f.twinTold >= twinEvery
	if f.twins[m.ID] = now; tell {
		f.twinTold = mono
	}
	f.mu.Unlock()
	if !tell {
		return
	}
	f.cfg.Log.Error("another node runs with a copy of this node's folder: stop one of them and delete its copy",
		"mesh", m.ID, "boot", b.Boot, "own boot", f.Boot(), "its clock", b.Clock.UTC())
	data, err := json.Marshal(op.System{Event: EventTwin, Text: "Another node runs with a copy of this node's folder. Messages to you may reach either of the two: stop one of them and delete its copy"})
	if err != nil {
		f.cfg.Log.Warn("event not told", "mesh", m.ID, "event", EventTwin, "error", err)
		return
	}
	f.hub.Tell(op.Event{Topic: op.TopicSystem, Mesh: m.ID.String(), Slug: m.Slug, Data: data}, func(string) bool { return true })
}

// foreign tells whether a beacon of the own member is none of this node's: of a later
// start than this run's, ahead of it, or of an earlier start and made while this one ran.
// The clock may have been set back between two runs: then nothing is known of the last.
func (f *Feature) foreign(b roster.Beacon) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Boot >= f.boot {
		return b.Boot > f.boot || b.Seq > f.seq
	}
	steady := int64(f.boot)-f.began.Unix() < bootSlack
	return steady && b.Clock.After(f.began.Add(twinSlack))
}

// Twin tells whether another node with a copy of this one's folder was heard in a mesh
// lately.
func (f *Feature) Twin(mesh ident.MeshID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ever := f.twins[mesh]
	return ever && f.cfg.Now().Sub(last) < twinFor
}

// TwinSeen tells when one was heard last in any mesh; false: not lately.
func (f *Feature) TwinSeen() (last time.Time, lately bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.twins {
		if t.After(last) {
			last = t
		}
	}
	return last, !last.IsZero() && f.cfg.Now().Sub(last) < twinFor
}
