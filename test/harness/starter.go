package harness

import "runtime"

// starter starts processes from one thread that lives as long as the world:
// Linux kills a child when the thread that started it ends, and Go ends threads
// as it likes.
type starter struct {
	work chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

// run does what is asked until close. Ending locked ends the thread.
func (s *starter) run() {
	runtime.LockOSThread()
	defer close(s.done)
	for f := range s.work {
		f()
	}
}

// do runs start on the thread and returns its error.
func (s *starter) do(start func() error) error {
	answer := make(chan error, 1)
	s.work <- func() { answer <- start() }
	return <-answer
}

// close ends the thread. Nothing may be asked of it any more.
func (s *starter) close() {
	close(s.work)
	<-s.done
}
