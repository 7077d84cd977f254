package roster

import (
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// As many sessions as a node takes, each with the largest card there can be, and
// what a node adds, fit into a beacon; of a few, nothing is cut.
func TestTheLargestBeaconFits(t *testing.T) {
	word := strings.Repeat("w", MaxWord)
	card := Card{
		Attest: make([]byte, 700), Summary: strings.Repeat("é", 2*MaxSummary), Opened: time.UnixMilli(1 << 40), Sight: Hiding,
		Role: word, Cwd: strings.Repeat("/", MaxCwd), Host: word, Kind: word, Channel: word, Model: word,
		Groups: []group.Group{}, Counts: Counts{1 << 50, 1 << 50, 1 << 50, 1 << 50, time.Hour}, Consent: make([]byte, consentSize),
	}
	card.Status.Value = word
	for range group.MaxBytes / group.MaxName {
		card.Groups = append(card.Groups, group.Group{Name: strings.Repeat("g", group.MaxName)})
	}
	b := Beacon{Boot: 1, Seq: 1, Clock: time.UnixMilli(1 << 40), Lease: Lease, Node: Node{Bind: make([]byte, maxBind)}}
	for range maxAddrs {
		b.Node.Addrs = append(b.Node.Addrs, strings.Repeat("a", maxAddr))
	}
	b.Node.Heads = make([]ident.ID, maxHeads)
	b.Cards = append(b.Cards, card)
	b.Fit()
	if b.Cards[0].Summary != card.Summary {
		t.Error("a summary was cut for no reason")
	}
	for range MaxSessions {
		b.Cards = append(b.Cards, card)
	}
	b.Fit()
	body := b.Encode()
	if len(body) > MaxBeacon-signing {
		t.Fatalf("%d bytes, at most %d go", len(body), MaxBeacon-signing)
	}
	got, err := Decode(body)
	if err != nil || len(got.Cards) != MaxSessions+1 || len(got.Cards[0].Groups) != len(card.Groups) {
		t.Fatalf("%d cards: %v", len(got.Cards), err)
	}
	t.Logf("summaries of %d bytes are left", len(got.Cards[0].Summary))
}
