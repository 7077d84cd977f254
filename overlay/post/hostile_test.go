package post

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// script is a stream that gives fixed bytes and keeps what is written.
type script struct {
	in    []byte
	out   []byte
	reset bool
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.in)
	s.in = s.in[n:]
	return n, nil
}
func (s *script) Write(b []byte) (int, error)      { s.out = append(s.out, b...); return len(b), nil }
func (s *script) Close() error                     { return nil }
func (s *script) Reset() error                     { s.reset = true; return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

func frames(all ...[]byte) []byte {
	var b []byte
	for _, f := range all {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	return b
}

// hostile opens a stream to bob as ana would, step by step.
type hostile struct {
	t    testing.TB
	w    *pair
	open open
	ctx  *seal.Sender
}

func newHostile(t testing.TB, w *pair, dir byte, peer Peer, signer *person) *hostile {
	o, ctx, err := newContext(signer, peer, dir, ident.SealPublic(w.bob.seal))
	if err != nil {
		t.Fatal(err)
	}
	return &hostile{t, w, o, ctx}
}

func (h *hostile) first() []byte { return frame(kindOpen, h.open.encode()) }

func (h *hostile) seal(k kind, aad kind, text string) []byte {
	sealed, err := h.ctx.Seal([]byte{byte(aad)}, []byte(text))
	if err != nil {
		h.t.Fatal(err)
	}
	return frame(k, sealed)
}

func (h *hostile) letter(text string) []byte { return h.seal(kindLetter, kindLetter, text) }

// TestHostileOpeners: bob delivers nothing from what does not fit on, and ends the
// stream.
func TestHostileOpeners(t *testing.T) {
	w := newPair(t)
	eve := newPerson(t)
	other := Peer{testMesh, w.bob.key.Public(), ident.ID{8}, ident.ID{9}}
	swapped := Peer{testMesh, w.bob.key.Public(), w.peer.ProofR, w.peer.ProofI}
	wrongMesh := Peer{ident.MeshID{9}, w.bob.key.Public(), w.peer.ProofI, w.peer.ProofR}
	good := func() *hostile { return newHostile(t, w, dirOpener, w.peer, w.ana) }

	for name, c := range map[string]struct {
		make      func() []byte
		delivered int
	}{
		"nothing":            {func() []byte { return []byte{1} }, 0},
		"empty frame":        {func() []byte { return frames(nil) }, 0},
		"unknown kind":       {func() []byte { return frames([]byte{9, 1}) }, 0},
		"letter first":       {func() []byte { return frames(good().letter("x")) }, 0},
		"ack first":          {func() []byte { return frames(frame(kindAck, nil)) }, 0},
		"no statement":       {func() []byte { return frames(frame(kindOpen, []byte("xx"))) }, 0},
		"another signer":     {func() []byte { h := newHostile(t, w, dirOpener, w.peer, eve); return frames(h.first(), h.letter("x")) }, 0},
		"another connection": {func() []byte { h := newHostile(t, w, dirOpener, other, w.ana); return frames(h.first(), h.letter("x")) }, 0},
		"proofs swapped": {func() []byte {
			h := newHostile(t, w, dirOpener, swapped, w.ana)
			return frames(h.first(), h.letter("x"))
		}, 0},
		"direction swapped": {func() []byte {
			h := newHostile(t, w, dirAnswerer, w.peer, w.ana)
			return frames(h.first(), h.letter("x"))
		}, 0},
		"statement of another mesh": {func() []byte {
			h := newHostile(t, w, dirOpener, wrongMesh, w.ana)
			return frames(h.first(), h.letter("x"))
		}, 0},
		"bad signature": {func() []byte {
			h := good()
			h.open.statement.Sigs[0][5] ^= 1
			return frames(h.first(), h.letter("x"))
		}, 0},
		"bad delivery statement": {func() []byte { h := good(); h.open.delivery = []byte("x"); return frames(h.first(), h.letter("x")) }, 0},
		"another's delivery statement": {func() []byte {
			eve.publish()
			h := good()
			h.open.delivery = eve.Delivery(testMesh)
			return frames(h.first(), h.letter("x"))
		}, 0},
		"key id of another key": {func() []byte {
			w.bob.publish()
			h := good()
			for id := range w.bob.private {
				if id != h.open.keyID {
					h.open.keyID = id
					break
				}
			}
			return frames(h.first(), h.letter("x"))
		}, 0},
		"unknown key for ever": {func() []byte {
			h := good()
			h.open.keyID[0] ^= 1
			return frames(h.first(), h.letter("x"), h.first(), h.first(), h.first())
		}, 0},
		"more than a window behind an unknown key": {func() []byte {
			h := good()
			h.open.keyID[0] ^= 1
			all := [][]byte{h.first()}
			for range maxBatch + 1 {
				all = append(all, frame(kindLetter, nil))
			}
			return frames(append(all, good().first())...)
		}, 0},
		"open twice":          {func() []byte { h := good(); return frames(h.first(), h.letter("x"), h.first()) }, 1},
		"ack from the opener": {func() []byte { h := good(); return frames(h.first(), h.seal(kindAck, kindAck, "x")) }, 0},
		"letter as receipt":   {func() []byte { h := good(); return frames(h.first(), h.seal(kindReceipt, kindLetter, "x")) }, 0},
		"not sealed":          {func() []byte { h := good(); return frames(h.first(), frame(kindLetter, []byte("in the clear"))) }, 0},
		"oversized": {func() []byte {
			h := good()
			return append(frames(h.first()), binary.AppendUvarint(nil, MaxFrame+1)...)
		}, 0},
		"reordered":      {func() []byte { h := good(); a, b := h.letter("a"), h.letter("b"); return frames(h.first(), b, a) }, 0},
		"repeated":       {func() []byte { h := good(); a := h.letter("a"); return frames(h.first(), a, a) }, 1},
		"one left out":   {func() []byte { h := good(); h.letter("a"); return frames(h.first(), h.letter("b")) }, 0},
		"broken halfway": {func() []byte { h := good(); b := frames(h.first(), h.letter("a"), h.letter("b")); return b[:len(b)-1] }, 1},
	} {
		w.bob.letters, w.bob.batches = nil, nil
		s := &script{in: c.make()}
		w.bob.post.Serve(t.Context(), w.back(), s)
		if len(w.bob.letters) != c.delivered || !s.reset {
			t.Errorf("%s: delivered %d, reset %v", name, len(w.bob.letters), s.reset)
		}
	}
	if _, _, err := w.ana.Public(testMesh, eve.key.Public()); err == nil {
		t.Error("ana knows eve")
	}
}

// TestAnOpenerKeepsToItsWindow: what nobody has acknowledged is not more than a
// window, so that no opener fills bob's memory.
func TestAnOpenerKeepsToItsWindow(t *testing.T) {
	in := &incoming{}
	for n := range maxBatch {
		if err := in.admit(parcel{kindLetter, []byte("x")}); err != nil {
			t.Fatalf("letter %d: %v", n, err)
		}
	}
	if err := in.admit(parcel{kindLetter, []byte("x")}); !errors.Is(err, errBeyond) {
		t.Errorf("one more: %v", err)
	}
	in = &incoming{}
	large := parcel{kindLetter, make([]byte, MaxLetter)}
	for range maxBatchBytes / MaxLetter {
		if err := in.admit(large); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.admit(large); !errors.Is(err, errBeyond) {
		t.Errorf("more bytes: %v", err)
	}
}

// TestAGoodOpenerPassesTheSameScript: the table above fails for its reasons only.
func TestAGoodOpenerPassesTheSameScript(t *testing.T) {
	w := newPair(t)
	h := newHostile(t, w, dirOpener, w.peer, w.ana)
	s := &script{in: frames(h.first(), h.letter("a"), h.seal(kindReceipt, kindReceipt, "seen"), h.letter("b"))}
	w.bob.post.Serve(t.Context(), w.back(), s)
	if s.reset || strings.Join(w.bob.letters, "") != "ab" || strings.Join(w.bob.told, "") != "seen" {
		t.Fatalf("%q %q, reset %v", w.bob.letters, w.bob.told, s.reset)
	}
}

// answerer plays bob's side of one stream.
type answerer struct {
	w    *pair
	conn *wire.Conn
	acks *seal.Sender
	raw  Stream
}

func (a *answerer) send(b []byte) { _ = a.conn.Send(b) }

// open answers with a stream statement that signer makes for peer and dir.
func (a *answerer) open(dir byte, peer Peer, signer *person) {
	o, ctx, err := newContext(signer, peer, dir, ident.SealPublic(a.w.ana.seal))
	if err != nil {
		a.w.t.Error(err)
		return
	}
	a.acks = ctx
	a.send(frame(kindOpen, o.encode()))
}

func (a *answerer) ack(plain []byte) {
	sealed, err := a.acks.Seal([]byte{byte(kindAck)}, plain)
	if err != nil {
		a.w.t.Error(err)
	}
	a.send(frame(kindAck, sealed))
}

// TestHostileAnswerers: ana's stream ends, her letter counts as lost, and no receipt is made up.
func TestHostileAnswerers(t *testing.T) {
	eve := newPerson(t)
	for name, play := range map[string]func(a *answerer){
		"hangs up":        func(a *answerer) { _ = a.raw.Reset() },
		"closes":          func(a *answerer) { _ = a.raw.Close() },
		"empty frame":     func(a *answerer) { a.send(nil) },
		"ack before open": func(a *answerer) { a.send(frame(kindAck, []byte("x"))) },
		"letter":          func(a *answerer) { a.send(frame(kindLetter, []byte("x"))) },
		"other signer":    func(a *answerer) { a.open(dirAnswerer, a.w.back(), eve) },
		"other direction": func(a *answerer) { a.open(dirOpener, a.w.back(), a.w.bob) },
		"other connection": func(a *answerer) {
			a.open(dirAnswerer, Peer{testMesh, a.w.ana.key.Public(), ident.ID{8}, ident.ID{9}}, a.w.bob)
		},
		"open twice": func(a *answerer) {
			a.open(dirAnswerer, a.w.back(), a.w.bob)
			a.open(dirAnswerer, a.w.back(), a.w.bob)
		},
		"unknown after open": func(a *answerer) {
			a.open(dirAnswerer, a.w.back(), a.w.bob)
			a.send(frame(kindUnknown, encodeUnknown(nil)))
		},
		"unknown for ever": func(a *answerer) {
			for range maxTries + 1 {
				a.w.bob.publish()
				a.send(frame(kindUnknown, encodeUnknown(a.w.bob.Delivery(testMesh))))
			}
		},
		"unknown with eve's key": func(a *answerer) {
			eve.publish()
			a.send(frame(kindUnknown, encodeUnknown(eve.Delivery(testMesh))))
		},
		"too much acknowledged": func(a *answerer) { a.open(dirAnswerer, a.w.back(), a.w.bob); a.ack(encodeAck(2, nil)) },
		"nothing acknowledged":  func(a *answerer) { a.open(dirAnswerer, a.w.back(), a.w.bob); a.ack([]byte{0}) },
		"ack not sealed":        func(a *answerer) { a.open(dirAnswerer, a.w.back(), a.w.bob); a.send(frame(kindAck, []byte{1})) },
		"oversized": func(a *answerer) {
			_, _ = a.raw.Write(binary.AppendUvarint(nil, MaxBackFrame+1))
		},
	} {
		w := newPair(t)
		w.serve = func(s Stream) {
			a := &answerer{w: w, conn: wire.NewConn(s), raw: s}
			_, _ = a.conn.ReadFrame(MaxFrame) // open
			_, _ = a.conn.ReadFrame(MaxFrame) // the letter
			play(a)
			_, _ = io.Copy(io.Discard, s)
		}
		w.start()
		if err := w.try(t.Context(), "x"); err != nil && !errors.Is(err, ErrUnreachable) {
			t.Fatalf("%s: %v", name, err)
		}
		w.ana.until(func() bool { return w.ana.lost == 1 })
		if len(w.ana.receipts) > 0 {
			t.Errorf("%s: receipts %q", name, w.ana.receipts)
		}
	}
}

func TestSilenceEndsAStream(t *testing.T) {
	for name, c := range map[string]struct {
		play func(a *answerer)
		end  time.Duration
	}{
		"no answer": {func(*answerer) {}, openTimeout},
		"no ack":    {func(a *answerer) { a.open(dirAnswerer, a.w.back(), a.w.bob) }, ackTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newPair(t)
			w.serve = func(s Stream) {
				a := &answerer{w: w, conn: wire.NewConn(s), raw: s}
				_, _ = a.conn.ReadFrame(MaxFrame)
				_, _ = a.conn.ReadFrame(MaxFrame)
				c.play(a)
				_, _ = io.Copy(io.Discard, s)
			}
			w.start()
			start := time.Now()
			w.send("x")
			w.ana.until(func() bool { return w.ana.lost == 1 })
			if took := time.Since(start); took != c.end {
				t.Errorf("%s: ended after %v", name, took)
			}
		})
	}
}

func TestAHalfOpenStreamIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t)
		near, far := newPipe(1 << 20)
		_, _ = near.Write([]byte{200}) // half a length
		start := time.Now()
		w.bob.post.Serve(context.Background(), w.back(), far)
		if took := time.Since(start); took != openTimeout {
			t.Errorf("cut after %v", took)
		}
	})
}

func TestAnIdleOpenerIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t)
		near, far := newPipe(1 << 20)
		h := newHostile(t, w, dirOpener, w.peer, w.ana)
		_, _ = near.Write(frames(h.first()))
		start := time.Now()
		w.bob.post.Serve(context.Background(), w.back(), far)
		if took := time.Since(start); took != streamLife+answererGrace {
			t.Errorf("cut after %v", took)
		}
	})
}

// TestAReaderThatNeverReads: a receiver that takes nothing off the stream cannot hold Send for ever.
func TestAReaderThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t)
		w.buffer = 1000
		end := make(chan struct{})
		w.serve = func(Stream) { <-end }
		w.start()
		start := time.Now()
		letter := strings.Repeat("x", MaxLetter)
		for w.try(t.Context(), letter) == nil {
		}
		if took := time.Since(start); took > writeTimeout {
			t.Errorf("held for %v", took)
		}
		close(end)
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	w := newPair(t)
	near, far := newPipe(1 << 20)
	h := newHostile(t, w, dirOpener, w.peer, w.ana)
	_, _ = near.Write(frames(h.first()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.bob.post.Serve(ctx, w.back(), far)
}
