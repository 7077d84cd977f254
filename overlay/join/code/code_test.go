package code

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a node that gives out codes.
type host struct {
	t    *testing.T
	book *Book
	mu   sync.Mutex
	over []ident.PublicKey
	wg   sync.WaitGroup
}

func newHost(t *testing.T) *host {
	h := &host{t: t}
	began := time.Now()
	h.book = NewBook(Config{
		Mono: func() time.Duration { return time.Since(began) },
		Over: func(_ context.Context, inv ident.PublicKey) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.over = append(h.over, inv)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(h.wg.Wait)
	return h
}

func (h *host) ended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.over)
}

func (h *host) offer() (Code, invite.Secret) {
	secret, err := invite.NewSecret()
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := h.book.Offer(secret)
	if err != nil {
		h.t.Fatal(err)
	}
	return c, secret
}

func (h *host) outcome(c Code) Outcome {
	s, err := h.book.Status(c.Plate)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Outcome
}

// serve answers one stream whose other end has proved to be peer.
func (h *host) serve(s net.Conn, peer string) {
	h.wg.Go(func() {
		defer s.Close()
		conn := wire.NewConn(s)
		_ = s.SetDeadline(time.Now().Add(frameFor))
		first, err := conn.ReadFrame(MaxFrame)
		if err == nil && Begins(first) {
			_ = h.book.Serve(h.t.Context(), s, conn, first, Ends{Joiner: []byte(peer), Admitter: []byte("ana")})
		}
	})
}

// dial opens a stream to the host from a peer.
func (h *host) dial(peer string) (net.Conn, *wire.Conn) {
	near, far := net.Pipe()
	h.serve(far, peer)
	h.t.Cleanup(func() { near.Close() })
	return near, wire.NewConn(near)
}

// redeem tries a code as a peer that takes the host for admitter.
func (h *host) redeem(c Code, peer, admitter string) (invite.Secret, error) {
	s, conn := h.dial(peer)
	defer s.Close()
	return Redeem(s, conn, c, Ends{Joiner: []byte(peer), Admitter: []byte(admitter)})
}

// other is the same code with another first word.
func other(c Code) Code {
	for _, w := range list() {
		if w != c.words[0] {
			c.words[0] = w
			return c
		}
	}
	return c
}

