package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Void strikes what a thief did with an admin's key.
var Void = op.Spec[VoidRequest, VoidResponse]{
	ID: "mesh.void",
	Doc: "Strike entries of the admin log as if they had never been signed: for a stolen admin key. Only the owner can.\n" +
		"Without apply nothing is changed: the answer is a preview of what would be struck and what would follow.",
	Names:    op.Names{CLI: "void <admin>"},
	Needs:    op.Manage,
	Destroys: true,
}

// VoidRequest says what to strike: all that one signer wrote, or single entries.
type VoidRequest struct {
	op.InMesh
	By      string   `json:"by,omitempty" jsonschema:"name or key of whoever signed them"`
	Since   string   `json:"since,omitempty" jsonschema:"from where on: how long ago (2h, 3d), a time (RFC 3339; both by the signer's clock, which a thief sets at will), or the id of the last good entry; default: everything"`
	Entries []string `json:"entries,omitempty" jsonschema:"ids of single entries, or their first 8 or more characters"`
	Apply   bool     `json:"apply,omitempty" jsonschema:"strike them; default: only show what would happen"`
}

// Looks implements op.Looker.
func (r VoidRequest) Looks() bool { return !r.Apply }

// VoidResponse shows what is struck and what follows.
type VoidResponse struct {
	Mesh    string        `json:"mesh"`
	Struck  []ledger.Line `json:"struck"`
	Changes []string      `json:"changes" jsonschema:"what is different afterwards"`
	// Done is false for a preview.
	Done bool `json:"done"`
	// StillAdmin warns that the key can go on signing.
	StillAdmin bool `json:"still_admin,omitempty"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told,omitempty"`
}

// Text has a line per entry and per change.
func (r VoidResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r VoidResponse) Lines() []op.Phrase {
	lines := []op.Phrase{op.Phrasef("Would strike %d entries of %s:", len(r.Struck), r.Mesh)}
	if r.Done {
		lines[0] = op.Phrasef("Struck %d entries of %s. Nodes told: %d.", len(r.Struck), r.Mesh, r.Told)
	}
	for _, l := range r.Struck {
		lines = append(lines, op.Phrasef("  %s  %s  %s %s", l.ID[:16], l.At, l.By, l.What))
	}
	for _, c := range r.Changes {
		lines = append(lines, op.Phrasef("  → %s", c))
	}
	if r.StillAdmin {
		lines = append(lines, op.Word("The key can still sign: ban or demote whose it is first, then strike what it signed before."))
	}
	return lines
}

func (a *Meshes) answerVoid(ctx context.Context, _ op.Caller, in VoidRequest) (VoidResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return VoidResponse{}, err
	}
	if m.self != m.admin.Owner() {
		return VoidResponse{}, op.Errorf(op.Denied, "only the owner strikes entries").WithHint("ask the owner of %s", m.Slug())
	}
	out := VoidResponse{Mesh: m.Slug(), Done: in.Apply}
	var added []trust.Entry
	preview := func() (trust.Entry, error) {
		e, err := m.strike(in, &out)
		if err == nil && !in.Apply {
			err = errNothing
		}
		return e, err
	}
	if added, err = m.sign(ctx, preview); err != nil && (in.Apply || len(out.Struck) == 0) {
		return VoidResponse{}, err
	}
	if in.Apply {
		out.Told = a.spread(ctx, m, added)
	}
	return out, nil
}

// strike makes the void entry and describes what it does.
func (m *Mesh) strike(in VoidRequest, out *VoidResponse) (trust.Entry, error) {
	ids, err := m.toStrike(in)
	if err != nil {
		return trust.Entry{}, err
	}
	if len(ids) > trust.MaxIDs {
		return trust.Entry{}, op.Errorf(op.TooLarge, "these are %d entries, at most %d are struck at once", len(ids), trust.MaxIDs).
			WithHint("narrow it with since")
	}
	e, err := m.admin.SignVoid(m.member, ids, m.all.cfg.Now())
	if err != nil {
		return trust.Entry{}, err
	}
	after, err := m.admin.Trial(e)
	if err != nil {
		return trust.Entry{}, fmt.Errorf("preview: %w", err)
	}
	out.Struck = ledger.Describe(m.admin, ids)
	out.Changes = ledger.Changes(m.admin, m.admin.State(), after)
	for _, id := range ids {
		struck, _ := m.admin.Get(id)
		out.StillAdmin = out.StillAdmin || after.Role(struck.Signer()) >= trust.RoleService
	}
	return e, nil
}

// toStrike finds the entries that a request means.
func (m *Mesh) toStrike(in VoidRequest) ([]ident.ID, error) {
	ids, err := ledger.FindEntries(m.admin, in.Entries)
	if err != nil || in.By == "" {
		if err == nil && len(ids) == 0 {
			err = op.Errorf(op.Invalid, "nothing was named").WithHint("name an admin, or entries by their ids")
		}
		return ids, err
	}
	signer, err := ledger.FindMember(m.admin, in.By)
	if op.CodeOf(err) == op.NotFound {
		if gone, lost := ledger.FindGone(m.admin, in.By); lost == nil {
			signer, err = gone, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if signer == m.self {
		return nil, op.Errorf(op.Invalid, "that is you, the owner").WithHint("only entries of others can be struck")
	}
	since, err := m.since(in.Since)
	if err != nil {
		return nil, err
	}
	ids = append(ids, ledger.EntriesBy(m.admin, signer, since)...)
	if len(ids) == 0 {
		return nil, op.Errorf(op.NotFound, "%s signed nothing of that kind", in.By).WithHint("leave since out to see all")
	}
	return ids, nil
}

// since reads from where on entries are meant.
func (m *Mesh) since(text string) (ledger.Since, error) {
	if text == "" {
		return ledger.Since{}, nil
	}
	if ago, err := parseDuration(text); err == nil && ago > 0 {
		return ledger.Since{Time: m.all.cfg.Now().Add(-ago)}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return ledger.Since{Time: at}, nil
	}
	id, err := ledger.FindEntry(m.admin, text)
	if err != nil {
		return ledger.Since{}, op.Errorf(op.Invalid, "%q is no time and no entry", text).
			WithHint("use 2h, 3d, a time like 2026-01-31T12:00:00Z, or the id of an entry")
	}
	return ledger.Since{Entry: id}, nil
}
