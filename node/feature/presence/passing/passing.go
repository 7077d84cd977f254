package passing

import "sync"

// Most is how many events wait for one listener.
const Most = 64

// Hub gives events to listeners. The zero value is ready. It is safe for concurrent
// use.
type Hub[E any] struct {
	mu        sync.Mutex // guards what follows, and the listeners' queues
	listeners map[*Listener[E]]bool
}

// Listener is one that hears the events for an address, in their order.
type Listener[E any] struct {
	hub     *Hub[E]
	address string
	told    chan struct{}
	waiting []E
}

// Listen begins to hear what is for address. The listener must be closed.
func (h *Hub[E]) Listen(address string) *Listener[E] {
	l := &Listener[E]{hub: h, address: address, told: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners == nil {
		h.listeners = make(map[*Listener[E]]bool)
	}
	h.listeners[l] = true
	return l
}

// Tell gives an event to all listeners of the addresses that to chooses. It does not
// wait for them.
func (h *Hub[E]) Tell(e E, to func(address string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		if !to(l.address) {
			continue
		}
		if len(l.waiting) == Most {
			l.waiting = append(l.waiting[:0], l.waiting[1:]...)
		}
		l.waiting = append(l.waiting, e)
		select {
		case l.told <- struct{}{}:
		default:
		}
	}
}

// Told gives a value when events wait. One value may stand for several events.
func (l *Listener[E]) Told() <-chan struct{} { return l.told }

// Take takes all events that wait.
func (l *Listener[E]) Take() []E {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	out := l.waiting
	l.waiting = nil
	return out
}

// Close ends listening.
func (l *Listener[E]) Close() {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	delete(l.hub.listeners, l)
}
