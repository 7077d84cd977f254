package post

import (
	"context"
	"crypto/hpke"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testMesh = ident.MeshID{1, 2, 3}

var errOffline = errors.New("offline")

// person is a member with its keys and its Post.
type person struct {
	t    testing.TB
	key  ident.PrivateKey
	seal hpke.PrivateKey
	post *Post

	mu       sync.Mutex
	private  map[[32]byte]hpke.PrivateKey
	delivery []byte // own newest statement
	seq      uint64
	known    map[ident.PublicKey]known
	learned  int
	letters  []string
	batches  []int
	receipts []string
	told     []string
	lost     int
	changed  chan struct{} // closed and replaced at each change

	deliver func(letters [][]byte) ([]byte, error) // nil: acknowledge with the number of letters
}

// known is what a person knows of another.
type known struct {
	delivery, seal []byte
	seq            uint64
}

func newPerson(t testing.TB) *person {
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{
		t: t, key: key, seal: newKey(t), private: map[[32]byte]hpke.PrivateKey{},
		known: map[ident.PublicKey]known{}, changed: make(chan struct{}),
	}
	p.private[seal.KeyID(ident.SealPublic(p.seal))] = p.seal
	return p
}

func newKey(t testing.TB) hpke.PrivateKey {
	k, err := seal.NewDeliveryKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// meet tells p the long-term key of o.
func (p *person) meet(o *person) {
	p.known[o.key.Public()] = known{seal: ident.SealPublic(o.seal)}
}

// publish makes a new delivery key for p.
func (p *person) publish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := newKey(p.t)
	p.private[seal.KeyID(ident.SealPublic(k))] = k
	p.seq++
	var f ident.Fields
	f.Uint(2, p.seq)
	f.Bytes(4, ident.SealPublic(k))
	p.delivery = ident.Sign(ident.KindDelivery, testMesh, f.Body(), p.key).Marshal()
}

// forget erases p's delivery keys, as a restore does.
func (p *person) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delivery = nil
	clear(p.private)
	p.private[seal.KeyID(ident.SealPublic(p.seal))] = p.seal
}

func (p *person) Sign(mesh ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	return ident.Sign(kind, mesh, body, p.key), nil
}

func (p *person) Self(ident.MeshID) (ident.PublicKey, error) { return p.key.Public(), nil }

func (p *person) Private(_ ident.MeshID, id [32]byte) (hpke.PrivateKey, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.private[id]
	return k, ok
}

func (p *person) Delivery(ident.MeshID) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivery
}

func (p *person) Public(_ ident.MeshID, m ident.PublicKey) (delivery, seal []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.known[m]
	if !ok {
		return nil, nil, errors.New("no member")
	}
	return k.delivery, k.seal, nil
}

func (p *person) Learn(_ ident.MeshID, m ident.PublicKey, statement []byte) error {
	st, err := ident.ParseStatement(statement, maxStatement)
	if err == nil {
		err = st.Verify(ident.KindDelivery, testMesh, m)
	}
	if err != nil {
		return err
	}
	r, err := ident.ReadFields(st.Body, 2, 4)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learned++
	if k := p.known[m]; r.Uint(2) > k.seq {
		k.seq, k.delivery = r.Uint(2), r.Bytes(4, seal.PublicSize)
		p.known[m] = k
	}
	return r.Err()
}

// config is p's Config over streams.
func (p *person) config(streams Streams) Config {
	return Config{
		Streams: streams, Keys: p,
		Deliver: func(_ context.Context, mesh ident.MeshID, _ ident.PublicKey, letters [][]byte) ([]byte, error) {
			if p.deliver != nil {
				if receipt, err := p.deliver(letters); receipt != nil || err != nil {
					return receipt, err
				}
			}
			p.update(func() {
				p.batches = append(p.batches, len(letters))
				for _, l := range letters {
					p.letters = append(p.letters, string(l))
				}
			})
			return slices.Concat([]byte("got "), letters[len(letters)-1][:min(20, len(letters[len(letters)-1]))]), nil
		},
		Receipt: func(_ context.Context, _ ident.MeshID, _ ident.PublicKey, receipt []byte) {
			p.update(func() { p.receipts = append(p.receipts, string(receipt)) })
		},
		Told: func(_ context.Context, _ ident.MeshID, _ ident.PublicKey, receipt []byte) {
			p.update(func() { p.told = append(p.told, string(receipt)) })
		},
		Lost: func(ident.MeshID, ident.PublicKey) { p.update(func() { p.lost++ }) },
	}
}

func (p *person) update(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
	close(p.changed)
	p.changed = make(chan struct{})
}

// until waits until cond, called with p.mu held, is true.
func (p *person) until(cond func() bool) {
	p.t.Helper()
	for {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-p.t.Context().Done():
			p.t.Fatal("test ended while waiting")
		}
	}
}

// pair connects ana, who posts, with bob, who receives.
type pair struct {
	t        testing.TB
	ana, bob *person
	wg       sync.WaitGroup

	mu     sync.Mutex
	opened int
	err    error // of Open
	last   *pipe // ana's end
	peer   Peer  // what ana's connection proved of bob
	serve  func(Stream)
	buffer int
}

func newPair(t testing.TB) *pair {
	w := &pair{t: t, ana: newPerson(t), bob: newPerson(t), buffer: 1 << 20}
	w.ana.meet(w.bob)
	w.bob.meet(w.ana)
	w.peer = Peer{testMesh, w.bob.key.Public(), ident.ID{1}, ident.ID{2}}
	w.ana.post = New(w.ana.config(w))
	w.bob.post = New(w.bob.config(nil))
	w.serve = func(s Stream) { w.bob.post.Serve(context.Background(), w.back(), s) }
	return w
}

// start runs ana's Post until the test ends.
func (w *pair) start() *pair {
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = w.ana.post.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		run.Wait()
		w.wg.Wait()
	})
	untilRunning(w.ana.post)
	return w
}

func untilRunning(p *Post) {
	for {
		p.mu.Lock()
		life := p.life
		p.mu.Unlock()
		if life != nil {
			return
		}
		runtime.Gosched()
	}
}

// back is what bob's end of the connection proved of ana.
func (w *pair) back() Peer {
	return Peer{testMesh, w.ana.key.Public(), w.peer.ProofI, w.peer.ProofR}
}

func (w *pair) Open(context.Context, ident.MeshID, ident.PublicKey) (Stream, Peer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, Peer{}, w.err
	}
	near, far := newPipe(w.buffer)
	w.opened++
	w.last = near
	serve := w.serve
	w.wg.Go(func() {
		defer far.Close()
		serve(far)
	})
	return near, w.peer, nil
}

// cut breaks the connection.
func (w *pair) cut() {
	w.mu.Lock()
	last := w.last
	w.mu.Unlock()
	_ = last.Reset()
}

func (w *pair) streams() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened
}

// send posts from ana to bob and fails the test if it fails.
func (w *pair) send(letters ...string) {
	w.t.Helper()
	if err := w.try(w.t.Context(), letters...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *pair) try(ctx context.Context, letters ...string) error {
	raw := make([][]byte, len(letters))
	for i, l := range letters {
		raw[i] = []byte(l)
	}
	return w.ana.post.Send(ctx, testMesh, w.bob.key.Public(), raw...)
}

// arrived waits until bob has n letters and returns them.
func (w *pair) arrived(n int) []string {
	w.t.Helper()
	w.bob.until(func() bool { return len(w.bob.letters) >= n })
	w.bob.mu.Lock()
	defer w.bob.mu.Unlock()
	return slices.Clone(w.bob.letters)
}
