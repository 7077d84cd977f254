package week

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale is how much is tested.
func scale() (length time.Duration, nodes, agents int) {
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		return 7 * 24 * time.Hour, 5, 3
	}
	return 2 * 24 * time.Hour, 3, 2
}

func seed(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("CLAUDEMESH_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return rand.Uint64()
}

// Bug catalogue, lines 20 and 21: nobody vanishes after half a day, when a clock
// jumps by days, or when any node restarts under running sessions. Every attestation
// is renewed in time, and who is away for less than its grace neither leaves nor
// comes.
func TestNobodyVanishesWithinAWeek(t *testing.T) {
	s := seed(t)
	t.Logf("CLAUDEMESH_SEED=%d", s)
	synctest.Test(t, func(t *testing.T) {
		length, nodes, agents := scale()
		w := newWorld(t, s, nodes, agents)
		plan := rand.New(rand.NewPCG(s, 2))
		rest := func(least, most time.Duration) { time.Sleep(least + time.Duration(plan.Int64N(int64(most-least)))) }
		rest(time.Minute, 2*time.Minute)
		w.complete(agents)
		outages, happened := 0, map[string]int{}
		for time.Since(w.began) < length {
			rest(5*time.Minute, time.Hour)
			n := w.nodes[plan.IntN(len(w.nodes))]
			what := plan.IntN(6)
			switch what {
			case 0, 1:
				n.down()
				rest(time.Second, time.Minute)
				n.up()
			case 2:
				for _, one := range w.nodes {
					one.down()
				}
				rest(time.Second, time.Minute)
				for _, one := range w.nodes {
					one.up()
				}
			case 3:
				n.jump(time.Duration(plan.Int64N(int64(10*24*time.Hour))) - 5*24*time.Hour)
			case 4:
				other := w.nodes[(plan.IntN(len(w.nodes)-1)+1+index(w, n))%len(w.nodes)]
				w.part(n, other, true)
				rest(time.Second, time.Minute)
				w.part(n, other, false)
			case 5:
				outages++
				n.down()
				rest(5*time.Minute, 20*time.Minute)
				n.up()
			}
			happened[[]string{"restart", "restart", "restart of all", "clock jump", "lost connection", "outage"}[what]]++
			time.Sleep(3 * time.Minute)
			w.complete(agents)
		}
		w.close()
		w.report(outages, agents, happened)
	})
}

func index(w *world, n *node) int {
	for i, one := range w.nodes {
		if one == n {
			return i
		}
	}
	return -1
}

// complete fails the test unless every node sees every session of every other
// online. Single beacons may have been lost, so it has some time.
func (w *world) complete(agents int) {
	w.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for _, n := range w.nodes {
		for {
			missing := n.missing(agents)
			if missing == "" {
				break
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("after %v %s sees %s", time.Since(w.began), n.name, missing)
			}
			time.Sleep(time.Second)
		}
	}
}

// missing tells who is not online here.
func (n *node) missing(agents int) string {
	peers := n.peers()
	for _, other := range n.nodes {
		if other == n {
			continue
		}
		for i := range agents {
			name := fmt.Sprintf("%s-agent-%d", other.name, i)
			if state := peers[name]; state != "online" {
				return fmt.Sprintf("%s %q of %v, whose clock is off by %v", name, state, peers, time.Until(other.now()).Round(time.Minute))
			}
		}
	}
	return ""
}

// report fails the test if there were more comings and goings than machines that
// were off, or anything that must not be.
func (w *world) report(outages, agents int, happened map[string]int) {
	w.t.Logf("%v: %v; %d attestations", time.Since(w.began).Round(time.Hour), happened, w.fresh)
	for _, n := range w.nodes {
		others := (len(w.nodes) - 1) * agents
		if n.seen.joined != others {
			w.t.Errorf("%s saw %d sessions come, there are %d", n.name, n.seen.joined, others)
		}
		if most := outages * agents; n.seen.left > most || n.seen.returned != n.seen.left {
			w.t.Errorf("%s saw sessions leave %d times and return %d times, at most %d were off", n.name, n.seen.left, n.seen.returned, most)
		}
		// Each agent is told of each other session.
		if n.told["peer_joined"] > agents*others || n.told["peer_left"] > agents*outages*agents || n.told["peer_returned"] > agents*outages*agents {
			w.t.Errorf("the agents of %s were told %v", n.name, n.told)
		}
		w.t.Logf("%s saw %d come, %d leave, %d return; its %d agents were told %v", n.name, n.seen.joined, n.seen.left, n.seen.returned, agents, n.told)
	}
}
