package mesh

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// What the store keeps of each mesh, in the bucket "mesh" / mesh id:
//
//	info              record, JSON
//	bind              newest own binding statement
//	removed           a removal of the own member that the log cannot take up, its
//	                  parents being kept from who was removed
//	elsewhere         the own member's later binding to another node
//	log/ENTRY ID      admin log entry
//	epoch/ENTRY ID    epoch key, 32 bytes
//	delivery/KEY ID   own delivery key, JSON
//	closing/MEMBER    name of who is yet to hear that the mesh was closed, by key in hex
//	peer/MEMBER KEY   what is known of another member's node, JSON
//	invite/INVITE KEY blob of an invite this node admits with
const (
	bucketMesh     = "mesh"
	bucketLog      = "log"
	bucketEpoch    = "epoch"
	bucketDelivery = "delivery"
	bucketPeer     = "peer"
	bucketInvite   = "invite"
)

// Keys in a mesh's bucket.
var (
	keyInfo = []byte("info")
	keyBind = []byte("bind")
	keyTold = []byte("removed")
)

// record is what this node calls a mesh.
type record struct {
	Slug   string    `json:"slug"`
	Joined time.Time `json:"joined"`
	// Called is the mesh's name that Slug was made of, empty: that of its genesis.
	Called string `json:"called,omitempty"`
	// Own says that the name is this machine's own and follows no other.
	Own bool `json:"own,omitempty"`
}

// deliveryKey is one of the own delivery keys.
type deliveryKey struct {
	Private   []byte    `json:"private"`
	Statement []byte    `json:"statement"`
	Seq       uint64    `json:"seq"`
	Created   time.Time `json:"created"`
	// Successor is when the next key was published; zero while this is the newest.
	Successor time.Time `json:"successor,omitzero"`
}

// contact is what is known of another member's node.
type contact struct {
	Peer     string   `json:"peer,omitempty"` // libp2p id an invite named
	Bind     []byte   `json:"bind,omitempty"`
	Delivery []byte   `json:"delivery,omitempty"`
	Addrs    []string `json:"addrs,omitempty"`
}

// at returns a mesh's bucket, or one inside it.
func at(tx *store.Tx, id ident.MeshID, inner ...string) *store.Bucket {
	return tx.Bucket(append([]string{bucketMesh, id.String()}, inner...)...)
}

// keptMeshes lists the ids of the meshes in the store.
func keptMeshes(tx *store.Tx) ([]ident.MeshID, error) {
	var out []ident.MeshID
	for _, name := range tx.Bucket(bucketMesh).Buckets() {
		id, err := ident.ParseMeshID(name)
		if err != nil {
			return nil, fmt.Errorf("%w: mesh id %q: %w", ErrKept, name, err)
		}
		out = append(out, id)
	}
	return out, nil
}

// pairs copies all keys and values of a bucket.
func pairs(b *store.Bucket) map[string][]byte {
	out := make(map[string][]byte)
	b.Ascend(nil, func(k, v []byte) bool {
		out[string(k)] = append([]byte(nil), v...)
		return true
	})
	return out
}
