package audit

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

func (f *Feature) answerVerify(_ context.Context, _ op.Caller, in VerifyRequest) (VerifyResponse, error) {
	m, err := f.cfg.Meshes.Find(in.Mesh)
	if err != nil {
		return VerifyResponse{}, err
	}
	out := VerifyResponse{Mesh: m.Slug, Valid: true}
	if out.Chains, err = f.verifyShared(m.ID); err != nil {
		return VerifyResponse{}, err
	}
	own, err := f.verifyLocal()
	if err != nil {
		return VerifyResponse{}, err
	}
	out.Chains = append(out.Chains, own)
	for _, c := range out.Chains {
		out.Valid = out.Valid && c.State == Valid
	}
	return out, nil
}

// verifyShared checks the chains of all who signed anything in a mesh.
func (f *Feature) verifyShared(mesh ident.MeshID) ([]Chain, error) {
	// The log is read first: what is in it by now is to be in the chains.
	acts := f.cfg.Meshes.Acts(mesh)
	all, err := f.cfg.Book.List(mesh, kind, "")
	if err != nil {
		return nil, err
	}
	chains := links(all)
	due := make(map[ident.PublicKey][]string)
	for _, a := range acts {
		due[a.Signer] = append(due[a.Signer], about(dataOf(a)))
		if _, ok := chains[a.Signer]; !ok {
			chains[a.Signer] = nil
		}
	}
	names := f.cfg.Meshes.Names(mesh)
	var out []Chain
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		for member, links := range chains {
			c := f.judge(tx, mesh, member, links, due[member])
			c.Chain, c.Name, c.Entries = member.String(), nameOf(names, member), uint64(len(links))
			out = append(out, c)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Chain) int {
		if a.Name != b.Name {
			return compare(a.Name, b.Name)
		}
		return compare(a.Chain, b.Chain)
	})
	return out, err
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// judge checks one member's chain. due are the changes that it is to have.
func (f *Feature) judge(tx *store.Tx, mesh ident.MeshID, member ident.PublicKey, links []link, due []string) Chain {
	forked := tx.Bucket(bucketAudit, bucketForked, mesh.String())
	seen := tx.Bucket(bucketAudit, bucketSeen, mesh.String())
	var w chain.Walk
	said := make(map[string]bool)
	for _, l := range links {
		if l.forked || forked.Get(seenKey(member, l.i)) != nil {
			return Chain{State: Forked, At: l.i, Why: "there are two entries under this number"}
		}
		if l.i != w.I+1 {
			return f.gap(seen.Get(seenKey(member, w.I+1)) != nil && f.cfg.Meshes.Member(mesh, member), w.I+1)
		}
		e, err := w.Next(member.String(), l.raw)
		if err == nil && e.Mesh != mesh.String() {
			err = fmt.Errorf("%w: of another mesh", chain.ErrEntry)
		}
		if err != nil {
			return Chain{State: Broken, At: l.i, Why: err.Error()}
		}
		said[about(e.Data)] = true
	}
	if seen.Get(seenKey(member, w.I+1)) != nil {
		return f.gap(f.cfg.Meshes.Member(mesh, member), w.I+1)
	}
	missing := 0
	for _, id := range due {
		if !said[id] {
			missing++
		}
	}
	if missing > 0 {
		return Chain{State: Incomplete, At: w.I + 1, Why: fmt.Sprintf("%d changes that this member signed are not in it yet", missing)}
	}
	return Chain{State: Valid}
}

// gap says what a missing entry means. Of somebody who is gone only some records stay.
func (f *Feature) gap(taken bool, at uint64) Chain {
	if taken {
		return Chain{State: Broken, At: at, Why: "this entry was here and was taken back"}
	}
	return Chain{State: Incomplete, At: at, Why: "this entry has not come here"}
}

// verifyLocal checks this node's own chain, from the last entry that was dropped on.
func (f *Feature) verifyLocal() (Chain, error) {
	out := Chain{Chain: chain.Local, Name: thisNode, State: Valid}
	err := f.cfg.DB.View(func(tx *store.Tx) error {
		b := tx.Bucket(bucketAudit, bucketLocal)
		var w chain.Walk
		w.I, w.Hash = place(b.Get(keyAnchor))
		b.Bucket(bucketRow).Ascend(nil, func(_, raw []byte) bool {
			if _, err := w.Next(chain.Local, raw); err != nil {
				out.State, out.At, out.Why = Broken, w.I+1, err.Error()
				return false
			}
			out.Entries++
			return true
		})
		head, hash := place(b.Get(keyHead))
		if out.State == Valid && (head != w.I || hash != w.Hash) {
			out.State, out.At, out.Why = Broken, w.I+1, "the newest entries are missing"
		}
		return nil
	})
	return out, err
}
