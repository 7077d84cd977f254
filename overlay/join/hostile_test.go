package join

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
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
func (s *script) Write(b []byte) (int, error)   { s.out = append(s.out, b...); return len(b), nil }
func (s *script) Close() error                  { return nil }
func (s *script) Reset() error                  { s.reset = true; return nil }
func (s *script) SetDeadline(_ time.Time) error { return nil }

// said is the last refusal a script was told, "" if none.
func (s *script) said() string {
	conn := wire.NewConn(&script{in: s.out})
	last := ""
	for {
		b, err := conn.ReadFrame(wire.MaxFrame)
		if err != nil {
			return last
		}
		if len(b) > 0 && len(b) < maxFrame && kind(b[0]) == kindRefused {
			if r, err := ident.ReadFields(b[1:], fieldContent); err == nil {
				last = r.Text(fieldContent, maxCode)
			}
		}
	}
}

func frames(all ...[]byte) []byte {
	var b []byte
	for _, f := range all {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	return b
}

func ask(link invite.Link) []byte {
	key := link.Secret.Key().Public()
	return frame(kindAsk, key[:])
}

// claimFor makes a claim frame for link with c as given, signed with inviteKey and sealed to the offer.
func claimFor(t testing.TB, o *owner, link, signed invite.Link, c trust.Claim) []byte {
	inv, s, err := o.find(link.Secret.Key().Public())
	if err != nil {
		t.Fatal(err)
	}
	blob, err := invite.SealBlob(o.log, s, inv.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	offer, err := invite.OpenBlob(s, blob)
	if err != nil {
		t.Fatal(err)
	}
	if c.Invite.IsZero() {
		c.Invite = inv.ID
	}
	stmt := trust.SignClaim(o.log.Mesh(), newSeed(t), signed.Secret.Key(), c)
	sealed, err := invite.SealClaim(offer, stmt)
	if err != nil {
		t.Fatal(err)
	}
	return frame(kindClaim, sealed)
}

// TestStrangersLearnNothing: random invite keys get the same short answer and no blob.
func TestStrangersLearnNothing(t *testing.T) {
	o := newOwner(t)
	o.invite(1)
	rapid.Check(t, func(rt *rapid.T) {
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "seed"))
		key := ident.PrivateKeyFromSeed(seed).Public()
		s := &script{in: frames(frame(kindAsk, key[:]), frame(kindClaim, seed[:]))}
		Serve(t.Context(), o, joinerPeer, s, quiet)
		if s.said() != "unknown" || len(s.out) > 20 {
			rt.Fatalf("said %q in %d bytes", s.said(), len(s.out))
		}
	})
	if o.claims > 0 {
		t.Fatal("a claim was looked at")
	}
}

// TestHostileJoiners: nobody is admitted by what is not a claim of its own peer for this invite.
func TestHostileJoiners(t *testing.T) {
	o := newOwner(t)
	link, other := o.invite(5), o.invite(5)
	otherInvite, _, _ := o.find(other.Secret.Key().Public())
	good := trust.Claim{Peer: []byte(joinerPeer), Name: "eve"}
	for name, c := range map[string]struct {
		in   []byte
		said string // "" for a reset
	}{
		"nothing":                         {nil, ""},
		"empty frame":                     {frames(nil), ""},
		"claim first":                     {frames(claimFor(t, o, link, link, good)), ""},
		"short key":                       {frames(frame(kindAsk, []byte("x"))), ""},
		"key of small order":              {frames(frame(kindAsk, make([]byte, 32))), ""},
		"oversized ask":                   {binary.AppendUvarint(nil, maxFrame+1), ""},
		"ask twice":                       {frames(ask(link), ask(link)), ""},
		"oversized claim":                 {append(frames(ask(link)), binary.AppendUvarint(nil, maxFrame+1)...), ""},
		"garbage claim":                   {frames(ask(link), frame(kindClaim, []byte("x"))), "denied"},
		"another node's claim":            {frames(ask(link), claimFor(t, o, link, link, trust.Claim{Peer: []byte("eve")})), "denied"},
		"claim of another key":            {frames(ask(link), claimFor(t, o, link, other, good)), "denied"},
		"claim sealed for another invite": {frames(ask(link), claimFor(t, o, other, link, good)), "denied"},
		"claim for another invite": {frames(ask(link), claimFor(t, o, link, link,
			trust.Claim{Invite: otherInvite.ID, Peer: good.Peer})), "denied"},
	} {
		s := &script{in: c.in}
		Serve(t.Context(), o, joinerPeer, s, quiet)
		if s.said() != c.said || s.reset != (c.said == "") {
			t.Errorf("%s: said %q, reset %v", name, s.said(), s.reset)
		}
	}
	if n := len(o.log.State().Members); n != 1 {
		t.Fatalf("%d members", n)
	}
	s := &script{in: frames(ask(link), claimFor(t, o, link, link, good))}
	Serve(t.Context(), o, joinerPeer, s, quiet)
	if n := len(o.log.State().Members); n != 2 || s.reset {
		t.Fatal("the good claim of this table is refused")
	}
}

