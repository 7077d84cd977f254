package address

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Whatever is typed, the asking session is never found, a full key finds its owner,
// and the answer does not depend on the order in which sessions are listed.
func TestFindIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"ana", "ana-2", "bo", "Bo", "carla"}
		var sessions []Session
		var members []Address
		for i := range rapid.IntRange(1, 6).Draw(t, "sessions") {
			key := ident.PublicKey{0xa0, byte(i), byte(rapid.IntRange(0, 3).Draw(t, "key"))}
			sessions = append(sessions, Session{
				Address: Address{Key: key, IsSession: true, Name: rapid.SampledFrom(names).Draw(t, "name")},
				Hidden:  rapid.Bool().Draw(t, "hidden"), Here: rapid.Bool().Draw(t, "here"),
			})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "members") {
			key := ident.PublicKey{0xb0, byte(i)}
			members = append(members, Address{Key: key, Member: key, Name: rapid.SampledFrom(names).Draw(t, "name")})
		}
		asking := sessions[0].Key
		targets := append([]string{"", "a", "ANA", "zed", asking.String()}, names...)
		for _, s := range sessions {
			targets = append(targets, s.Key.String(), s.Key.String()[:8])
		}
		target := rapid.SampledFrom(targets).Draw(t, "target")
		a, ok, err := Find(sessions, members, asking, target)
		if ok && a.Key == asking {
			t.Fatalf("%q found the asking session", target)
		}
		if err != nil && op.AsError(err).Hint == "" {
			t.Fatalf("%q: no next step in %v", target, err)
		}
		turned := make([]Session, 0, len(sessions))
		for i := range sessions {
			turned = append(turned, sessions[len(sessions)-1-i])
		}
		b, ok2, err2 := Find(turned, members, asking, target)
		if a != b || ok != ok2 || op.CodeOf(err) != op.CodeOf(err2) {
			t.Fatalf("%q: %+v %v %v, turned %+v %v %v", target, a, ok, err, b, ok2, err2)
		}
	})
}
