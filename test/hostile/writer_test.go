package hostile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// writer is a member with a client that knows no pace: it writes records as fast as it
// can, shouts each, and takes part in exchanges.
type writer struct {
	*recorder
	shelf
	rep   *replica.Replica
	epoch ident.ID
	key   [32]byte
	wrote int
}

func newWriter(t *testing.T, r *recorder) *writer {
	t.Helper()
	w := &writer{recorder: r, shelf: shelf{r.DB, r.Mesh.ID().String()}}
	m := r.Mesh.Mesh
	epoch, effective, err := m.Ring().Effective(m.Admin().State().EpochHeads)
	nodetest.Must(t, err)
	w.epoch, w.key = epoch, seal.EpochKey(effective, seal.UseRecord, m.ID())
	w.rep, err = replica.New(replica.Config{Disk: w.shelf, Authors: everybody{}, Self: m.Blind().Public(), Inc: m.Gen()})
	nodetest.Must(t, err)
	r.Handle(replica.Proto, 2, func(ctx context.Context, s *host.Stream) {
		if _, err := w.rep.Exchange(ctx, wire.NewConn(s), false); err != nil {
			s.Reset()
		}
	})
	return w
}

// flood writes and shouts until ctx ends.
func (w *writer) flood(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		var made []replica.Record
		err := w.Update(context.WithoutCancel(ctx), func(tx replica.Tx) error {
			made = nil
			for i := range 200 {
				r, err := w.append(tx, fmt.Sprintf("flood %d", (w.wrote+i)%30_000))
				if err != nil {
					return err
				}
				made = append(made, r)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
			return
		}
		w.wrote += len(made)
		for _, r := range made {
			payload, err := w.recorder.Mesh.SealGossip(append([]byte{4}, r.Raw()...))
			if err == nil {
				err = w.Gossip.Shout(ctx, payload)
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}
}

// append writes one record of shared state.
func (w *writer) append(tx replica.Tx, key string) (replica.Record, error) {
	epoch0, err := w.recorder.Mesh.Ring().Epoch0(w.recorder.Mesh.Admin())
	if err != nil {
		return replica.Record{}, err
	}
	var f ident.Fields
	f.Text(2, "state")
	f.Text(4, key)
	f.Bytes(6, make([]byte, 400))
	return w.rep.Append(tx, w.recorder.Mesh.Blind(), replica.Write{
		Slot: w.slot(trust.IDSecret(epoch0, w.recorder.Mesh.ID()), key), Clock: replica.ClockAt(time.Now()), Epoch: w.epoch,
		Seal: func(h replica.Header) ([]byte, error) { return seal.BoxSeal(w.key, replica.AAD(h), f.Body()) },
	})
}

// slot is where records of shared state under a key are.
func (w *writer) slot(secret [32]byte, key string) replica.Slot {
	h := hmac.New(sha256.New, secret[:])
	h.Write(append([]byte("state\x00"), key...))
	return replica.Slot(h.Sum(nil))
}

// equal exchanges with a node until both hold the same.
func (w *writer) equal(ctx context.Context, t *testing.T, at peer.ID) {
	t.Helper()
	nodetest.Must(t, harness.Until(ctx, func() (bool, any, error) {
		s, err := w.Open(ctx, w.recorder.Mesh.ID(), at, replica.Proto)
		if err != nil {
			return false, err, nil
		}
		defer s.Close()
		got, err := w.rep.Exchange(ctx, wire.NewConn(s), true)
		return err == nil && got.Equal, errors.Join(err, fmt.Errorf("%+v", got)), nil
	}))
}

// A member that writes records as fast as it can: the others' nodes stay small and
// serve, what the rest writes goes on to come, and in the end all hold the same.
func TestAFloodOfRecords(t *testing.T) {
	length := 8 * time.Second
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		length = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	homes := newWorld(t)
	ana, ben, target := meetIn(ctx, t, homes)
	eve := joined(ctx, t, homes, ana, "eve")
	w := newWriter(t, turned(t, eve.Dir, "eve", true))
	at := []peer.AddrInfo{target, located(t, ben)}
	for _, info := range at {
		w.recorder.Meet(info)
	}
	quiet := max(peak(t, ana), peak(t, ben))

	flood, calm := context.WithTimeout(ctx, length)
	defer calm()
	var beside sync.WaitGroup
	served, came := 0, 0
	var slowest time.Duration
	beside.Go(func() { w.flood(flood, t) })
	beside.Go(func() {
		for n := 0; flood.Err() == nil; n++ {
			if err := deliver(ctx, ben, "ana", fmt.Sprint("in the flood ", n)); err != nil {
				t.Error(err)
				return
			}
			served++
		}
	})
	beside.Go(func() {
		for n := 0; flood.Err() == nil; n++ {
			began := time.Now()
			if err := shared(ctx, ben, ana, fmt.Sprint(n)); err != nil {
				t.Error(err)
				return
			}
			slowest = max(slowest, time.Since(began))
			came++
		}
	})
	beside.Wait()
	t.Logf("%d records written and shouted in %s; meanwhile %d messages delivered and %d of another's records shown, the slowest after %v; peak memory %d and %d MiB (%d before)",
		w.wrote, length, served, came, slowest.Round(time.Millisecond), peak(t, ana)>>10, peak(t, ben)>>10, quiet>>10)
	if served == 0 || came == 0 {
		t.Error("nothing came through the flood")
	}
	for _, info := range at {
		w.equal(ctx, t, info.ID)
	}
	nodetest.Must(t, shared(ctx, ana, ben, "after"))
	for _, h := range []*harness.Home{ana, ben} {
		// How much of its store is in memory is the system's affair, and grows with what is
		// stored: 200,000 records of a member at most.
		if got := peak(t, h) - memory(t, h, "RssFile:"); got > mostMemory {
			t.Errorf("the node of %s used %d KiB beside its store, at most %d allowed", h.Name, got, mostMemory)
		}
		out, err := audit.Query.Call(ctx, h.API(), op.Caller{User: true, Approved: true}, audit.QueryRequest{})
		nodetest.Must(t, err)
		if out.Refused["pace"] == 0 {
			t.Errorf("the node of %s counts no records beyond the pace: %v", h.Name, out.Refused)
		}
	}
	t.Logf("after all hold the same, peak memory %d and %d MiB; now ana's node has %d MiB of its own, and %d MiB of its store in memory",
		peak(t, ana)>>10, peak(t, ben)>>10, memory(t, ana, "RssAnon:")>>10, memory(t, ana, "RssFile:")>>10)
}

// shared sets a key and waits until another shows it.
func shared(ctx context.Context, from, at *harness.Home, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	user := op.Caller{User: true}
	want, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := state.Set.Call(ctx, from.API(), user, state.SetRequest{Key: "news", Value: want}); err != nil {
		return err
	}
	return harness.Until(ctx, func() (bool, any, error) {
		out, err := state.Get.Call(ctx, at.API(), user, state.GetRequest{Key: "news"})
		return err == nil && string(out.JSON) == string(want), errors.Join(err, fmt.Errorf("%s", out.JSON)), nil
	})
}

// joined has one more home join by an invite of the first, and its node end.
func joined(ctx context.Context, t *testing.T, homes *harness.World, by *harness.Home, name string) *harness.Home {
	t.Helper()
	h, err := homes.Home(name)
	nodetest.Must(t, err)
	nodetest.Must(t, h.Start(ctx))
	var made mesh.InviteResponse
	nodetest.Must(t, by.JSON(ctx, &made, "invite"))
	nodetest.Must(t, h.JSON(ctx, &struct{}{}, "join", made.Link, "--as", name))
	nodetest.Must(t, deliver(ctx, h, by.Name, "hello"))
	nodetest.Must(t, h.Stop(ctx))
	return h
}

// located finds a home's node by its folder.
func located(t *testing.T, h *harness.Home) (at peer.AddrInfo) {
	t.Helper()
	id, err := peer.IDFromPrivateKey(renegade.NodeKey(t, h.Dir))
	nodetest.Must(t, err)
	return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", h.Port))}}
}
