package replica

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Proto is the inner protocol of Exchange.
const Proto = "records/1"

const (
	// maxTurns ends an exchange of two that never agree; the next one goes on.
	maxTurns = 12
	// window is how many requests are on their way at once.
	window = 32
)

// Result is what an exchange did.
type Result struct {
	Sent, Received       int             // records that went over the wire
	BytesSent, BytesCame int64           // in frames
	Taken                int             // records that became live here
	Equal                bool            // both claim the same now
	PeerClock            time.Time       // the other side's mesh time at the beginning
	Self                 ident.PublicKey // the other side's blind key, as it says; may be zero
}

// Exchange brings both sides to the same records, as far as they know the same
// authors. One side is the opener. It ends after maxTurns turns at the latest; the
// stream, which must take 4 KiB unread, and its deadlines are the caller's. What came
// before an error is kept. ErrProtocol: the other side broke the rules.
func (r *Replica) Exchange(ctx context.Context, conn *wire.Conn, opener bool) (Result, error) {
	x := &exchange{r: r, conn: conn, full: map[Log]bool{}}
	err := x.run(ctx, opener)
	if x.foreign && r.cfg.Foreign != nil {
		r.cfg.Foreign()
	}
	if err != nil {
		return x.result, fmt.Errorf("exchange records: %w", err)
	}
	return x.result, nil
}

// exchange is one run of the protocol.
type exchange struct {
	r       *Replica
	conn    *wire.Conn
	result  Result
	full    map[Log]bool // logs of which no more is taken
	skipped int          // unknown frames
	foreign bool
}

// run takes turns, in which one side asks and the other answers, until two in a row
// changed nothing.
func (x *exchange) run(ctx context.Context, asking bool) error {
	quiet := 0
	for turn := 0; turn < maxTurns && quiet < 2; turn++ {
		var changed bool
		var err error
		if asking {
			changed, err = x.ask(ctx)
		} else {
			changed, err = x.answer(ctx)
		}
		if err != nil {
			return err
		}
		quiet++
		if changed {
			quiet = 0
		}
		asking = !asking
	}
	return nil
}

func (x *exchange) write(f []byte) error {
	x.result.BytesSent += int64(len(f))
	return x.conn.WriteFrame(f)
}

func (x *exchange) send(f []byte) error {
	if err := x.write(f); err != nil {
		return err
	}
	return x.conn.Flush()
}

// read gives the next frame of a known type, without its first byte.
func (x *exchange) read(limit int) (byte, []byte, error) {
	for ; x.skipped <= maxSkipped; x.skipped++ {
		f, err := x.conn.ReadFrame(limit)
		if err != nil {
			return 0, nil, err
		}
		x.result.BytesCame += int64(len(f))
		if len(f) > 0 && f[0] >= frameSum && f[0] <= frameTurn {
			return f[0], f[1:], nil
		}
	}
	return 0, nil, fmt.Errorf("%w: too many unknown frames", ErrProtocol)
}

