package message

import (
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// second gives a node a second mesh, "home", in which only the first session of each
// node is known, under the same name.
func (n *node) second() *Self {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := *n.sessions[0]
	s.Mesh, s.Slug = ident.MeshID{8}, "home"
	s.Key = ident.PrivateKeyFromSeed([32]byte{9, n.member.Public()[0], n.member.Public()[1]})
	s.Session = s.Key.Public()
	n.other = &s
	return &s
}

func TestSeveralMeshes(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		bob.second()
		b := bob.sessions[0]
		alice.mustSend(alice.sessions[0], "bob", "in team")
		settle()
		// What came in the other mesh is put there as its node would.
		l := forge(alice.sessions[0], bob.other, 9, "at home")
		if _, err := bob.f.Deliver(t.Context(), bob.other.Mesh, alice.member.Public(), [][]byte{l.pack(bob.other.Mesh)}); err != nil {
			t.Fatal(err)
		}
		got, err := bob.f.check(t.Context(), opCaller(b), CheckRequest{Again: true})
		equal(t, "error", err, nil)
		equal(t, "both meshes", texts(got), "at home,in team")
		equal(t, "which", got.Messages[0].Mesh+" "+got.Messages[1].Mesh, "home team")
		out, err := bob.f.read(t.Context(), opCaller(b), got.Shown())
		equal(t, "error", err, nil)
		equal(t, "seen in both", out.Seen, 2)
		one, err := bob.f.check(t.Context(), opCaller(b), CheckRequest{InMesh: op.InMesh{Mesh: "team"}})
		equal(t, "error", err, nil)
		equal(t, "in one", texts(one), "")

		send := func(change func(*SendRequest), to ...string) (SendResponse, error) {
			r := SendRequest{To: to, Message: "x"}
			change(&r)
			return bob.f.send(t.Context(), opCaller(b), r)
		}
		plain := func(*SendRequest) {}
		for _, to := range []string{"*", "@a", "@all"} {
			_, err := send(plain, to)
			codeOf(t, err, op.Ambiguous)
			if err == nil || !strings.Contains(err.Error(), "home, team") {
				t.Errorf("%s: error %v does not list the meshes", to, err)
			}
		}
		_, err = send(plain, "team:*")
		equal(t, "with the mesh", err, nil)
		settle()
		equal(t, "arrives", carol.got(), "x")
		_, err = send(plain, "carol")
		equal(t, "a name that one mesh knows", err, nil)
		_, err = send(plain, "nobody")
		codeOf(t, err, op.NotFound)
		list, err := send(plain, "team:carol", "home:alice")
		equal(t, "a list", err, nil)
		if list.Targets[1].OK || !strings.Contains(list.Targets[1].Error, "another mesh") {
			t.Errorf("the other mesh: %+v", list.Targets[1])
		}
		id := alice.pushed(alice.sessions[0])
		time.Sleep(time.Second)
		_, err = send(func(r *SendRequest) { r.ReplyTo = got.Messages[1].ID }, "alice")
		equal(t, "an answer goes where the question came from", err, nil)
		settle()
		equal(t, "there", len(alice.pushed(alice.sessions[0])), len(id)+1)
		st, err := bob.f.status(t.Context(), opCaller(b), StatusRequest{ID: list.ID})
		equal(t, "error", err, nil)
		equal(t, "status asks all meshes", st.Mesh, "team")
	})
}
