package netns

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/test/capture"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Somebody on the local network who takes down every packet, mDNS among them, sees no
// name, no group, no text, no key of a member or session, no secret and no mesh: only
// the nodes' own libp2p keys, which are used for nothing else.
func TestPacketsOnTheLocalNetworkTellNothing(t *testing.T) {
	for name, env := range map[string][]string{
		"as it is by default": nil,
		"over TCP alone":      {"CLAUDEMESH_LISTEN=/ip4/0.0.0.0/tcp/0"},
	} {
		t.Run(name, func(t *testing.T) {
			l := network(t, 2)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			tap, err := l.tap()
			must(t, err)
			defer tap.Stop()
			ana, bo := user(t, l, 1, "zaphodnimbus", env...), user(t, l, 2, "trillianquark", env...)
			secrets, ids := chatter(ctx, t, ana, bo)
			packets, err := tap.Stop()
			must(t, err)
			if len(packets) < 20_000 {
				t.Fatalf("%d bytes were captured: that is not the traffic of two nodes", len(packets))
			}
			for _, found := range capture.Found(packets, secrets) {
				t.Errorf("%s can be read on the network", found)
			}
			for _, id := range ids {
				if !bytes.Contains(packets, []byte(id.String())) {
					t.Errorf("the node %s did not tell its own id by mDNS: is this the right traffic?", id)
				}
			}
			t.Logf("%d secrets in %d bytes of packets", len(secrets), len(packets))
			control(t, l, secrets)
		})
	}
}

// tap captures what passes by the router, which is a bridge to all machines.
func (l *LAN) tap() (tap *capture.Tap, err error) {
	err = l.router.do(func() error {
		tap, err = capture.Start(0)
		return err
	})
	return tap, err
}

// control sends every secret in every form: the capture finds them all.
func control(t *testing.T, l *LAN, secrets []capture.Secret) {
	t.Helper()
	tap, err := l.tap()
	must(t, err)
	defer tap.Stop()
	var there net.PacketConn
	must(t, l.machines[1].do(func() error {
		there, err = net.ListenPacket("udp", "10.77.0.2:9")
		return err
	}))
	defer there.Close()
	must(t, there.SetReadDeadline(time.Now().Add(time.Minute)))
	forms := 0
	must(t, l.machines[0].do(func() error {
		c, err := net.Dial("udp", "10.77.0.2:9")
		if err != nil {
			return err
		}
		defer c.Close()
		for _, s := range secrets {
			for _, form := range capture.Forms(s.Raw) {
				forms++
				if _, err := c.Write(form); err != nil {
					return err
				}
				if _, _, err := there.ReadFrom(make([]byte, 4096)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	packets, err := tap.Stop()
	must(t, err)
	if found := capture.Found(packets, secrets); len(found) != forms {
		t.Errorf("of %d forms of secrets sent in the clear %d were found", forms, len(found))
	}
}

// chatter has two people do what a mesh is for. It returns all that nobody else may
// see, and the ids of the two nodes.
func chatter(ctx context.Context, t *testing.T, ana, bo *harness.Home) (secrets []capture.Secret, ids []peer.ID) {
	t.Helper()
	var link mesh.InviteResponse
	do(ctx, t, ana, &struct{}{}, "new", "quuxworthy", "--as", ana.Name)
	do(ctx, t, ana, &link, "invite")
	do(ctx, t, bo, &struct{}{}, "join", link.Link, "--as", bo.Name)
	// Just after joining it may be told to try again in a moment.
	must(t, harness.Until(ctx, func() (bool, any, error) {
		err := bo.JSON(ctx, &struct{}{}, "profile", "--title", "plumbusmaker", "--groups", "frobnicators")
		return err == nil, err, nil
	}))
	do(ctx, t, ana, &struct{}{}, "state", "set", "grommetcount", `"sprocketvalue"`)
	var sent message.SendResponse
	for _, to := range []string{ana.Name, "@all"} {
		do(ctx, t, bo, &sent, "send", to, "the flibbertigibbet text")
		must(t, Delivered(ctx, bo, sent.ID))
	}
	must(t, harness.Until(ctx, func() (bool, any, error) {
		var got struct{ Entries []json.RawMessage }
		err := bo.JSON(ctx, &got, "state", "list")
		return len(got.Entries) == 1, got, err
	}))
	for _, text := range []string{
		"quuxworthy", ana.Name, bo.Name, "plumbusmaker", "frobnicators", "grommetcount", "sprocketvalue", "flibbertigibbet",
		sent.ID, strings.TrimPrefix(link.Link, "claudemesh://join/"),
	} {
		secrets = append(secrets, capture.Secret{What: text, Raw: []byte(text)})
	}
	parsed, err := invite.ParseLink(link.Link)
	must(t, err)
	id, err := peer.Decode(parsed.PeerID)
	must(t, err)
	keys := known(ctx, t, ana, bo)
	raw, err := id.ExtractPublicKey()
	must(t, err)
	own, err := raw.Raw()
	must(t, err)
	for _, s := range keys {
		if bytes.Equal(s.Raw, own) {
			t.Error("the node's own key is used for something else")
		}
	}
	return append(secrets, keys...), []peer.ID{id}
}

// known are the ids of meshes and the keys, public and secret, that two people's
// commands show and their folders hold.
func known(ctx context.Context, t *testing.T, homes ...*harness.Home) (out []capture.Secret) {
	t.Helper()
	seen := map[string]bool{}
	add := func(what string, raw []byte) {
		if !seen[string(raw)] {
			seen[string(raw)] = true
			out = append(out, capture.Secret{What: what, Raw: raw})
		}
	}
	key, id := regexp.MustCompile(`"([0-9a-f]{64})"`), regexp.MustCompile(`"mesh_id": "([^"]+)"`)
	for _, h := range homes {
		for _, args := range [][]string{{"list"}, {"peers", "--all"}, {"whoami"}, {"info"}, {"verify"}} {
			shown, err := h.Command(ctx, append(args, "--json")...)
			must(t, err)
			if shown.Status != 0 {
				t.Fatalf("%v: %s", args, shown.Stderr)
			}
			for _, m := range key.FindAllStringSubmatch(shown.Stdout, -1) {
				raw, err := hex.DecodeString(m[1])
				must(t, err)
				add("the key "+m[1][:8]+" of "+strings.Join(args, " "), raw)
			}
			for _, m := range id.FindAllStringSubmatch(shown.Stdout, -1) {
				add("the mesh's id", []byte(m[1]))
			}
		}
		seeds, err := filepath.Glob(filepath.Join(h.Dir, "keys", "*.key"))
		must(t, err)
		for _, path := range seeds {
			raw, err := os.ReadFile(path)
			must(t, err)
			add("a seed", raw)
			add("a mesh's id", []byte(strings.TrimSuffix(filepath.Base(path), ".key")))
		}
		if len(seeds) != 1 {
			must(t, errors.New("a member has one seed"))
		}
	}
	if len(out) < 7 { // a mesh, two seeds, keys of two members and their sessions
		t.Fatalf("only %d keys are known", len(out))
	}
	return out
}
