package status

import (
	"slices"
	"time"
)

// PerMinute is how many reports one agent may make in a minute.
const PerMinute = 30

// maxAgents and maxWaiting bound what is remembered of agents that report.
const (
	maxAgents  = 256
	maxWaiting = 64
)

// Agent is a process that reports.
type Agent struct {
	PID int
	Cwd string
}

// Report is what an agent was seen to do.
type Report struct {
	Agent
	Session string // the agent's own session id; may be empty
	Value   string // idle, working or nothing
	Event   string
	Guess   bool
}

// Reports limits reports and keeps those whose session is about to appear. Callers
// give monotonic time. The zero value is ready. It is not safe for concurrent use.
type Reports struct {
	recent  map[Agent][]time.Duration
	waiting []waiting
}

type waiting struct {
	Report
	at time.Duration
}

// Allow counts a report and tells whether the agent may make it.
func (r *Reports) Allow(a Agent, now time.Duration) bool {
	over := func(at time.Duration) bool { return now-at >= time.Minute }
	if len(r.recent) >= maxAgents {
		for other, times := range r.recent {
			if over(times[len(times)-1]) {
				delete(r.recent, other)
			}
		}
	}
	times := slices.DeleteFunc(r.recent[a], over)
	if len(times) >= PerMinute || len(times) == 0 && len(r.recent) >= maxAgents {
		return false
	}
	if r.recent == nil {
		r.recent = make(map[Agent][]time.Duration)
	}
	r.recent[a] = append(times, now)
	return true
}

// Keep remembers a report of a session that nobody knows yet.
func (r *Reports) Keep(in Report, now time.Duration) {
	r.expire(now)
	if len(r.waiting) == maxWaiting {
		r.waiting = slices.Delete(r.waiting, 0, 1)
	}
	r.waiting = append(r.waiting, waiting{in, now})
}

// Take takes out what was reported of a session that has just appeared, oldest first:
// by its id, or by process and folder together.
func (r *Reports) Take(session string, a Agent, now time.Duration) []Report {
	r.expire(now)
	var out []Report
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiting) bool {
		mine := w.Session != "" && w.Session == session || a.PID > 0 && a.Cwd != "" && w.Agent == a
		if mine {
			out = append(out, w.Report)
		}
		return mine
	})
	return out
}

func (r *Reports) expire(now time.Duration) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiting) bool { return now-w.at > Pending })
}
