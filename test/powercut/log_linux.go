package powercut

import (
	"bytes"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
)

// acksID is the number of the file of acknowledgements.
const acksID = -1

// log is the ordered list of what happened in the file system.
type log struct {
	fault func(Op) syscall.Errno

	mu      sync.Mutex // guards what follows; held while a change happens, so that the log has its order
	events  []event
	ids     map[stable]int
	next    int
	partial []byte // of an acknowledgement
	acks    int
	ops     map[OpKind]int
	waiters []waiter
}

// stable names a file of the folder behind the mount while it exists.
type stable struct{ ino, gen uint64 }

// waiter waits for a number of acknowledgements.
type waiter struct {
	acks int
	done chan struct{}
}

func newLog(fault func(Op) syscall.Errno) *log {
	return &log{fault: fault, ids: map[stable]int{}, next: rootDir + 1, ops: map[OpKind]int{}}
}

// allow asks whether an operation may happen.
func (l *log) allow(kind OpKind, name string, end int64) syscall.Errno {
	if l.fault == nil {
		return 0
	}
	l.mu.Lock()
	l.ops[kind]++
	op := Op{Kind: kind, Name: name, N: l.ops[kind], End: end}
	l.mu.Unlock()
	return l.fault(op)
}

// change runs do, which changes the folder behind the mount, and logs its
// event if that succeeded.
func (l *log) change(do func() (event, syscall.Errno)) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, errno := do()
	if errno != 0 {
		return errno
	}
	if e.file == acksID || e.name == ackFile {
		if e.kind == evWrite {
			l.ack(e.data)
		}
		return 0
	}
	l.events = append(l.events, e)
	return 0
}

// ack logs the whole lines of what was written to the acknowledgements.
func (l *log) ack(data []byte) {
	l.partial = append(l.partial, data...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			break
		}
		l.events = append(l.events, event{kind: evAck, name: string(line)})
		l.partial = rest
		l.acks++
	}
	l.waiters = slices.DeleteFunc(l.waiters, func(w waiter) bool {
		if l.acks < w.acks {
			return false
		}
		close(w.done)
		return true
	})
}

// reached gives a channel that is closed at that many acknowledgements; nil
// for none.
func (l *log) reached(acks int) <-chan struct{} {
	if acks == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := waiter{acks: acks, done: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	if l.acks >= acks {
		close(w.done)
		l.waiters = l.waiters[:len(l.waiters)-1]
	}
	return w.done
}

// position is the number of events so far.
func (l *log) position() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// take gives the log; nothing is recorded any more.
func (l *log) take() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events
}

// id gives the number of a file; fresh ones are new to the log. Called by
// change's functions, with the lock held.
func (l *log) id(a fs.StableAttr, fresh, acks bool) int {
	key := stable{a.Ino, a.Gen}
	switch {
	case acks:
		l.ids[key] = acksID
	case fresh:
		l.ids[key] = l.next
		l.next++
	}
	return l.ids[key] // the root is 0
}