func TestTheRightCode(t *testing.T) {
	h := newHost(t)
	c, want := h.offer()
	s, conn := h.dial("bo")
	if err := Look(s, conn, c.Plate); err != nil {
		t.Fatal(err)
	}
	got, err := Redeem(s, conn, c, Ends{Joiner: []byte("bo"), Admitter: []byte("ana")})
	if err != nil || got != want {
		t.Fatal(err)
	}
	if h.outcome(c) != Given {
		t.Error(h.outcome(c))
	}
	// It is good for one.
	if _, err := h.redeem(c, "eve", "ana"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	h.book.Joined(want.Key().Public(), "bo")
	if st, err := h.book.Wait(t.Context(), c.Plate, Given); err != nil || st.Outcome != Joined || st.Name != "bo" {
		t.Errorf("%+v, %v", st, err)
	}
	if h.ended() != 0 {
		t.Error("its invite was ended")
	}
}

func TestOneWrongGuessBurnsIt(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	if _, err := h.redeem(other(c), "bo", "ana"); !errors.Is(err, ErrWrong) {
		t.Fatal(err)
	}
	h.wg.Wait()
	if h.outcome(c) != Burnt || h.ended() != 1 {
		t.Error(h.outcome(c), h.ended())
	}
	if _, err := h.redeem(c, "bo", "ana"); !errors.Is(err, ErrUnknown) {
		t.Error("the right code after a wrong one:", err)
	}
}

func TestAnotherPlateIsNobodys(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	wrong := c
	wrong.Plate = c.Plate%MaxPlate + 1
	s, conn := h.dial("bo")
	if err := Look(s, conn, wrong.Plate); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := h.redeem(wrong, "bo", "ana"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if h.outcome(c) != Waiting {
		t.Error(h.outcome(c))
	}
}

// Somebody in the middle passes everything on between two nodes that have the right
// code. Both have proved other ids to it than to each other, so the passwords differ.
func TestAManInTheMiddle(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	near, mallory := net.Pipe()
	up, far := net.Pipe()
	h.serve(far, "mallory")
	var wg sync.WaitGroup
	wg.Go(func() { defer up.Close(); _, _ = io.Copy(up, mallory) })
	wg.Go(func() { defer mallory.Close(); _, _ = io.Copy(mallory, up) })
	_, err := Redeem(near, wire.NewConn(near), c, Ends{Joiner: []byte("bo"), Admitter: []byte("mallory")})
	if !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
	near.Close()
	wg.Wait()
	h.wg.Wait()
	if h.outcome(c) != Burnt {
		t.Error(h.outcome(c))
	}
}

// Somebody who pretends to be the inviter, without the words, is found out and learns
// nothing but that its one guess was wrong.
func TestAnImpostor(t *testing.T) {
	c, err := Make(7)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(x point, mac [macSize]byte) message{
		"another word": func(point, [macSize]byte) message {
			return message{kind: kindSecret, mac: [macSize]byte{1}, sealed: make([]byte, sealedSize)}
		},
		"the joiner's own MAC": func(_ point, mac [macSize]byte) message {
			return message{kind: kindSecret, mac: mac, sealed: make([]byte, sealedSize)}
		},
	} {
		near, far := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			defer far.Close()
			conn := wire.NewConn(far)
			m, err := read(far, conn, time.Now().Add(frameFor))
			if err != nil {
				return
			}
			y, _, err := reply(other(c), Ends{Joiner: []byte("bo"), Admitter: []byte("eve")}, m.point)
			if err != nil {
				return
			}
			x := m.point
			_ = send(conn, message{kind: kindAnswer, point: y})
			if m, err = read(far, conn, time.Now().Add(frameFor)); err == nil {
				_ = send(conn, answer(x, m.mac))
			}
		})
		_, err := Redeem(near, wire.NewConn(near), c, Ends{Joiner: []byte("bo"), Admitter: []byte("eve")})
		near.Close()
		wg.Wait()
		if !errors.Is(err, ErrImpostor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two at once: while one attempt runs the other is told to wait; then it is too late.
func TestTwoAtOnce(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	s, conn := h.dial("bo")
	p, x, err := begin(c, Ends{Joiner: []byte("bo"), Admitter: []byte("ana")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ask(s, conn, message{kind: kindStart, plate: c.Plate, point: x})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.redeem(c, "cy", "ana"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	k, err := finish(c, Ends{Joiner: []byte("bo"), Admitter: []byte("ana")}, p, x, m.point)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = ask(s, conn, message{kind: kindConfirm, mac: k.joiner}); err != nil || m.mac != k.admitter {
		t.Error(err)
	}
	if _, err := h.redeem(c, "cy", "ana"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// Frames of an attempt that worked are worth nothing in the next.
func TestReplay(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	ends := Ends{Joiner: []byte("bo"), Admitter: []byte("ana")}
	s, conn := h.dial("bo")
	p, x, err := begin(c, ends)
	if err != nil {
		t.Fatal(err)
	}
	start := message{kind: kindStart, plate: c.Plate, point: x}
	m, err := ask(s, conn, start)
	if err != nil {
		t.Fatal(err)
	}
	k, err := finish(c, ends, p, x, m.point)
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // the attempt is broken off before its MAC is sent
	h.wg.Wait()
	if h.outcome(c) != Waiting {
		t.Fatal(h.outcome(c))
	}
	s, conn = h.dial("bo")
	if _, err = ask(s, conn, start); err != nil {
		t.Fatal(err)
	}
	if _, err = ask(s, conn, message{kind: kindConfirm, mac: k.joiner}); !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
}

func TestTenStarts(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	for i := range MaxStarts {
		if got := h.outcome(c); got != Waiting {
			t.Fatalf("after %d starts: %s", i, got)
		}
		s, conn := h.dial("bo")
		_, x, err := begin(other(c), Ends{Joiner: []byte("bo"), Admitter: []byte("ana")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(s, conn, message{kind: kindStart, plate: c.Plate, point: x}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		h.wg.Wait()
	}
	if h.outcome(c) != Burnt || h.ended() != 1 {
		t.Error(h.outcome(c), h.ended())
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		c, _ := h.offer()
		// Whoever starts and says no more holds the others up for a while only.
		s, conn := h.dial("bo")
		_, x, err := begin(c, Ends{Joiner: []byte("bo"), Admitter: []byte("ana")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(s, conn, message{kind: kindStart, plate: c.Plate, point: x}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(overAfter + time.Second)
		synctest.Wait()
		if h.outcome(c) != Waiting {
			t.Error(h.outcome(c))
		}
		began := time.Now()
		st, err := h.book.Wait(t.Context(), c.Plate, Waiting)
		if err != nil || st.Outcome != Expired || time.Since(began) > Lasts {
			t.Errorf("%+v, %v after %s", st, err, time.Since(began))
		}
		if _, err := h.redeem(c, "bo", "ana"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		// A wait ends with its context.
		c, _ = h.offer()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if st, err := h.book.Wait(ctx, c.Plate, Waiting); err != nil || st.Outcome != Waiting || st.Left != 9*time.Minute {
			t.Errorf("%+v, %v", st, err)
		}
		if _, ok := h.book.Withdraw(c.Plate); !ok || h.outcome(c) != Withdrawn {
			t.Error(h.outcome(c))
		}
		if _, ok := h.book.Withdraw(c.Plate); ok {
			t.Error("withdrawn twice")
		}
	})
}

func TestManyCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		plates := map[int]bool{}
		for range MaxOpen {
			c, _ := h.offer()
			plates[c.Plate] = true
		}
		if len(plates) != MaxOpen {
			t.Error(plates)
		}
		if _, err := h.book.Offer(invite.Secret{}); !errors.Is(err, ErrTooMany) {
			t.Error(err)
		}
		time.Sleep(2*Lasts + time.Second)
		h.offer()
		if n := len(h.book.offers); n != 1 {
			t.Errorf("%d codes are kept", n)
		}
	})
}
