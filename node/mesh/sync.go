package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// The exchange of admin logs, inner protocol "log/1", frames of package wire:
//
//	opener → answerer   ids of all entries it has, then an empty frame
//	answerer → opener   its ids, an empty frame, the entries the opener lacks, an empty frame
//	opener → answerer   the entries the answerer lacks, an empty frame
//	answerer → opener   what is left, an empty frame: all of it is on disk
//	opener              closes
//
// Somebody who was removed or has left is told of the entries that say so alone, and
// somebody of whom the log knows nothing of none: whoever was once a member can make
// new keys. What such a person brings may be its admission; then the rest follows.
//
// Ids go 2,048 to a frame. An entry is a frame with its length (8 bytes,
// big-endian) and then as many frames of at most 64 KiB as it takes. Logs are small
// (an entry per change of who is in), so that naming every id costs less than
// working out which ancestors the other side must have.
const (
	idsPerFrame = 2048
	maxChunk    = 64 << 10
	maxLogIDs   = 100_000
	maxLogBytes = 64 << 20
)

// errSync is the cause of every broken log exchange.
var errSync = errors.New("log exchange")

// Sync implements host.Mesh.
func (m *Mesh) Sync(ctx context.Context, s *host.Stream, opener bool, p host.Peer) error {
	x := &exchange{conn: wire.NewConn(s), mesh: m, peer: p.Key}
	was := m.In()
	var err error
	if opener {
		err = x.open(ctx)
	} else {
		err = x.answer(ctx)
	}
	if len(x.added) > 0 || m.In() != was {
		m.all.changed(m, x.added)
	}
	if err != nil {
		return fmt.Errorf("%w with %s: %w", errSync, p.Key, err)
	}
	return m.hasHeard(ctx, p.Key)
}

// exchange is one run of the protocol.
type exchange struct {
	conn  *wire.Conn
	mesh  *Mesh
	peer  ident.PublicKey
	added []trust.Entry // what became part of the own log
}

// offered are the entries that somebody may have: all of them, for a member; for one
// who is none any more those that say so.
func (m *Mesh) offered(who ident.PublicKey) []ident.ID {
	state := m.admin.State()
	if _, in := state.Member(who); in {
		return m.entryIDs()
	}
	if gone, ok := state.Gone[trust.Principal(who)]; ok {
		return gone.Entries
	}
	return ledger.Strikes(m.admin, who)
}

func (x *exchange) open(ctx context.Context) error {
	own := x.mesh.offered(x.peer)
	if err := errors.Join(x.writeIDs(own), x.conn.Flush()); err != nil {
		return err
	}
	theirs, err := x.readIDs()
	if err != nil {
		return err
	}
	if err := x.readEntries(ctx); err != nil {
		return err
	}
	own = x.mesh.offered(x.peer) // what came may have made a member of the other side
	if err := errors.Join(x.writeEntries(own, theirs), x.conn.Flush()); err != nil {
		return err
	}
	return x.readEntries(ctx)
}

func (x *exchange) answer(ctx context.Context) error {
	theirs, err := x.readIDs()
	if err != nil {
		return err
	}
	own := x.mesh.offered(x.peer)
	if err := errors.Join(x.writeIDs(own), x.writeEntries(own, theirs), x.conn.Flush()); err != nil {
		return err
	}
	for _, id := range own {
		theirs[id] = true
	}
	if err := x.readEntries(ctx); err != nil {
		return err
	}
	for _, e := range x.added {
		theirs[e.ID()] = true
	}
	if err := errors.Join(x.writeEntries(x.mesh.offered(x.peer), theirs), x.conn.Flush()); err != nil {
		return err
	}
	// What was taken over may close this very mesh to the opener: its word that it
	// has the answer comes first.
	_, err = x.conn.ReadFrame(0)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (x *exchange) writeIDs(ids []ident.ID) error {
	for len(ids) > 0 {
		n := min(len(ids), idsPerFrame)
		frame := make([]byte, 0, n*len(ident.ID{}))
		for _, id := range ids[:n] {
			frame = append(frame, id[:]...)
		}
		if err := x.conn.WriteFrame(frame); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return x.conn.WriteFrame(nil)
}

func (x *exchange) readIDs() (map[ident.ID]bool, error) {
	const size = len(ident.ID{})
	ids := make(map[ident.ID]bool)
	for {
		frame, err := x.conn.ReadFrame(idsPerFrame * size)
		if err != nil {
			return nil, err
		}
		if len(frame) == 0 {
			return ids, nil
		}
		if len(frame)%size != 0 || len(ids)+len(frame)/size > maxLogIDs {
			return nil, fmt.Errorf("%w: a list of ids that cannot be", errSync)
		}
		for i := 0; i < len(frame); i += size {
			ids[ident.ID(frame[i:i+size])] = true
		}
	}
}

// writeEntries sends the own entries the other side lacks, parents first.
func (x *exchange) writeEntries(own []ident.ID, theirs map[ident.ID]bool) error {
	for _, id := range own {
		if theirs[id] {
			continue
		}
		e, ok := x.mesh.admin.Get(id)
		if !ok {
			continue
		}
		if err := x.writeEntry(e.Marshal()); err != nil {
			return err
		}
	}
	return x.conn.WriteFrame(nil)
}

func (x *exchange) writeEntry(raw []byte) error {
	if err := x.conn.WriteFrame(binary.BigEndian.AppendUint64(nil, uint64(len(raw)))); err != nil {
		return err
	}
	for len(raw) > 0 {
		n := min(len(raw), maxChunk)
		if err := x.conn.WriteFrame(raw[:n]); err != nil {
			return err
		}
		raw = raw[n:]
	}
	return nil
}

// readEntries takes entries over in one commit. After a break it takes those that
// were complete.
func (x *exchange) readEntries(ctx context.Context) error {
	var batch []trust.Entry
	broken := x.readInto(&batch)
	added, err := x.mesh.takeFrom(ctx, x.peer, batch, nil)
	x.added = append(x.added, added...)
	return errors.Join(broken, err)
}

func (x *exchange) readInto(batch *[]trust.Entry) error {
	for total := 0; ; {
		raw, err := x.readEntry(maxLogBytes - total)
		if err != nil || raw == nil {
			return err
		}
		total += len(raw)
		e, err := trust.ParseEntry(raw)
		if err != nil {
			x.mesh.refuse(x.peer, "log_entry")
			return err
		}
		*batch = append(*batch, e)
	}
}

// readEntry reads one entry, or nil at the end of the list.
func (x *exchange) readEntry(room int) ([]byte, error) {
	head, err := x.conn.ReadFrame(8)
	if err != nil || len(head) == 0 {
		return nil, err
	}
	if len(head) != 8 {
		return nil, fmt.Errorf("%w: a length of %d bytes", errSync, len(head))
	}
	size := binary.BigEndian.Uint64(head)
	if size == 0 || size > trust.MaxEntry || size > uint64(room) {
		return nil, fmt.Errorf("%w: an entry of %d bytes", errSync, size)
	}
	var raw []byte // grows as bytes come: a claimed length allocates nothing
	for uint64(len(raw)) < size {
		chunk, err := x.conn.ReadFrame(maxChunk)
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 || uint64(len(raw)+len(chunk)) > size {
			return nil, fmt.Errorf("%w: an entry longer or shorter than said", errSync)
		}
		raw = append(raw, chunk...)
	}
	return raw, nil
}
