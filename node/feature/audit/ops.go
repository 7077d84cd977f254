package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Query reads the account.
var Query = op.Spec[QueryRequest, QueryResponse]{
	ID: "audit.query",
	Doc: "Show who changed what in the meshes, and what this node did and refused, newest first.\n" +
		"Texts of messages are never in it.",
	Names: op.Names{CLI: "audit"},
	Needs: op.Manage,
}

// Verify checks the account.
var Verify = op.Spec[VerifyRequest, VerifyResponse]{
	ID:    "audit.verify",
	Doc:   "Check the chains of all members and of this node: whether anything was changed, left out or written twice.",
	Names: op.Names{CLI: "audit verify"},
	Needs: op.Manage,
}

// Limits of a page.
const (
	defaultPage = 50
	maxPage     = 500
)

// QueryRequest says which entries are wanted. All that it names must hold.
type QueryRequest struct {
	op.InMesh
	Since  string `json:"since,omitempty" jsonschema:"not older than this: how long ago (2h, 3d) or a time (RFC 3339)"`
	Kind   string `json:"kind,omitempty" jsonschema:"only this event, as in member_admitted; with * at the end, all that begin so"`
	Member string `json:"member,omitempty" jsonschema:"only what this member did or what was done to it, by name or key"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many, at most 500; default 50"`
	Offset int    `json:"offset,omitempty" jsonschema:"how many of the newest to leave out"`
}

// Looks implements op.Looker.
func (QueryRequest) Looks() bool { return true }

// Entry is one entry of a chain.
type Entry struct {
	Chain string            `json:"chain" jsonschema:"the key of the member whose it is, or local"`
	I     uint64            `json:"i"`
	Mesh  string            `json:"mesh,omitempty" jsonschema:"the mesh's name here, else its id"`
	Event string            `json:"event"`
	Actor string            `json:"actor" jsonschema:"name of who did it; this node, where it was no member"`
	Key   string            `json:"actor_key,omitempty"`
	Data  map[string]string `json:"data"`
	At    string            `json:"at" jsonschema:"RFC 3339, by the clock of whoever wrote it"`
	Hash  string            `json:"hash"`
	Prev  string            `json:"prev_hash"`
}

// QueryResponse lists entries, newest first.
type QueryResponse struct {
	Entries []Entry `json:"entries"`
	More    bool    `json:"more" jsonschema:"there are older ones"`
	// Refused counts what this node has refused since it was set up, by reason.
	Refused map[string]uint64 `json:"refused"`
	// Refusals are the same by member, of those that the request wants, at most 50: the
	// last ones first.
	Refusals []Refusal `json:"refusals"`
}

// maxShown is how many refusals are shown.
const maxShown = 50

// unknownPeer is who refused things came from where nothing shows it.
const unknownPeer = "nobody known"

// Refusal is what this node has refused of one member for one reason.
type Refusal struct {
	Mesh   string `json:"mesh,omitempty" jsonschema:"the mesh's name here, else its id"`
	Reason string `json:"reason"`
	From   string `json:"from" jsonschema:"name of the member whose node it came from"`
	Key    string `json:"from_key,omitempty"`
	Times  uint64 `json:"times"`
	First  string `json:"first" jsonschema:"RFC 3339"`
	Last   string `json:"last" jsonschema:"RFC 3339"`
}

// Line is a refusal in one line.
func (r Refusal) Line() string {
	out := fmt.Sprintf("%s  %d from %s", r.Reason, r.Times, r.From)
	if r.Mesh != "" {
		out += " in " + r.Mesh
	}
	return out + ", last " + r.Last
}

// Text has a line per entry.
func (r QueryResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r QueryResponse) Lines() []op.Phrase {
	var lines []op.Phrase
	for _, e := range r.Entries {
		lines = append(lines, op.Phrasef("%s", e.Line()))
	}
	if len(lines) == 0 {
		lines = append(lines, op.Word("Nothing was found."))
	}
	if r.More {
		lines = append(lines, op.Word("There are older ones: --limit, --offset and --since choose."))
	}
	if said := r.RefusedText(); said != "" {
		lines = append(lines, op.Phrasef("Refused so far: %s.", said))
	}
	for _, one := range r.Refusals {
		lines = append(lines, op.Phrasef("  %s", one.Line()))
	}
	return lines
}

// RefusedText says what was refused how often, empty for nothing.
func (r QueryResponse) RefusedText() string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		out = append(out, fmt.Sprintf("%s %d", reason, r.Refused[reason]))
	}
	return strings.Join(out, ", ")
}

// Line is an entry in one line.
func (e Entry) Line() string {
	out := fmt.Sprintf("%s  %s  %s", e.At, e.Event, e.Actor)
	if e.Mesh != "" {
		out += "  in " + e.Mesh
	}
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		out += fmt.Sprintf("  %s=%q", name, e.Data[name])
	}
	where := e.Chain
	if len(where) > 8 {
		where = where[:8]
	}
	return out + fmt.Sprintf("  [%s %d]", where, e.I)
}

// VerifyRequest names the mesh whose chains are checked, beside the own one.
type VerifyRequest struct {
	op.InMesh
}

// Looks implements op.Looker.
func (VerifyRequest) Looks() bool { return true }

// State is what a check found.
type State string

// The states of a chain.
const (
	Valid      State = "valid"
	Broken     State = "broken"     // an entry is not what it was when the next one was written, or was taken back
	Forked     State = "forked"     // two entries stand under one number
	Incomplete State = "incomplete" // not everything has come here (yet)
)

// Chain is what is to be said of one chain.
type Chain struct {
	Chain   string `json:"chain" jsonschema:"the key of the member whose it is, or local"`
	Name    string `json:"name"`
	State   State  `json:"state" jsonschema:"valid, broken, forked or incomplete"`
	Entries uint64 `json:"entries" jsonschema:"how many are here"`
	// At is the first entry with which something is wrong; absent if the chain is valid.
	At  uint64 `json:"at,omitempty"`
	Why string `json:"why,omitempty"`
}

// VerifyResponse has a line per chain, that of this node last.
type VerifyResponse struct {
	Mesh   string  `json:"mesh"`
	Valid  bool    `json:"valid" jsonschema:"all chains are"`
	Chains []Chain `json:"chains"`
}

// Text says what is wrong with which chain.
func (r VerifyResponse) Text() string {
	var lines []string
	for _, c := range r.Chains {
		line := fmt.Sprintf("%s: %s, %d entries", c.Name, c.State, c.Entries)
		if c.State != Valid {
			line += fmt.Sprintf("; at %d: %s", c.At, c.Why)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
