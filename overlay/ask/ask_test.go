package ask

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testMesh = ident.MeshID{1}
	ana      = ident.PublicKey{'a'}
	bob      = ident.PublicKey{'b'}
)

// pipe is one end of an in-memory stream.
type pipe struct{ net.Conn }

func (p pipe) Reset() error { return p.Close() }

// world connects an asker (ana) to a function that plays the other end (bob).
type world struct {
	serve func(Stream)
	peer  Peer
	err   error
	wg    sync.WaitGroup
}

func (w *world) Open(context.Context, ident.MeshID, ident.PublicKey) (Stream, Peer, error) {
	if w.err != nil {
		return nil, Peer{}, w.err
	}
	near, far := net.Pipe()
	w.wg.Go(func() {
		defer far.Close()
		w.serve(pipe{far})
	})
	return pipe{near}, w.peer, nil
}

// newWorld returns an asker whose peer answers with the function given.
func newWorld(t *testing.T, answer func(ctx context.Context, op string, in []byte) ([]byte, error)) (*Asker, *world) {
	w := &world{peer: Peer{testMesh, bob}}
	far := New(Config{Answer: func(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, op string, in []byte) ([]byte, error) {
		if mesh != testMesh || from != ana {
			t.Errorf("asked by %v in %v", from, mesh)
		}
		return answer(ctx, op, in)
	}})
	w.serve = func(s Stream) { far.Serve(context.Background(), Peer{testMesh, ana}, s) }
	t.Cleanup(w.wg.Wait)
	return New(Config{Streams: w}), w
}

func echo(_ context.Context, op string, in []byte) ([]byte, error) {
	return append([]byte(op+":"), in...), nil
}

func TestAskReturnsTheAnswer(t *testing.T) {
	a, _ := newWorld(t, echo)
	for _, in := range []string{"", "x", strings.Repeat("y", 100_000)} {
		out, err := a.Ask(t.Context(), testMesh, bob, "mesh.list", []byte(in))
		if err != nil || string(out) != "mesh.list:"+in {
			t.Fatalf("%d bytes: got %d bytes, %v", len(in), len(out), err)
		}
	}
}

func TestAskCarriesTheLargestBodies(t *testing.T) {
	a, _ := newWorld(t, func(_ context.Context, _ string, in []byte) ([]byte, error) { return in, nil })
	out, err := a.Ask(t.Context(), testMesh, bob, strings.Repeat("o", MaxOp), make([]byte, MaxBody))
	if err != nil || len(out) != MaxBody {
		t.Fatalf("got %d bytes, %v", len(out), err)
	}
}

