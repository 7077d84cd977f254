package code

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

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

func TestParse(t *testing.T) {
	if len(list()) != 2048 || !slices.IsSorted(list()) {
		t.Fatal("the list of words is another one")
	}
	for text, want := range map[string]string{
		"4-otter-harbor": "", "4-actor-zoo": "4-actor-zoo", " 4 Actor ZOO ": "4-actor-zoo", "999-zoo-zoo": "999-zoo-zoo",
		"4-actor-zoo@192.168.1.2:4001": "4-actor-zoo", "4-actor": "", "0-actor-zoo": "", "1000-actor-zoo": "", "-4-actor-zoo": "4-actor-zoo",
		"4-actor-zoo-zoo": "", "": "", "4-actor-z00": "", "a-actor-zoo": "", strings.Repeat("4", 80): "",
	} {
		c, at, err := Parse(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q: %s", text, c.Text())
		case want != "" && (err != nil || c.Text() != want):
			t.Errorf("%q: %s, %v", text, c.Text(), err)
		case strings.Contains(text, "@") && at != "192.168.1.2:4001":
			t.Errorf("%q: at %q", text, at)
		}
	}
	for text, want := range map[string]bool{
		"4-otter-harbor": true, "4-nosuch-word": true, "claudemesh://join/AQ": false, "first-light": false, "peers": false, "4-a-b@1.2.3.4:1": true,
	} {
		if Looks(text) != want {
			t.Errorf("%q looks like a code: %v", text, !want)
		}
	}
	if _, _, err := Parse("4-actors-zoo"); !errors.Is(err, ErrWord) || !strings.Contains(err.Error(), "actor?") {
		t.Error(err)
	}
	c, err := Make(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q", c, c, c, c), c.LogValue().String()} {
		if strings.Contains(text, c.words[0]) {
			t.Errorf("%q shows the words", text)
		}
	}
}

func TestExchange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Code {
			word := rapid.SampledFrom(list()[:4])
			return Code{Plate: rapid.IntRange(1, 3).Draw(t, name), words: [2]string{word.Draw(t, name), word.Draw(t, name)}}
		}
		ids := func(name string) Ends {
			id := rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 2)
			return Ends{Joiner: id.Draw(t, name), Admitter: id.Draw(t, name)}
		}
		a, b, endsA, endsB := draw("a"), draw("b"), ids("ends a"), ids("ends b")
		p, x, err := begin(a, endsA)
		if err != nil {
			t.Fatal(err)
		}
		y, kb, err := reply(b, endsB, x)
		if err != nil {
			t.Fatal(err)
		}
		ka, err := finish(a, endsA, p, x, y)
		if err != nil {
			t.Fatal(err)
		}
		same := a == b && bytes.Equal(endsA.Joiner, endsB.Joiner) && bytes.Equal(endsA.Admitter, endsB.Admitter)
		if (ka == kb) != same || ka.joiner == ka.admitter || (ka.joiner == kb.joiner) != same {
			t.Fatalf("%s %s: same keys %v", a.Text(), b.Text(), ka == kb)
		}
	})
}

func TestPointsThatAreNone(t *testing.T) {
	_, good, err := begin(Code{Plate: 1}, Ends{})
	if err != nil {
		t.Fatal(err)
	}
	field := append([]byte{4}, bytes.Repeat([]byte{255}, 64)...) // not reduced
	for name, raw := range map[string][]byte{
		"nothing": nil, "short": good[:64], "long": append(good[:], 0), "infinity": {0}, "padded infinity": make([]byte, 65),
		"zeros": append([]byte{4}, make([]byte, 64)...), "not reduced": field,
		"compressed": append([]byte{2}, good[1:33]...), "off the curve": append(bytes.Clone(good[:64]), good[64]^1),
	} {
		if _, err := readPoint(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		var f ident.Fields
		f.Uint(fieldPlate, 1)
		f.Bytes(fieldPoint, raw)
		if _, err := decode(append([]byte{byte(kindStart)}, f.Body()...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s in a frame: %v", name, err)
		}
	}
}

// Whatever a stranger sends, the host answers or ends the stream, and the code stands.
func TestMalformedStreams(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	_, x, err := begin(c, Ends{})
	if err != nil {
		t.Fatal(err)
	}
	start := message{kind: kindStart, plate: c.Plate, point: x}.encode()
	for name, frames := range map[string][][]byte{
		"empty frame":           {{}},
		"confirm at once":       {message{kind: kindConfirm}.encode()},
		"cut start":             {start[:len(start)-1]},
		"longer start":          {append(bytes.Clone(start), 0)},
		"plate 0":               {message{kind: kindStart, point: x}.encode()},
		"plate 1000":            {message{kind: kindLook, plate: 1000}.encode()},
		"start twice":           {start, start},
		"too large a frame":     {start, make([]byte, MaxFrame+1)},
		"unknown kind":          {start, {99}},
		"looks without end":     slices.Repeat([][]byte{message{kind: kindLook, plate: c.Plate}.encode()}, maxLooks+1),
		"refusal from a joiner": {start, message{kind: kindRefused, why: saysWrong}.encode()},
	} {
		s, conn := h.dial("eve")
		go io.Copy(io.Discard, s) //nolint:errcheck // ends with the stream
		for _, f := range frames {
			_ = conn.Send(f)
		}
		s.Close()
		h.wg.Wait()
		if got := h.outcome(c); got != Waiting {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := h.redeem(c, "bo", "ana"); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	_, x, err := begin(Code{Plate: 1}, Ends{})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []message{
		{kind: kindLook, plate: 4}, {kind: kindHere, plate: 4}, {kind: kindStart, plate: 4, point: x}, {kind: kindAnswer, point: x},
		{kind: kindConfirm}, {kind: kindSecret, sealed: make([]byte, sealedSize)}, {kind: kindRefused, why: saysBusy},
	} {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decode(raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := decode(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"4-otter-harbor", "4-actor-zoo@1.2.3.4:5", " 12 ACTOR zoo", "0--", "@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrCode) && !errors.Is(err, ErrWord) {
				t.Fatal(err)
			}
			return
		}
		if again, at, err := Parse(c.Text()); err != nil || again != c || at != "" || !Looks(text) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
