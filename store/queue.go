package store

import "sync"

// op is one call of Update on its way through the writer.
type op struct {
	fn    func(*Tx) error
	err   error         // the result; the caller reads it once done is closed
	done  chan struct{} // closed with the answer
	again bool          // the writer's: put back, not to be answered yet
	taken bool          // guarded by the queue: the writer has it
	gone  bool          // guarded by the queue: the caller gave up
}

func (o *op) answer(err error) {
	o.err = err
	close(o.done)
}

// queue holds the operations the writer has not taken yet, in order.
type queue struct {
	mu      sync.Mutex // guards what follows
	ops     []*op
	closed  bool          // nothing new
	running bool          // a writer was started
	woken   chan struct{} // holds one token when there is something to do
	stopped chan struct{} // closed when the writer has ended
}

func (q *queue) init() {
	q.woken = make(chan struct{}, 1)
	q.stopped = make(chan struct{})
}

func (q *queue) wake() {
	select {
	case q.woken <- struct{}{}:
	default:
	}
}

func (q *queue) put(o *op) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.ops = append(q.ops, o)
	q.wake()
	return nil
}

// withdraw reports whether the operation was still waiting; then it never runs.
func (q *queue) withdraw(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.gone = !o.taken
	return o.gone
}

// take gives the next operations, at most limit, and whether more may come.
func (q *queue) take(limit int) (ops []*op, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.ops) && len(ops) < limit {
		if o := q.ops[n]; !o.gone {
			o.taken, o.again = true, false
			ops = append(ops, o)
		}
		q.ops[n] = nil
		n++
	}
	q.ops = q.ops[n:]
	if len(q.ops) == 0 {
		q.ops = nil
	}
	return ops, !q.closed
}

// back returns operations to the front; they may be withdrawn again.
func (q *queue) back(ops []*op) {
	if len(ops) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range ops {
		o.taken, o.again = false, true
	}
	q.ops = append(ops[:len(ops):len(ops)], q.ops...)
	q.wake()
}

// close refuses new operations; what waits stays.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// refuse answers everything that waits.
func (q *queue) refuse(err error) {
	q.mu.Lock()
	var waiting []*op
	for _, o := range q.ops {
		if !o.gone {
			o.taken = true
			waiting = append(waiting, o)
		}
	}
	q.ops = nil
	q.mu.Unlock()
	for _, o := range waiting {
		o.answer(err)
	}
}

func (q *queue) start() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.running:
		return ErrRunning
	case q.closed:
		return ErrClosed
	}
	q.running = true
	return nil
}

// waitStopped waits for the writer, if there ever was one.
func (q *queue) waitStopped() {
	q.mu.Lock()
	running := q.running
	q.mu.Unlock()
	if running {
		<-q.stopped
	}
}