func TestAskRefusesWhatIsTooLarge(t *testing.T) {
	a, w := newWorld(t, echo)
	w.err = errors.New("opened a stream")
	for name, call := range map[string]struct {
		op string
		in []byte
	}{
		"body":        {"op", make([]byte, MaxBody+1)},
		"name":        {strings.Repeat("o", MaxOp+1), nil},
		"no name":     {"", nil},
		"unprintable": {"a\nb", nil},
	} {
		if _, err := a.Ask(t.Context(), testMesh, bob, call.op, call.in); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsTravel(t *testing.T) {
	long := strings.Repeat("é", 2000)
	for name, c := range map[string]struct {
		give error
		want Error
	}{
		"triple":        {&Error{"not_found", "no peer leo", "Did you mean: lea?"}, Error{"not_found", "no peer leo", "Did you mean: lea?"}},
		"wrapped":       {errors.Join(&Error{Code: "denied", Message: "no"}), Error{Code: "denied", Message: "no"}},
		"secret":        {errors.New("open /home/ana/keys"), Error{Code: codeInternal, Message: textInternal}},
		"without code":  {&Error{Message: "x"}, Error{Code: codeInternal, Message: textInternal}},
		"long":          {&Error{"invalid", long, long}, Error{"invalid", long[:maxText], long[:maxText]}},
		"broken UTF-8":  {&Error{"invalid", "a\xff", "\xff"}, Error{"invalid", "a", ""}},
		"odd at border": {&Error{"invalid", "x" + long, ""}, Error{"invalid", ("x" + long)[:maxText-1], ""}},
	} {
		a, _ := newWorld(t, func(context.Context, string, []byte) ([]byte, error) { return []byte("dropped"), c.give })
		out, err := a.Ask(t.Context(), testMesh, bob, "op", nil)
		var got *Error
		if !errors.As(err, &got) || *got != c.want || out != nil {
			t.Errorf("%s: %q, %#v", name, out, err)
		}
	}
}

func TestAnAnswerTooLargeIsAnError(t *testing.T) {
	a, _ := newWorld(t, func(context.Context, string, []byte) ([]byte, error) { return make([]byte, MaxBody+1), nil })
	_, err := a.Ask(t.Context(), testMesh, bob, "op", nil)
	var got *Error
	if !errors.As(err, &got) || got.Code != "too_large" {
		t.Fatal(err)
	}
}

func TestAskFailsWithoutAPath(t *testing.T) {
	a, w := newWorld(t, echo)
	offline := errors.New("offline")
	w.err = offline
	if _, err := a.Ask(t.Context(), testMesh, bob, "op", nil); !errors.Is(err, ErrUnreachable) || !errors.Is(err, offline) {
		t.Fatal(err)
	}
	w.err, w.peer.Member = nil, ana
	if _, err := a.Ask(t.Context(), testMesh, bob, "op", nil); !errors.Is(err, ErrUnreachable) || !errors.Is(err, errWrongEnd) {
		t.Fatal(err)
	}
}

// TestHostileAnswers: an answerer that breaks the protocol cannot make Ask hang, panic or succeed.
func TestHostileAnswers(t *testing.T) {
	ok := encodeAnswer(nil)
	for name, c := range map[string]struct {
		reply []byte
		want  error
	}{
		"nothing":           {nil, ErrUnreachable},
		"head only":         {frames(ok), ErrUnreachable},
		"half a frame":      {frames(ok)[:3], ErrUnreachable},
		"head too large":    {binary.AppendUvarint(nil, maxHead+1), ErrUnreachable},
		"body too large":    {append(frames(ok), binary.AppendUvarint(nil, MaxBody+1)...), ErrUnreachable},
		"no fields":         {frames([]byte("xx"), nil), ErrMalformed},
		"text without code": {frames(encodeAnswer(&Error{Message: "m"}), nil), ErrMalformed},
	} {
		a, w := newWorld(t, echo)
		w.serve = func(s Stream) {
			conn := wire.NewConn(s)
			_, _ = conn.ReadFrame(maxHead)
			_, _ = conn.ReadFrame(MaxBody)
			_, _ = s.Write(c.reply)
		}
		if out, err := a.Ask(t.Context(), testMesh, bob, "op", nil); !errors.Is(err, c.want) || out != nil {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

// TestHostileRequests: what is no request is never answered.
func TestHostileRequests(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"no operation":   frames(nil, nil),
		"unprintable":    frames(encodeRequest("a b"), nil),
		"too long":       frames(encodeRequest(strings.Repeat("o", MaxOp+1)), nil),
		"head too large": binary.AppendUvarint(nil, maxHead+1),
		"body too large": append(frames(encodeRequest("op")), binary.AppendUvarint(nil, MaxBody+1)...),
		"no body":        frames(encodeRequest("op")),
	} {
		serveBytes(t, name, b)
	}
}

func serveBytes(t *testing.T, name string, b []byte) {
	far := New(Config{Answer: func(context.Context, ident.MeshID, ident.PublicKey, string, []byte) ([]byte, error) {
		t.Errorf("%s: answered", name)
		return nil, nil
	}})
	s := &script{in: b}
	far.Serve(t.Context(), Peer{testMesh, ana}, s)
	if !s.reset || s.out > 0 {
		t.Errorf("%s: reset %v, wrote %d bytes", name, s.reset, s.out)
	}
}

// script is a stream that gives fixed bytes.
type script struct {
	in    []byte
	out   int
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
func (s *script) Write(b []byte) (int, error)   { s.out += len(b); return len(b), nil }
func (s *script) Close() error                  { return nil }
func (s *script) Reset() error                  { s.reset = true; return nil }
func (s *script) SetDeadline(_ time.Time) error { return nil }

func frames(all ...[]byte) []byte {
	var b []byte
	for _, f := range all {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	return b
}

func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := newWorld(t, echo)
		w.serve = func(s Stream) { _, _ = io.Copy(io.Discard, s) }
		start := time.Now()
		if _, err := a.Ask(t.Context(), testMesh, bob, "op", nil); !errors.Is(err, ErrTimeout) {
			t.Error(err)
		}
		if took := time.Since(start); took != Timeout {
			t.Errorf("took %v", took)
		}
		w.wg.Wait()
	})
}

func TestASlowAnswererIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := newWorld(t, func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if _, err := a.Ask(t.Context(), testMesh, bob, "op", nil); err == nil {
			t.Error("no error")
		}
		w.wg.Wait()
	})
}

func TestAskEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := newWorld(t, echo)
		w.serve = func(s Stream) { _, _ = io.Copy(io.Discard, s) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Ask(ctx, testMesh, bob, "op", nil); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
			t.Error(err)
		}
		w.wg.Wait()
	})
}

func TestHeadsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.StringMatching(`[!-~]{1,64}`).Draw(t, "op")
		if got, err := decodeRequest(encodeRequest(op)); err != nil || got != op {
			t.Fatalf("%q: %q, %v", op, got, err)
		}
		e := Error{
			Code:    rapid.StringMatching(`[a-z_]{1,64}`).Draw(t, "code"),
			Message: rapid.StringN(0, 200, maxText).Draw(t, "message"),
			Hint:    rapid.StringN(0, 200, maxText).Draw(t, "hint"),
		}
		if got, err := decodeAnswer(encodeAnswer(&e)); err != nil || *got != e {
			t.Fatalf("%#v: %#v, %v", e, got, err)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(encodeRequest("mesh.list"))
	f.Add([]byte{2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := decodeRequest(b)
		if err == nil && !validOp(op) {
			t.Fatalf("%q", op)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add(encodeAnswer(nil))
	f.Add(encodeAnswer(&Error{"not_found", "m", "h"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeAnswer(b)
		if err == nil && e != nil && (e.Code == "" || len(e.Message) > maxText || !utf8.ValidString(e.Message)) {
			t.Fatalf("%#v", e)
		}
	})
}

func FuzzServe(f *testing.F) {
	f.Add(frames(encodeRequest("op"), []byte("in")))
	f.Add(frames(encodeRequest("op"))[:2])
	far := New(Config{Answer: func(_ context.Context, _ ident.MeshID, _ ident.PublicKey, op string, in []byte) ([]byte, error) {
		if !validOp(op) || len(in) > MaxBody {
			panic("asked what is no request")
		}
		return in, nil
	}})
	f.Fuzz(func(t *testing.T, b []byte) { far.Serve(t.Context(), Peer{testMesh, ana}, &script{in: b}) })
}