// readAs is read for a frame of one type; done tells that an end came instead.
func (x *exchange) readAs(kind byte, limit int) (b []byte, done bool, err error) {
	got, b, err := x.read(limit)
	switch {
	case err != nil:
		return nil, false, err
	case got == kind:
		return b, false, nil
	case got == frameEnd:
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("%w: frame %d where %d is due", ErrProtocol, got, kind)
}

func (x *exchange) greeting(v vector) greeting {
	return greeting{hash: v.hash(), author: x.r.cfg.Self, clock: uint64(max(x.r.cfg.Now().UnixMilli(), 0))}
}

func (x *exchange) meet(g greeting) {
	x.result.PeerClock, x.result.Self = time.UnixMilli(int64(g.clock&maxNumber)).UTC(), g.author
}

// answer is the turn of the side that is asked.
func (x *exchange) answer(ctx context.Context) (changed bool, err error) {
	b, done, err := x.readAs(frameSum, maxAsk)
	if err != nil || done {
		return false, firstError(err, fmt.Errorf("%w: an end where a sum is due", ErrProtocol))
	}
	g, err := decodeGreeting(b)
	if err != nil {
		return false, err
	}
	x.meet(g)
	if err := x.answerSum(g); err != nil {
		return false, err
	}
	var a asked
	for {
		kind, b, err := x.read(maxAsk)
		if err != nil {
			return false, err
		}
		switch kind {
		case frameTurn:
			return len(b) > 0 && b[0] == 1, nil
		case frameWant:
			err = x.answerWant(ctx, &a, b)
		case frameList:
			err = x.answerList(&a, b)
		case framePick:
			err = x.answerPick(ctx, &a, b)
		case frameOld:
			if err = a.once(Log{}, kind); err == nil {
				err = x.answerOld(ctx, g.author)
			}
		default:
			err = fmt.Errorf("%w: frame %d is no request", ErrProtocol, kind)
		}
		if err != nil {
			return false, err
		}
		if err := x.send([]byte{frameEnd}); err != nil {
			return false, err
		}
	}
}

// answerSum says what this side claims: the hash, and if that differs all of it.
func (x *exchange) answerSum(g greeting) error {
	var v vector
	var own greeting
	err := x.r.cfg.Disk.View(func(tx Tx) (err error) {
		if v, err = x.r.vector(tx); err != nil {
			return err
		}
		if own = x.greeting(v); !g.author.IsZero() {
			own.old = oldSum(tx, g.author)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := x.write(own.encode()); err != nil {
		return err
	}
	x.result.Equal = own.hash == g.hash
	for len(v) > 0 && !x.result.Equal {
		n := min(len(v), vectorFill-1)
		frame := []byte{frameVector}
		for _, c := range v[:n] {
			frame = c.append(frame)
		}
		if err := x.write(frame); err != nil {
			return err
		}
		v = v[n:]
	}
	return x.send([]byte{frameEnd})
}

// source reads records from position at on into a frame's worth of them. It gives the
// position to go on from, nil at the end.
type source func(tx Tx, at []byte, add func(raw []byte) (full bool)) (next []byte, err error)

// stream sends what a source has, a frame for each transaction, so that none stays
// open while the other side reads slowly.
func (x *exchange) stream(ctx context.Context, from []byte, src source) error {
	for at := from; at != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		frame := []byte{frameRecords}
		count := 0
		err := x.r.cfg.Disk.View(func(tx Tx) (err error) {
			frame, count = frame[:1], 0
			at, err = src(tx, at, func(raw []byte) bool {
				frame, count = appendRecord(frame, raw), count+1
				return len(frame) >= fillFrame
			})
			return err
		})
		if err != nil {
			return err
		}
		if count > 0 {
			x.result.Sent += count
			if err := x.write(frame); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerWant sends what is live in a log above m, ascending, as many as are wanted. It
// goes on with what is written meanwhile only until the m of the beginning is passed.
func (x *exchange) answerWant(ctx context.Context, a *asked, b []byte) error {
	w, err := decodeWant(b)
	if err != nil {
		return err
	}
	if err := a.once(w.log, frameWant); err != nil {
		return err
	}
	k := w.log.key()
	var until uint64
	first, before := true, uint64(0)
	return x.stream(ctx, number(w.m+1), func(tx Tx, at []byte, add func([]byte) bool) (next []byte, err error) {
		if !x.r.cfg.Authors.Standing(w.log.Author).counts() {
			return nil, nil
		}
		if first {
			s, err := readState(tx, w.log)
			if err != nil {
				return nil, err
			}
			until, first = s.m, false
		}
		sent := before
		eachPrefix(tx, tableRec, k[:], at, func(k, raw []byte) bool {
			if sent == w.most {
				next = nil
				return false
			}
			full := add(raw)
			sent++
			if n := cutNumber(k[logSize:]); full && n < until && sent < w.most {
				next = number(n + 1)
			}
			return !full
		})
		before = sent
		return next, nil
	})
}

// answerList sends number and hash of all that is held of a log, and the highest
// record.
func (x *exchange) answerList(a *asked, b []byte) error {
	l, err := decodeList(b)
	if err != nil {
		return err
	}
	if err := a.once(l, frameList); err != nil {
		return err
	}
	var s set
	err = x.r.cfg.Disk.View(func(tx Tx) (err error) {
		if x.r.cfg.Authors.Standing(l.Author).counts() {
			s, err = readSet(tx, l)
		}
		return err
	})
	if err != nil || len(s.entries) == 0 {
		return err
	}
	a.listed(l, len(s.entries))
	for rest := s.entries; len(rest) > 0; {
		n := min(len(rest), entryFill-1)
		frame := []byte{frameEntries}
		for _, e := range rest[:n] {
			frame = e.append(frame)
		}
		if err := x.write(frame); err != nil {
			return err
		}
		rest = rest[n:]
	}
	x.result.Sent++
	return x.write(appendRecord([]byte{frameRecords}, s.top.raw))
}

// answerPick sends the records with these numbers.
func (x *exchange) answerPick(ctx context.Context, a *asked, b []byte) error {
	l, numbers, err := decodePick(b)
	if err != nil || len(numbers) == 0 {
		return err
	}
	if err := a.pick(l, len(numbers)); err != nil {
		return err
	}
	return x.stream(ctx, number(0), func(tx Tx, at []byte, add func([]byte) bool) ([]byte, error) {
		if !x.r.cfg.Authors.Standing(l.Author).counts() {
			return nil, nil
		}
		for i := cutNumber(at); i < uint64(len(numbers)); i++ {
			if raw := tx.Get(tableRec, recKey(l, numbers[i])); raw != nil && add(raw) {
				return number(i + 1), nil
			}
		}
		return nil, nil
	})
}

// answerOld sends the evidence about the author who asks.
func (x *exchange) answerOld(ctx context.Context, author ident.PublicKey) error {
	if author.IsZero() {
		return nil
	}
	return x.stream(ctx, []byte{}, func(tx Tx, at []byte, add func([]byte) bool) (next []byte, err error) {
		eachPrefix(tx, tableOld, author[:], at, func(k, v []byte) bool {
			if len(v) < 8 {
				err = fmt.Errorf("%w: evidence of %d bytes", ErrTables, len(v))
				return false
			}
			full := add(v[8:])
			if full {
				next = append(bytes.Clone(k[len(author):]), 0)
			}
			return !full
		})
		return next, err
	})
}
