package post

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

func TestLettersArriveInOrderAndReceiptsComeBack(t *testing.T) {
	w := newPair(t).start()
	for i := range 50 {
		w.send(fmt.Sprint(i))
	}
	got := w.arrived(50)
	for i, l := range got {
		if l != fmt.Sprint(i) {
			t.Fatalf("letter %d is %q", i, l)
		}
	}
	w.ana.until(func() bool { return slices.Contains(w.ana.receipts, "got 49") })
	if w.streams() != 1 {
		t.Fatalf("%d streams", w.streams())
	}
}

func TestTheFirstStreamUsesAndSpreadsDeliveryKeys(t *testing.T) {
	w := newPair(t)
	w.ana.publish()
	w.bob.publish()
	if err := w.ana.Learn(testMesh, w.bob.key.Public(), w.bob.Delivery(testMesh)); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.send("hello")
	w.ana.until(func() bool { return len(w.ana.receipts) == 1 })
	k := w.bob.known[w.ana.key.Public()]
	if len(k.delivery) == 0 || w.ana.known[w.bob.key.Public()].seq != 1 {
		t.Fatal("delivery keys were not exchanged")
	}
}

// TestTheLargestLetterFits computes the bound: 80 KiB less the kind and the tag.
func TestTheLargestLetterFits(t *testing.T) {
	k := newKey(t)
	_, s, err := seal.NewSender(ident.SealPublic(k), nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal([]byte{byte(kindLetter)}, make([]byte, MaxLetter))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(frame(kindLetter, sealed)); n != MaxFrame {
		t.Fatalf("frame of %d bytes, want %d", n, MaxFrame)
	}
	if MaxLetter != 81903 || MaxLetter < 64<<10+15<<10 {
		t.Fatalf("MaxLetter is %d: a body of 64 KiB needs 15 KiB beside it", MaxLetter)
	}
	ack, err := s.Seal(nil, encodeAck(maxBatch, make([]byte, MaxReceipt)))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(frame(kindAck, ack)); n > MaxBackFrame || n < MaxBackFrame-1 {
		t.Fatalf("ack of %d bytes, want at most %d", n, MaxBackFrame)
	}
	w := newPair(t).start()
	big := strings.Repeat("x", MaxLetter)
	w.send(big)
	if got := w.arrived(1); got[0] != big {
		t.Fatal("another letter arrived")
	}
	if err := w.try(t.Context(), "small", big+"x"); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if err := w.ana.post.SendReceipt(t.Context(), testMesh, w.bob.key.Public(), []byte(big+"x")); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestReceiptsCanBePosted(t *testing.T) {
	w := newPair(t).start()
	w.send("one")
	if err := w.ana.post.SendReceipt(t.Context(), testMesh, w.bob.key.Public(), []byte("seen")); err != nil {
		t.Fatal(err)
	}
	w.bob.until(func() bool { return slices.Equal(w.bob.told, []string{"seen"}) })
	w.arrived(1)
}

// blockDelivery makes bob's Deliver wait; release lets it go on, for good.
func (w *pair) blockDelivery() (blocked <-chan struct{}, release func()) {
	first, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.bob.deliver = func([][]byte) ([]byte, error) {
		once.Do(func() { close(first) })
		<-gate
		return nil, nil
	}
	return first, func() { close(gate) }
}

func TestLettersThatWaitAreDeliveredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t)
		blocked, release := w.blockDelivery()
		w.start()
		w.send("first")
		<-blocked
		for range 40 {
			w.send("more")
		}
		synctest.Wait() // until all have been read
		release()
		w.arrived(41)
		w.bob.mu.Lock()
		defer w.bob.mu.Unlock()
		if !slices.Equal(w.bob.batches, []int{1, 40}) {
			t.Fatalf("batches %v", w.bob.batches)
		}
		w.ana.until(func() bool { return len(w.ana.receipts) == 2 })
	})
}

func TestAFullWindowMakesSendWait(t *testing.T) {
	for name, c := range map[string]struct{ size, room int }{
		"letters": {1, maxBatch},
		"bytes":   {MaxLetter, maxBatchBytes / MaxLetter},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newPair(t)
			w.buffer = 64 << 20
			_, release := w.blockDelivery()
			w.start()
			letter := strings.Repeat("x", c.size)
			for range c.room {
				w.send(letter)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := w.try(ctx, letter); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%s: %v", name, err)
			}
			release()
			w.send(letter)
			if n := len(w.arrived(c.room + 1)); n != c.room+1 {
				t.Fatalf("%s: %d letters", name, n)
			}
		})
	}
}

func TestSendFailsWithoutAPath(t *testing.T) {
	w := newPair(t).start()
	w.err = errOffline
	if err := w.try(t.Context(), "x"); !errors.Is(err, ErrUnreachable) || !errors.Is(err, errOffline) {
		t.Fatal(err)
	}
	w.err = nil
	w.peer.Member = w.ana.key.Public()
	if err := w.try(t.Context(), "x"); !errors.Is(err, ErrUnreachable) || !errors.Is(err, errWrongEnd) {
		t.Fatal(err)
	}
	if n := len(w.ana.post.lanes); n != 0 {
		t.Fatalf("%d lanes left", n)
	}
}

func TestSendFailsWhenNotRunning(t *testing.T) {
	w := newPair(t)
	if err := w.try(t.Context(), "x"); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.ana.post.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := w.try(t.Context(), "x"); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
}

