package replica

import "context"

// Verdict says what is to become of news.
type Verdict int

// The verdicts.
const (
	Ignore Verdict = iota // known already, or not to be judged here: not passed on
	Accept                // new and well signed: passed on
	Reject                // nobody honest sends this
	Late                  // its author writes faster than is taken: not passed on
	Twice                 // its author signed another record under this number: not passed on
)

// News takes a record (its Raw) that came by gossip. want: exchange with whoever sent
// it, since something lies between. An error is the disk's; the verdict is then Ignore.
func (r *Replica) News(ctx context.Context, raw []byte) (v Verdict, want bool, err error) {
	rec, err := Parse(raw)
	if err != nil {
		return Reject, false, nil
	}
	standing := r.cfg.Authors.Standing(rec.Log.Author)
	if !standing.Member {
		if rec.Verify() != nil {
			return Reject, false, nil
		}
		// An author nobody knows here may be one whom the admin log admits that the
		// other side has.
		return Ignore, !standing.counts(), nil
	}
	v, want, fresh, err := r.judge(rec)
	if err != nil || v == Ignore && !want && !fresh {
		return v, false, err // whoever signed it, nothing follows from it
	}
	author := rec.Log.Author
	if fresh && !r.paces.hears(author) || !fresh && !r.paces.doubt(author) {
		return Late, false, nil
	}
	if rec.Verify() != nil {
		return Reject, false, nil
	}
	if !fresh {
		return v, want, nil
	}
	r.paces.heard(author)
	return r.apply(ctx, rec)
}

// apply stores news that is the next of its log, if it still is.
func (r *Replica) apply(ctx context.Context, rec Record) (v Verdict, want bool, err error) {
	var e *edit
	err = r.cfg.Disk.Update(ctx, func(tx Tx) error {
		e = r.edit(tx)
		s, err := e.log(rec.Log)
		if err != nil {
			return err
		}
		v, want = Ignore, rec.N > s.m+1
		if rec.N != s.m+1 || r.stance(tx, rec.Log) != theirs {
			return nil
		}
		if s.count >= MaxLive && numberAt(tx, rec.Slot, rec.Log) == 0 {
			return nil
		}
		if _, err := e.put(rec, false); err != nil {
			return err
		}
		v = Accept
		return e.finish()
	})
	if err != nil {
		return Ignore, false, err
	}
	if e.foreign && r.cfg.Foreign != nil {
		r.cfg.Foreign()
	}
	return v, want, nil
}

// judge looks at news without writing, or verifying it. fresh: it is the next of its log.
func (r *Replica) judge(rec Record) (v Verdict, want, fresh bool, err error) {
	err = r.cfg.Disk.View(func(tx Tx) error {
		s, err := readState(tx, rec.Log)
		if err != nil {
			return err
		}
		held, ok, err := recordAt(tx, rec.Log, rec.N)
		if err != nil {
			return err
		}
		stance := r.stance(tx, rec.Log)
		switch {
		case ok && held.hash == rec.hash, stance != theirs && stance != own:
			v = Ignore
		case stance == own:
			if want = ok || rec.N > s.m; want {
				v = Accept
			}
		case rec.N == s.m+1:
			fresh = true
		case rec.N > s.m:
			v, want = Ignore, true // others are told once what lies between is here: a gap can be made up
		case ok:
			v, want = Twice, true
		default:
			v = Ignore
		}
		return nil
	})
	return v, want, fresh, err
}
