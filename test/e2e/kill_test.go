package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// killPlan says how long the kill test is.
type killPlan struct {
	kills int
	limit time.Duration // for the kills
}

// settleLimit is how long everything may take to arrive once nobody is killed any
// more: twice what an entry is held back for one before it.
const settleLimit = 20 * time.Second

func plan() killPlan {
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		return killPlan{kills: 200, limit: 9 * time.Minute}
	}
	return killPlan{kills: 24, limit: 60 * time.Second}
}

// seed is that of the environment, or a new one. It is printed with the test.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("CLAUDEMESH_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CLAUDEMESH_SEED: %v", err)
		}
	}
	t.Logf("replay with CLAUDEMESH_SEED=%d", n)
	return n
}

// Messages flow both ways while nodes and MCP servers are killed at random
// points. Of those acknowledged to the sender none is lost, none reaches a
// session twice, and delivered is only said of what the recipient has.
func TestKills(t *testing.T) {
	t.Parallel()
	p := plan()
	ctx := within(t, p.limit)
	n := seed(t)
	_, anaHome, boHome := pair(ctx, t)
	f := &flow{news: make(chan struct{}, 1)}
	ana, bo := newSide(t, f, anaHome), newSide(t, f, boHome)
	ana.other, bo.other = bo, ana
	for _, s := range []*side{ana, bo} {
		if err := s.begin(ctx); err != nil {
			t.Fatal(err)
		}
	}

	working, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	for i, s := range []*side{ana, bo} {
		for j, do := range []func(context.Context, *rand.Rand){s.send, s.pull, s.look} {
			random := rand.New(rand.NewPCG(n, uint64(10*i+j+1)))
			work.Go(func() { do(working, random) })
		}
	}
	err := f.kill(ctx, p.kills, rand.New(rand.NewPCG(n, 0)), ana, bo)
	stop()
	work.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*side{ana, bo} {
		work.Go(func() {
			if err := s.finish(within(t, settleLimit)); err != nil {
				t.Errorf("%s: %v", s.home.Name, err)
			}
		})
	}
	work.Wait()
	for _, s := range []*side{ana, bo} {
		s.judge(t)
		t.Log(s.summary())
	}
	t.Logf("%d kills: %v", p.kills, f.victims)
}

// flow counts what happens, so that kills are spread over the work.
type flow struct {
	news chan struct{}

	mu      sync.Mutex // guards what follows
	events  int
	victims map[string]int
}

// happened counts an event.
func (f *flow) happened() {
	f.mu.Lock()
	f.events++
	f.mu.Unlock()
	select {
	case f.news <- struct{}{}:
	default:
	}
}

func (f *flow) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events
}

// wait waits for that many events or that long, whichever is first.
func (f *flow) wait(ctx context.Context, events int, most time.Duration) {
	until := f.count() + events
	timer := time.NewTimer(most)
	defer timer.Stop()
	for f.count() < until {
		select {
		case <-f.news:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// kill kills, and starts again, at points that random chooses.
func (f *flow) kill(ctx context.Context, kills int, random *rand.Rand, ana, bo *side) error {
	f.victims = map[string]int{}
	for range kills {
		// Sometimes in the midst of a burst, sometimes in peace, and now and then
		// with all MCP servers past their grace.
		f.wait(ctx, 1+random.IntN(60), time.Duration(random.IntN(500))*time.Millisecond)
		if random.IntN(6) == 0 {
			f.wait(ctx, 1000, 2*time.Second+time.Duration(random.IntN(800))*time.Millisecond)
		}
		s := []*side{ana, bo}[random.IntN(2)]
		what, strike := "node of "+s.home.Name, s.killNode
		switch random.IntN(10) {
		case 0, 1, 2:
			what, strike = "mcp of "+s.home.Name, s.killAgent
		case 3:
			what, strike = "all of "+s.home.Name, s.killBoth
		case 4:
			what, strike = "both nodes", func(ctx context.Context, random *rand.Rand) error {
				s.other.home.Kill()
				if err := s.killNode(ctx, random); err != nil {
					return err
				}
				return s.other.home.Start(ctx)
			}
		case 5:
			what, strike = "starting node of "+s.home.Name, s.killStarting
		}
		f.victims[what]++
		if err := strike(ctx, random); err != nil {
			return err
		}
	}
	return nil
}
