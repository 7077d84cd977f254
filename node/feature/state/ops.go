package state

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Set writes a shared key.
var Set = op.Spec[SetRequest, SetResponse]{
	ID: "state.set",
	Doc: "Write a shared key of the mesh; every other session is told of the change at once.\n" +
		"The value is any JSON, null too. Of several writers the last one counts.",
	Names:    op.Names{Tool: "set_state", CLI: "state set <key> <value>"},
	Needs:    op.WriteState,
	Core:     true,
	Destroys: true,
}

// Get reads a shared key.
var Get = op.Spec[GetRequest, GetResponse]{
	ID:    "state.get",
	Doc:   "Read a shared key of the mesh: its value, who set it and when.",
	Names: op.Names{Tool: "get_state", CLI: "state get <key>"},
	Needs: op.ReadState,
	Core:  true,
	Eager: true,
}

// List lists the shared keys.
var List = op.Spec[ListRequest, ListResponse]{
	ID:    "state.list",
	Doc:   "List the shared keys of the mesh with their values, who set them and when, by key.",
	Names: op.Names{Tool: "list_state", CLI: "state list"},
	Needs: op.ReadState,
	Core:  true,
}

// Writers shows or sets who may write shared state.
var Writers = op.Spec[WritersRequest, WritersResponse]{
	ID: "state.writers",
	Doc: "Show who may write shared state in the mesh, or say who may: everyone, or the members named.\n" +
		"Only the owner and admins may change it. What others wrote, before or later, is then shown by no node.",
	Names:    op.Names{CLI: "state writers [<member>…]"},
	Needs:    op.Manage,
	Destroys: true,
}

// SetRequest is a key and its new value.
type SetRequest struct {
	op.InMesh
	Key   string          `json:"key" jsonschema:"1 to 256 bytes of printable characters"`
	Value json.RawMessage `json:"value" jsonschema:"any JSON value, null too"`
}

// SetResponse is what is written now.
type SetResponse struct {
	Slug string `json:"mesh_slug"`
	Value
}

// Text repeats the fact.
func (r SetResponse) Text() string { return r.fact() }

// GetRequest names a key.
type GetRequest struct {
	op.InMesh
	Key string `json:"key" jsonschema:"the key"`
}

// GetResponse is the key's value. A key that is not set is an error instead.
type GetResponse struct {
	Slug string `json:"mesh_slug"`
	Value
}

// Text is the fact and where it is from.
func (r GetResponse) Text() string { return r.fact() + " " + r.origin() }

// ListRequest asks for keys.
type ListRequest struct {
	op.InMesh
	Prefix string `json:"prefix,omitempty" jsonschema:"only keys that begin so"`
	After  string `json:"after,omitempty" jsonschema:"only keys that come after this one: to go on with a list that was cut"`
}

// ListResponse is a page of keys, ascending.
type ListResponse struct {
	Slug    string  `json:"mesh_slug"`
	Entries []Value `json:"entries"`
	Total   int     `json:"total" jsonschema:"how many keys there are that the request means"`
	// More is true where the list was cut; it goes on after its last key.
	More bool `json:"more,omitempty"`
	// Hidden counts keys that are not shown: whoever wrote them is not let be read.
	Hidden int `json:"hidden,omitempty" jsonschema:"keys that are not shown, since you do not let their writers be read"`
}

// Text has a line per key.
func (r ListResponse) Text() string {
	if r.Total+r.Hidden == 0 {
		return "No shared state in " + r.Slug + " yet."
	}
	lines := make([]string, 0, len(r.Entries)+1)
	for _, v := range r.Entries {
		lines = append(lines, v.fact()+" "+v.origin())
	}
	if r.More {
		lines = append(lines, fmt.Sprintf("… %d key(s) in all; ask again for those after %q.", r.Total, r.Entries[len(r.Entries)-1].Key))
	}
	if r.Hidden > 0 {
		lines = append(lines, fmt.Sprintf("%d key(s) are hidden: you do not let their writers be read (claudemesh grants).", r.Hidden))
	}
	return strings.Join(lines, "\n")
}

// Value is one key as it stands.
type Value struct {
	Key string `json:"key"`
	// JSON is any. It is absent in a list if it is long: then Bytes says how long, and
	// it is got by its key. It is not named as the type that answers embed, which
	// would hide it from their schemas.
	JSON  json.RawMessage `json:"value,omitempty"`
	Bytes int             `json:"bytes" jsonschema:"the length of the value"`
	By    string          `json:"updatedBy" jsonschema:"the name of the session, and of its member, that wrote it"`
	// Member is the writer's member key, hex: what is signed, where the name is
	// only what the writer calls itself.
	Member string `json:"memberPubkey"`
	At     string `json:"updatedAt" jsonschema:"RFC 3339"`
}

// fact is the key and its value.
func (v Value) fact() string {
	if v.JSON == nil {
		return fmt.Sprintf("%s = … (%d bytes: read it by its key)", v.Key, v.Bytes)
	}
	return v.Key + " = " + plain(v.JSON)
}

// origin is who wrote it and when.
func (v Value) origin() string { return fmt.Sprintf("(set by %s at %s)", v.By, v.At) }

// WritersRequest says who may write from now on; without names it only asks.
type WritersRequest struct {
	op.InMesh
	Writers []string `json:"writers,omitempty" jsonschema:"everyone, or members by name or key; empty: show who may"`
}

// Looks implements op.Looker.
func (r WritersRequest) Looks() bool { return len(r.Writers) == 0 }

// WritersResponse says who may write.
type WritersResponse struct {
	Slug     string   `json:"mesh_slug"`
	Everyone bool     `json:"everyone"`
	Writers  []Writer `json:"writers" jsonschema:"who may write, where not everyone may"`
}

// Writer is a member who may write.
type Writer struct {
	Name string `json:"name" jsonschema:"empty for a key that is no member's any more"`
	Key  string `json:"pubkey"`
}

// Text says who may write.
func (r WritersResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r WritersResponse) Lines() []op.Phrase {
	if r.Everyone {
		return []op.Phrase{op.Phrasef("Everyone in %s may write shared state.", r.Slug)}
	}
	if len(r.Writers) == 0 {
		return []op.Phrase{op.Phrasef("Nobody in %s may write shared state.", r.Slug)}
	}
	var names op.Phrase
	for i, w := range r.Writers {
		one := op.Phrasef("%s", w.Name)
		if w.Name == "" {
			one = op.Phrasef("somebody who is no member now (%s)", w.Key[:16])
		}
		if i > 0 {
			one = op.Phrasef("%s, %s", names, one)
		}
		names = one
	}
	return []op.Phrase{op.Phrasef("In %s these may write shared state: %s.", r.Slug, names)}
}