// fake is an admitter that answers with what it is told.
type fake struct{ blob, welcome func() []byte }

func (f fake) Blob(context.Context, ident.PublicKey) ([]byte, error) { return f.blob(), nil }

func (f fake) Claim(_ context.Context, _ ident.PublicKey, _ peer.ID, _ []byte) ([]byte, error) {
	return f.welcome(), nil
}

// TestHostileAdmitters: a node that does not hold the invite, or admits somebody else, is found out.
func TestHostileAdmitters(t *testing.T) {
	o, foreign := newOwner(t), newOwner(t)
	link := o.invite(9)
	key := link.Secret.Key().Public()
	foreign.secrets = append(foreign.secrets, link.Secret)
	foreign.add(foreign.log.SignInvite(foreign.seed.Member(), trust.Invite{
		Key: key, Role: trust.RoleMember, Uses: 1, Expires: started.Add(time.Hour),
	}, started))
	blobOf := func(o *owner, link invite.Link) func() []byte {
		return func() []byte {
			b, err := o.Blob(t.Context(), link.Secret.Key().Public())
			if err != nil {
				t.Error(err)
			}
			return b
		}
	}
	seed := newSeed(t)
	// admit lets seed into the log of o2, as its admitter would.
	admit := func(o2 *owner, seed ident.Seed) {
		inv, _, err := o2.find(key)
		if err != nil {
			t.Fatal(err)
		}
		stmt := trust.SignClaim(o2.log.Mesh(), seed, link.Secret.Key(), trust.Claim{Invite: inv.ID, Peer: []byte(joinerPeer)})
		o2.add(o2.log.SignAdmit(o2.seed.Member(), trust.Admit{Claim: stmt, Name: "x", Invite: inv.ID}, started))
	}
	welcomeOf := func(o2 *owner, seed ident.Seed) func() []byte {
		return func() []byte {
			b, err := invite.SealWelcome(o2.log, o2.ring, seed.Member().Public(), key)
			if err != nil {
				t.Error(err)
			}
			return b
		}
	}
	eve := newSeed(t)
	admit(o, eve)
	admit(foreign, seed)
	for name, c := range map[string]struct {
		fake
		want error
	}{
		"garbage blob":            {fake{func() []byte { return []byte("x") }, nil}, ErrInvite},
		"blob of another invite":  {fake{blobOf(o, o.invite(1)), nil}, ErrInvite},
		"no blob":                 {fake{func() []byte { return nil }, nil}, ErrUnavailable},
		"too large a blob":        {fake{func() []byte { return make([]byte, MaxBlob+1) }, nil}, ErrUnavailable},
		"garbage welcome":         {fake{blobOf(o, link), func() []byte { return []byte("x") }}, ErrWelcome},
		"welcome of another mesh": {fake{blobOf(o, link), welcomeOf(foreign, seed)}, ErrWelcome},
		"another's welcome":       {fake{blobOf(o, link), welcomeOf(o, eve)}, ErrWelcome},
	} {
		_, err := Join(t.Context(), to(t, c.fake), link, Applicant{Seed: seed})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileBytes: whatever comes, Join ends with an error and without much memory.
func TestHostileBytes(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"hangs up":               {nil, ErrUnreachable},
		"empty frame":            {frames(nil), ErrInvite},
		"another kind":           {frames(frame(kindAsk, nil)), ErrInvite},
		"welcome first":          {frames(lengthFrame(kindWelcome, 1)), ErrInvite},
		"nothing announced":      {frames(lengthFrame(kindBlob, 0)), ErrInvite},
		"too much announced":     {frames(lengthFrame(kindBlob, MaxBlob+1)), ErrInvite},
		"announced and not sent": {frames(lengthFrame(kindBlob, MaxBlob)), ErrUnreachable},
		"empty chunk":            {frames(lengthFrame(kindBlob, 5), nil), ErrInvite},
		"more than announced":    {frames(lengthFrame(kindBlob, 5), make([]byte, 6)), ErrUnreachable},
		"chunk too large":        {frames(lengthFrame(kindBlob, MaxBlob), make([]byte, maxChunk+1)), ErrUnreachable},
		"refusal unheard of":     {frames(frame(kindRefused, []byte("moon phase"))), ErrUnavailable},
		"refusal too long":       {frames(frame(kindRefused, make([]byte, maxCode+1))), ErrInvite},
	} {
		d := &scripted{&script{in: c.in}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Join(t.Context(), d, link, Applicant{Seed: newSeed(t)})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

// scripted dials a script.
type scripted struct{ s *script }

func (d *scripted) Self() peer.ID { return joinerPeer }

func (d *scripted) Dial(context.Context, peer.AddrInfo) (Stream, error) { return d.s, nil }

func TestHalfOpenJoinersAreCut(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	for name, c := range map[string]struct {
		say []byte
		end time.Duration
	}{
		"silent":          {nil, askTimeout},
		"half a frame":    {[]byte{200}, askTimeout},
		"without a claim": {frames(ask(link)), claimTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := to(t, o)
			s, err := d.Dial(t.Context(), peer.AddrInfo{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := s.Write(c.say); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, s)
			if took := time.Since(start); took != c.end {
				t.Errorf("%s: cut after %v", name, took)
			}
			_ = s.Close()
		})
	}
}

func TestASilentAdmitterIsLeft(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	seed := newSeed(t)
	synctest.Test(t, func(t *testing.T) {
		d := &dialer{self: joinerPeer, serve: func(s Stream) { _, _ = io.Copy(io.Discard, s) }}
		start := time.Now()
		if _, err := Join(t.Context(), d, link, Applicant{Seed: seed}); !errors.Is(err, ErrUnreachable) {
			t.Error(err)
		}
		if took := time.Since(start); took != longTimeout {
			t.Errorf("left after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Join(ctx, d, link, Applicant{Seed: seed}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		d.wg.Wait()
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	o := newOwner(t)
	d := to(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	d.serve = func(s Stream) { Serve(ctx, o, joinerPeer, s, quiet) }
	s, err := d.Dial(t.Context(), peer.AddrInfo{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, _ = io.Copy(io.Discard, s)
	_ = s.Close()
}

func TestLongThingsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := make([]byte, rapid.IntRange(1, 3*maxChunk).Draw(t, "length"))
		b[0], b[len(b)-1] = 1, 2
		var s script
		if err := sendLong(wire.NewConn(&s), kindBlob, b); err != nil {
			t.Fatal(err)
		}
		got, err := readLong(wire.NewConn(&script{in: s.out}), kindBlob, MaxBlob)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatal(err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(frame(kindAsk, bytes.Repeat([]byte{1}, 32)))
	f.Add(frame(kindClaim, []byte("sealed")))
	f.Add(frame(kindRefused, []byte("spent")))
	f.Add(lengthFrame(kindBlob, 100))
	f.Add(lengthFrame(kindWelcome, MaxWelcome))
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := decodeAsk(b); err == nil && key.Check() != nil {
			t.Fatal("not a key")
		}
		if sealed, err := decodeClaim(b); err == nil && len(sealed) > maxFrame {
			t.Fatal(len(sealed))
		}
		for _, k := range []kind{kindBlob, kindWelcome} {
			if n, err := decodeLength(b, k, MaxBlob); err == nil && (n < 1 || n > MaxBlob) {
				t.Fatal(n)
			}
		}
	})
}

func FuzzServe(f *testing.F) {
	o := newOwner(f)
	link := o.invite(1000)
	f.Add(frames(ask(link), claimFor(f, o, link, link, trust.Claim{Peer: []byte("eve")})))
	f.Add(frames(ask(link), frame(kindClaim, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		Serve(context.Background(), o, joinerPeer, &script{in: b}, quiet)
	})
}

func FuzzJoin(f *testing.F) {
	o := newOwner(f)
	link := o.invite(1)
	blob, err := o.Blob(context.Background(), link.Secret.Key().Public())
	if err != nil {
		f.Fatal(err)
	}
	seed := newSeed(f)
	f.Add(frames(lengthFrame(kindBlob, len(blob)), blob, lengthFrame(kindWelcome, 1), []byte("x")))
	f.Add(frames(frame(kindRefused, []byte("spent"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Join(context.Background(), &scripted{&script{in: b}}, link, Applicant{Seed: seed}); err == nil {
			t.Fatal("joined")
		}
	})
}
