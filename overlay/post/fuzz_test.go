package post

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

func sampleOpen(tb testing.TB) open {
	k, err := ident.NewPrivateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return open{[32]byte{1}, ident.Sign(ident.KindStream, testMesh, []byte("body"), k), []byte("delivery")}
}

func TestOpenSurvivesTheWire(t *testing.T) {
	o := sampleOpen(t)
	got, err := decodeOpen(o.encode())
	if err != nil || !bytes.Equal(got.encode(), o.encode()) {
		t.Fatal(err)
	}
	d, err := decodeUnknown(encodeUnknown([]byte("x")))
	if err != nil || string(d) != "x" {
		t.Fatal(err)
	}
}

func TestAcksSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, maxBatch).Draw(t, "count")
		receipt := rapid.SliceOf(rapid.Byte()).Draw(t, "receipt")
		n, r, err := decodeAck(encodeAck(count, receipt))
		if err != nil || n != count || !bytes.Equal(r, receipt) {
			t.Fatal(n, r, err)
		}
	})
}

func FuzzDecodeOpen(f *testing.F) {
	f.Add(sampleOpen(f).encode())
	f.Add([]byte{2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeOpen(b)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Fatal(err)
			}
			return
		}
		if again, err := decodeOpen(o.encode()); err != nil || !bytes.Equal(again.encode(), o.encode()) {
			t.Fatal("does not survive", err)
		}
	})
}

func FuzzDecodeUnknown(f *testing.F) {
	f.Add(encodeUnknown([]byte("delivery")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeUnknown(b); err == nil && len(d) > maxStatement {
			t.Fatal(len(d))
		}
	})
}

func FuzzDecodeAck(f *testing.F) {
	f.Add(encodeAck(256, []byte("receipt")))
	f.Add([]byte{0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, r, err := decodeAck(b)
		if err == nil && !bytes.Equal(encodeAck(n, r), b) {
			t.Fatalf("%d %x", n, r)
		}
	})
}

// FuzzServe feeds whole streams to the answerer, as an opener that knows the keys.
func FuzzServe(f *testing.F) {
	w := newPair(f)
	h := newHostile(f, w, dirOpener, w.peer, w.ana)
	f.Add(frames(h.first(), h.letter("a")))
	h.open.keyID[0] ^= 1
	f.Add(frames(h.first(), frame(kindLetter, nil), h.first()))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		w.bob.post.Serve(context.Background(), w.back(), &script{in: b})
	})
}

// FuzzAnswers feeds whole answers to the opener's reader.
func FuzzAnswers(f *testing.F) {
	w := newPair(f)
	o, ctx, err := newContext(w.bob, w.back(), dirAnswerer, ident.SealPublic(w.ana.seal))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := ctx.Seal([]byte{byte(kindAck)}, encodeAck(1, []byte("got")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frames(frame(kindOpen, o.encode()), frame(kindAck, sealed)))
	f.Add(frames(frame(kindUnknown, encodeUnknown(nil))))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &lane{post: w.ana.post, to: address{testMesh, w.bob.key.Public()}, turn: make(chan struct{}, 1)}
		out := newOutgoing(l, &script{in: b}, w.peer)
		if err := out.begin(); err != nil {
			t.Fatal(err)
		}
		if err := out.put(context.Background(), kindLetter, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := out.read(context.Background()); err == nil {
			t.Fatal("read ended without an error")
		}
	})
}
