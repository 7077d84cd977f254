package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// history is what something was and when, as one knows it who asked for its changes:
// between the question and the answer of a change, and after one without an answer, it
// may be either.
type history[T comparable] struct {
	mu    sync.Mutex // guards what follows
	spans []span[T]
}

// span begins with a change.
type span[T comparable] struct {
	asked, held time.Time // held is zero until the change is known to hold
	value       T
	known       bool
}

// begin says that a change is asked for.
func (h *history[T]) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.spans = append(h.spans, span[T]{asked: time.Now()})
}

// settle says what the change has come to.
func (h *history[T]) settle(value T, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := &h.spans[len(h.spans)-1]
	last.held, last.value, last.known = time.Now(), value, known
}

// during is what it was from one time to another, if it was the same all the while, and
// how long ago at the end of it that was last asked for.
func (h *history[T]) during(from, to time.Time) (value T, age time.Duration, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var last *span[T]
	for i := len(h.spans) - 1; i >= 0; i-- {
		s := &h.spans[i]
		if s.asked.After(to) {
			continue
		}
		if last == nil {
			last = s
		}
		if !s.known || s.held.IsZero() || s.value != last.value {
			break
		}
		if !s.held.After(from) {
			return s.value, to.Sub(last.asked), true
		}
	}
	return value, 0, false
}

// around tells of the changes shortly before and after a moment.
func (h *history[T]) around(at time.Time) string {
	const near = 10 * time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	out := ""
	for i, s := range h.spans {
		over := i+1 < len(h.spans) && h.spans[i+1].asked.Before(at.Add(-near))
		if over || s.asked.After(at.Add(near)) {
			continue
		}
		value := "perhaps"
		if s.known {
			value = fmt.Sprint(s.value)
		}
		out += fmt.Sprintf(" %s-%s %s", s.asked.Format(clock), s.held.Format(clock), value)
	}
	return out
}

// clock shows times in reports.
const clock = "15:04:05.000"

// tri is yes, no or not known.
type tri int8

const (
	perhaps tri = iota
	yes
	no
)

// sure is the answer of a history.
func sure(h *history[bool], from, to time.Time) tri {
	value, _, known := h.during(from, to)
	switch {
	case !known:
		return perhaps
	case value:
		return yes
	}
	return no
}

// all is yes if all are, and no if one is.
func all(list ...tri) tri {
	out := yes
	for _, t := range list {
		if t == no {
			return no
		}
		if t == perhaps {
			out = perhaps
		}
	}
	return out
}

// some is yes if one is, and no if all are.
func some(list ...tri) tri {
	out := no
	for _, t := range list {
		if t == yes {
			return yes
		}
		if t == perhaps {
			out = perhaps
		}
	}
	return out
}

func TestHistory(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	h := &history[string]{spans: []span[string]{
		{asked: at(10), held: at(12), value: "a", known: true},
		{asked: at(20), held: at(22)},
		{asked: at(30), held: at(32), value: "b", known: true},
		{asked: at(35), held: at(36), value: "b", known: true},
		{asked: at(40)},
	}}
	for _, c := range []struct {
		from, to int
		want     string
		known    bool
	}{
		{5, 9, "", false},
		{11, 15, "", false},
		{12, 19, "a", true},
		{12, 20, "", false},
		{23, 29, "", false},
		{32, 39, "b", true},
		{31, 39, "", false},
		{36, 39, "b", true},
		{33, 41, "", false},
		{50, 51, "", false},
	} {
		value, _, known := h.during(at(c.from), at(c.to))
		if value != c.want || known != c.known {
			t.Errorf("from %d to %d: %q, %v; want %q, %v", c.from, c.to, value, known, c.want, c.known)
		}
	}
}
