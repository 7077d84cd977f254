package op

// Caller is who asks. A surface authenticates it before an operation sees it; a
// request can never name its own caller.
//
// Exactly one of the three is set: User (a person at this machine, through the
// local API), Session (an agent session that showed its token) or Member (another
// node, over a stream on which it proved its membership in Mesh).
type Caller struct {
	// User is true for the person at this machine without a session.
	User bool
	// Session is the local id of the agent session, else empty.
	Session string
	// Member is the remote member's public key, 64 lower-case hex digits, else empty.
	Member string
	// Mesh is the id of the mesh Member proved itself in, else empty.
	Mesh string
	// Approved tells that a person has said yes to this very request. Only a User can.
	Approved bool `json:",omitempty"`
}

// Remote tells whether the caller sits at another node.
func (c Caller) Remote() bool { return c.Member != "" }

// Place says where an operation runs.
type Place int

const (
	// Here: this node answers from its own data.
	Here Place = iota
	// AtPeer: another node of the mesh answers; only such operations can be asked
	// for from outside this machine.
	AtPeer
)

// String returns the name used in the catalogue.
func (p Place) String() string {
	if p == AtPeer {
		return "peer"
	}
	return "here"
}

// Right is what a caller must hold for an operation.
type Right string

const (
	// Look needs nothing beyond being a checked caller.
	Look Right = "look"
	// Send is the right to send messages.
	Send Right = "send"
	// ReadState is the right to read the mesh's shared state.
	ReadState Right = "state-read"
	// WriteState is the right to write the mesh's shared state.
	WriteState Right = "state"
	// Profile is the right to change what others see of a session.
	Profile Right = "profile"
	// Manage is the right to change which meshes this node is in and who may join.
	Manage Right = "manage"
)

// Reads tells that who holds nothing but this right changes nothing.
func (r Right) Reads() bool { return r == Look || r == ReadState }

// InMesh is embedded by requests that concern one mesh.
type InMesh struct {
	Mesh string `json:"mesh_slug,omitempty" jsonschema:"the mesh, by its name or an unambiguous prefix of its id; not needed when you are in one mesh only"`
}
