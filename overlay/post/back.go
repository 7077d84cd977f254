package post

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/overlay/seal"
)

// run reads what comes back on an outgoing stream until it ends.
func (o *outgoing) run(life context.Context) {
	stop := context.AfterFunc(life, func() { o.end(ErrStopped) })
	defer stop()
	err := o.fail(o.read(life))
	o.receipts.Wait()
	o.lane.drop(o)
	close(o.done)
	o.report(err)
	o.lane.post.leave(o.lane)
}

// read takes the answers in order. It returns why there are no more.
func (o *outgoing) read(life context.Context) error {
	var back *seal.Recipient
	for {
		b, err := o.conn.ReadFrame(MaxBackFrame)
		if err != nil {
			return err
		}
		k, content, err := splitFrame(b)
		switch {
		case err != nil:
		case k == kindOpen && back == nil:
			back, err = o.accept(content)
		case k == kindUnknown && back == nil:
			err = o.again(content)
		case k == kindAck && back != nil:
			err = o.acked(life, back, content)
		default:
			err = fmt.Errorf("%w: kind %d", errOrder, k)
		}
		if err != nil {
			return err
		}
	}
}

// accept takes the other side's open.
func (o *outgoing) accept(content []byte) (*seal.Recipient, error) {
	answer, err := decodeOpen(content)
	if err != nil {
		return nil, err
	}
	keys := o.lane.post.cfg.Keys
	back, err := openContext(keys, o.peer, dirAnswerer, answer)
	if err != nil {
		return nil, err
	}
	if len(answer.delivery) > 0 {
		if err := keys.Learn(o.peer.Mesh, o.peer.Member, answer.delivery); err != nil {
			return nil, fmt.Errorf("delivery statement: %w", err)
		}
	}
	o.mu.Lock()
	o.accepted = true
	o.mu.Unlock()
	return back, nil
}

// again begins anew with another key, and sends again what was skipped.
func (o *outgoing) again(content []byte) error {
	delivery, err := decodeUnknown(content)
	if err != nil {
		return err
	}
	if len(delivery) > 0 {
		if err := o.lane.post.cfg.Keys.Learn(o.peer.Mesh, o.peer.Member, delivery); err != nil {
			return fmt.Errorf("delivery statement: %w", err)
		}
	}
	o.order.Lock()
	defer o.order.Unlock()
	if err := o.open(); err != nil {
		return err
	}
	for _, p := range o.underWay() {
		if err := o.write(p); err != nil {
			return err
		}
	}
	return o.conn.Flush()
}

func (o *outgoing) underWay() []parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.pending)
}

// acked opens an acknowledgement, makes room and hands the receipt over.
func (o *outgoing) acked(life context.Context, back *seal.Recipient, content []byte) error {
	plain, err := back.Open([]byte{byte(kindAck)}, content)
	if err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	count, receipt, err := decodeAck(plain)
	if err != nil {
		return err
	}
	if err := o.take(count); err != nil {
		return err
	}
	if len(receipt) > 0 {
		o.handOver(life, receipt)
	}
	return nil
}

// handOver gives a receipt to whoever keeps it. It waits only while many are being
// kept: so those that come one after the other can be kept by one commit.
func (o *outgoing) handOver(life context.Context, receipt []byte) {
	o.keeping <- struct{}{}
	o.receipts.Go(func() {
		defer func() { <-o.keeping }()
		o.lane.post.cfg.Receipt(life, o.peer.Mesh, o.peer.Member, receipt)
	})
}

// take removes the oldest count parcels from those under way.
func (o *outgoing) take(count int) error {
	o.mu.Lock()
	if count > len(o.pending) {
		o.mu.Unlock()
		return errWindow
	}
	for _, p := range o.pending[:count] {
		o.bytes -= len(p.body)
	}
	o.pending = slices.Delete(o.pending, 0, count)
	o.progress = time.Now()
	ending := !o.retired.IsZero()
	o.mu.Unlock()
	select {
	case o.room <- struct{}{}:
	default:
	}
	if ending {
		o.settle()
	}
	return nil
}

// report logs the end of a stream and tells of letters that got no answer.
func (o *outgoing) report(err error) {
	o.mu.Lock()
	lost, clean := len(o.pending), o.closed
	o.over = true
	o.mu.Unlock()
	p := o.lane.post
	log := p.log.With("mesh", o.peer.Mesh, "peer", o.peer.Member)
	if clean {
		log.Debug("post stream closed")
		return
	}
	log.Debug("post stream ended", "cause", err, "unacknowledged", lost)
	if lost > 0 && p.cfg.Lost != nil {
		p.cfg.Lost(o.peer.Mesh, o.peer.Member)
	}
}