// TestABrokenStreamIsToldAndReplaced: unacknowledged letters are reported, the next Send opens anew.
func TestABrokenStreamIsToldAndReplaced(t *testing.T) {
	w := newPair(t)
	blocked, release := w.blockDelivery()
	w.start()
	w.send("one", "two")
	<-blocked
	w.cut()
	w.ana.until(func() bool { return w.ana.lost == 1 })
	release()
	w.send("three")
	w.bob.until(func() bool { return slices.Contains(w.bob.letters, "three") })
	if w.streams() != 2 {
		t.Fatalf("%d streams", w.streams())
	}
}

func TestAFailedDeliveryEndsTheStream(t *testing.T) {
	w := newPair(t)
	w.bob.deliver = func([][]byte) ([]byte, error) { return nil, errors.New("disk full") }
	w.start()
	w.send("one")
	w.ana.until(func() bool { return w.ana.lost == 1 })
	w.bob.deliver = func([][]byte) ([]byte, error) { return make([]byte, MaxReceipt+1), nil }
	w.send("two")
	w.ana.until(func() bool { return w.ana.lost == 2 })
}

func TestASendThatWaitsEndsWithTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t)
		w.buffer = 64 << 20
		_, release := w.blockDelivery()
		w.start()
		for range maxBatch {
			w.send("x")
		}
		failed := make(chan error)
		go func() { failed <- w.try(t.Context(), "one more") }()
		synctest.Wait() // until it waits for room
		w.cut()
		if err := <-failed; !errors.Is(err, ErrUnreachable) {
			t.Error(err)
		}
		release()
	})
}

func TestRunEndsItsStreams(t *testing.T) {
	w := newPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.ana.post.Run(ctx) }()
	for w.try(t.Context(), "x") != nil { // until it runs
	}
	w.arrived(1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.wg.Wait()
}

// TestRenewDrainsBeforeItReplaces: nothing is lost, doubled or overtaken when the admin log changes.
func TestRenewDrainsBeforeItReplaces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newPair(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer w.wg.Wait()
		defer cancel()
		var run sync.WaitGroup
		run.Go(func() { _ = w.ana.post.Run(ctx) })
		defer run.Wait()
		defer cancel()
		for w.try(ctx, "0") != nil {
		}
		n := 1
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if rapid.IntRange(0, 3).Draw(rt, "renew") == 0 {
				w.ana.post.Renew(testMesh)
				continue
			}
			batch := make([]string, rapid.IntRange(1, 5).Draw(rt, "letters"))
			for i := range batch {
				batch[i] = fmt.Sprint(n)
				n++
			}
			if err := w.try(ctx, batch...); err != nil {
				rt.Fatal(err)
			}
		}
		for i, l := range w.arrived(n) {
			if l != fmt.Sprint(i) {
				rt.Fatalf("letter %d is %q", i, l)
			}
		}
	})
}

// TestConcurrentSends: each caller's letters stay together and in order.
func TestConcurrentSends(t *testing.T) {
	w := newPair(t).start()
	const callers, rounds = 16, 40
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range rounds {
				if err := w.try(t.Context(), fmt.Sprintf("%d:%d", c, 2*i), fmt.Sprintf("%d:%d", c, 2*i+1)); err != nil {
					t.Error(err)
				}
				if c == 0 && i%10 == 0 {
					w.ana.post.Renew(testMesh)
				}
			}
		})
	}
	all.Wait()
	next := map[string]int{}
	got := w.arrived(2 * callers * rounds)
	for i, l := range got {
		who, number, _ := strings.Cut(l, ":")
		if number != fmt.Sprint(next[who]) {
			t.Fatalf("letter %d is %q, want number %d", i, l, next[who])
		}
		if next[who]%2 == 1 && !strings.HasPrefix(got[i-1], who+":") {
			t.Fatalf("letters of one call were torn apart at %d", i)
		}
		next[who]++
	}
}

func TestAStreamLastsAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t).start()
		w.send("one")
		time.Sleep(streamLife - time.Second)
		w.send("two")
		if w.streams() != 1 {
			t.Errorf("%d streams before the hour", w.streams())
		}
		time.Sleep(2 * time.Second)
		w.send("three")
		if w.streams() != 2 {
			t.Errorf("%d streams after the hour", w.streams())
		}
		time.Sleep(2 * streamLife)
		synctest.Wait()
		w.ana.post.mu.Lock()
		defer w.ana.post.mu.Unlock()
		if n := len(w.ana.post.lanes); n != 0 {
			t.Errorf("%d lanes after an idle hour", n)
		}
		if w.ana.lost != 0 {
			t.Error("an idle stream counted as lost")
		}
	})
}

// TestUnknownKeys: letters sent behind a statement that the other side cannot open are sent again.
func TestUnknownKeys(t *testing.T) {
	for name, change := range map[string]func(bob *person){
		"erased, a new one is there": func(bob *person) { bob.forget(); bob.publish() },
		"restored, none is there":    func(bob *person) { bob.forget() },
	} {
		w := newPair(t)
		w.ana.publish()
		w.bob.publish()
		if err := w.ana.Learn(testMesh, w.bob.key.Public(), w.bob.Delivery(testMesh)); err != nil {
			t.Fatal(err)
		}
		change(w.bob)
		w.start()
		w.send("one", "two")
		w.send("three")
		if got := w.arrived(3); !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Fatalf("%s: %q", name, got)
		}
		if w.streams() != 1 {
			t.Errorf("%s: %d streams", name, w.streams())
		}
		w.ana.until(func() bool { return slices.Contains(w.ana.receipts, "got three") })
	}
}
