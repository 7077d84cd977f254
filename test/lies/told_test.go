package lies_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/doctor"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// nobody is whose a lie is of whom nothing is proved.
const nobody = "nobody known"

// Each lie of the tables is told to a real node, by a member with a modified client, on
// the way that it would come by. The node counts it, with whoever it came from, shows that
// in its account, and believes nothing.
func TestEachLieIsCountedAndShown(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	once := ana.Invite()
	eve := nodetest.Start(t, "eve")
	eve.Join(ana.Invite())
	eve.Stop()
	l := among(t, ana, eve)
	before := believes(ana)

	lies := 0
	for _, name := range slices.Sorted(maps.Keys(statementLies)) {
		if lie := statementLies[name]; lie.alone == "" {
			l.counted(ana, name, func() { lie.by.tell(l, lie.say) }, lie.by.counted...)
			lies++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(otherLies)) {
		lie := otherLies[name]
		l.counted(ana, name, func() { lie.tell(l) }, lie.counted)
		lies++
	}
	l.usesAnInviteTwice(ana, once)
	before.Members = append(before.Members, believes(ana).Members[5:]...) // who came by it
	// Some of these change the key of the mesh.
	for _, name := range slices.Sorted(maps.Keys(logLies)) {
		if untold[name] != "" {
			continue
		}
		raw, err := logLies[name](l.w)
		nodetest.Must(t, err)
		l.counted(ana, name, func() { l.Give(l.victim.ID, raw) }, l.w.refusal(raw))
		lies++
	}
	t.Logf("%d lies were told", lies)
	lied(t, lies, 80)
	if after := believes(ana); mustJSON(t, after) != mustJSON(t, before) {
		t.Errorf("it changed something:\n%s\n%s", mustJSON(t, before), mustJSON(t, after))
	}
	inDoctor(t, ana)
}

// untold are entries of the admin log that nobody is blamed for.
var untold = map[string]string{
	"an entry whose parents nobody has": "they may come: it waits, and takes a place of few",
}

// among lets eve's modified client meet a node, in a mesh as the tables want it.
func among(t *testing.T, ana, eve *nodetest.Node) *liar {
	t.Helper()
	l := &liar{victim: renegade.Where(t, ana)}
	l.Client = renegade.Turn(t, renegade.Config{Dir: eve.Dir, Name: eve.Name})
	l.Meet(l.victim)
	l.w = &world{t: t, now: time.Now().Truncate(time.Second), ring: trust.NewKeyring(), ana: owns(t, ana.Dir), eve: owns(t, eve.Dir)}
	known := l.Mesh.Admin().Entries()
	var err error
	l.w.log, err = trust.LoadLog(known)
	nodetest.Must(t, err)
	for id, key := range l.Mesh.Ring().Keys() {
		nodetest.Must(t, l.w.ring.Put(l.w.log, id, key))
	}
	l.w.people()
	var more [][]byte
	for _, e := range l.w.log.Entries() {
		if !slices.ContainsFunc(known, func(k trust.Entry) bool { return k.ID() == e.ID() }) {
			more = append(more, e.Marshal())
		}
	}
	l.Give(l.victim.ID, more...)
	ana.Wait("in a mesh of five", func() bool { return len(believes(ana).Members) == 5 })
	return l
}

// owns is the person whose key lies in a node's folder.
func owns(t *testing.T, dir string) someone {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "keys", "*.key"))
	nodetest.Must(t, err)
	if len(files) != 1 {
		t.Fatalf("keys of %v", files)
	}
	text, err := os.ReadFile(files[0])
	nodetest.Must(t, err)
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	nodetest.Must(t, err)
	seed := ident.Seed(raw)
	return someone{seed, seed.Member(), seed.Member().Public()}
}

// believes is what lies could change.
func believes(n *nodetest.Node) overview.InfoResponse {
	out := nodetest.Call(n, overview.Info, overview.InfoRequest{})
	for _, m := range nodetest.Call(n, presence.Peers, presence.PeersRequest{}).Meshes {
		out.Peers = len(m.Peers)
	}
	out.Online = 0 // who lies is connected all the same
	return out
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	nodetest.Must(t, err)
	return string(raw)
}

// refusal is what an entry of the admin log is to be counted as: what is none, or not
// signed by its signer, comes from whoever gave it; what its signer may not do, from that.
func (w *world) refusal(raw []byte) told {
	e, err := trust.ParseEntry(raw)
	if err == nil {
		_, err = w.copyLog().Add(e)
	}
	if err != nil {
		return told{"log_entry", "eve"}
	}
	if m, ok := w.log.State().Member(e.Signer()); ok {
		return told{"no_right", m.Name}
	}
	return told{"no_right", "member " + e.Signer().String()[:16]}
}

// counted tells a lie and waits until a node has counted it as one of some. Who lies much
// by gossip is not listened to for a moment: then it is told again.
func (l *liar) counted(n *nodetest.Node, name string, tell func(), as ...told) {
	l.w.t.Helper()
	before := tally(l.w.t, n)
	var after map[told]uint64
	more := func(w told) bool { return after[w] > before[w] }
	for late := time.Now().Add(2 * time.Minute); time.Now().Before(late); {
		l.hush = func() {}
		tell()
		counted := false
		for soon := time.Now().Add(time.Second); !counted && time.Now().Before(soon); {
			after = tally(l.w.t, n)
			if counted = slices.ContainsFunc(as, more); !counted {
				<-time.After(10 * time.Millisecond)
			}
		}
		l.hush()
		if counted {
			return
		}
	}
	maps.DeleteFunc(after, func(w told, _ uint64) bool { return !more(w) })
	l.w.t.Errorf("%s is not counted as one of %v, but as %v", name, as, after)
}

// tally is what a node shows of what it has refused, and of accounts written anew.
func tally(t testing.TB, n *nodetest.Node) map[told]uint64 {
	t.Helper()
	seen := make(map[told]uint64)
	out := nodetest.Call(n, audit.Query, audit.QueryRequest{Kind: "refused"})
	for _, r := range out.Refusals {
		seen[told{r.Reason, r.From}] += r.Times
		if r.Times == 0 || r.Mesh != "team" || r.Last < r.First || !strings.Contains(out.Text(), r.Line()) {
			t.Fatalf("%+v in\n%s", r, out.Text())
		}
		if r.From == "ana" || r.From == "cy" || r.From == "ann" {
			t.Fatalf("%+v is blamed on somebody who did not lie", r)
		}
	}
	for _, e := range nodetest.Call(n, audit.Query, audit.QueryRequest{Kind: "audit_forked"}).Entries {
		seen[told{e.Event, e.Actor}]++
	}
	return seen
}

// otherLies are about what no statement is.
var otherLies = map[string]struct {
	tell    func(l *liar)
	counted told
}{
	"gossip changed on its way": {func(l *liar) {
		sealed, err := l.Mesh.SealGossip([]byte{shoutHeads})
		nodetest.Must(l.w.t, err)
		sealed[len(sealed)-1] ^= 1
		nodetest.Must(l.w.t, l.Gossip.Shout(l.w.t.Context(), sealed))
	}, told{"gossip", "eve"}},
	"heads that are none": {func(l *liar) { l.shout(shoutHeads, []byte("no heads")) }, told{"heads", "eve"}},
	"a letter that is none": {func(l *liar) {
		l.posts(renegade.Keys{}, []byte("no letter"))
	}, told{"letter", "eve"}},
	"a letter for an address that its message has not": {func(l *liar) {
		w := l.fresh()
		l.posts(renegade.Keys{}, said(w.writes(w.message), 1).Pack())
	}, told{"message", "eve"}},
	"a session that does not consent": {func(l *liar) {
		theirs, _ := l.Mesh.Attest(l.w.session.pub, "ana", trust.AllRights)
		l.card(func(b *roster.Beacon) {
			b.Cards = []roster.Card{{
				Attest: theirs, Status: status.Mark{Value: status.Idle}, Opened: b.Clock, Consent: bytes.Repeat([]byte{1}, 64),
			}}
		})
	}, told{"session", "eve"}},
	"a session by a clock of next week": {func(l *liar) {
		theirs, _ := l.Mesh.Attest(l.w.session.pub, "ana", trust.AllRights)
		l.card(func(b *roster.Beacon) {
			b.Clock = b.Clock.Add(7 * 24 * time.Hour)
			b.Cards = []roster.Card{{Attest: theirs, Status: status.Mark{Value: status.Idle}, Opened: b.Clock}}
		})
	}, told{"session", "eve"}},
}

// usesAnInviteTwice has two join by an invite for one.
func (l *liar) usesAnInviteTwice(ana *nodetest.Node, link string) {
	l.w.t.Helper()
	zoe, yan := nodetest.Start(l.w.t, "zoe"), nodetest.Start(l.w.t, "yan")
	zoe.Join(link)
	zoe.Stop()
	ana.Wait("in a mesh of six", func() bool { return len(believes(ana).Members) == 6 })
	was := nodetest.Call(ana, audit.Query, audit.QueryRequest{}).Refused["claim"]
	if _, err := mesh.Join.Call(l.w.t.Context(), yan.Ops(), nodetest.User(), mesh.JoinRequest{Link: link}); err == nil {
		l.w.t.Error("an invite for one was used twice")
	}
	if now := nodetest.Call(ana, audit.Query, audit.QueryRequest{}).Refused["claim"]; now <= was {
		l.w.t.Error("that an invite was used twice is not counted")
	}
}

// inDoctor runs the doctor, who names the liars and what was refused.
func inDoctor(t *testing.T, n *nodetest.Node) {
	t.Helper()
	env := map[string]string{"CLAUDEMESH_CONFIG_DIR": n.Dir, "HOME": t.TempDir()}
	var out, stderr bytes.Buffer
	cli.Main(t.Context(), cli.Env{
		Args: []string{"doctor", "--json"}, In: strings.NewReader(""), Out: &out, Err: &stderr, Version: "test",
		Getenv: func(name string) string { return env[name] }, Environ: func() []string { return nil },
	})
	var found struct{ Checks []doctor.Result }
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("%v: %s%s", err, out.Bytes(), stderr.Bytes())
	}
	i := slices.IndexFunc(found.Checks, func(r doctor.Result) bool { return r.Check == "refused" })
	if i < 0 || found.Checks[i].Status != doctor.Warn {
		t.Fatalf("the doctor says %s", out.Bytes())
	}
	text := mustJSON(t, found.Checks[i])
	want := []string{"things of eve in team refused", "of bob in team refused"}
	for reason := range nodetest.Call(n, audit.Query, audit.QueryRequest{}).Refused {
		want = append(want, reason+" ")
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("the doctor does not say %q: %s", part, text)
		}
	}
}
