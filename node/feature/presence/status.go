package presence

import (
	"context"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
)

// SetStatus says what a session does.
var SetStatus = op.Spec[SetStatusRequest, SetStatusResponse]{
	ID: "status.set",
	Doc: "Set your status: idle, working or dnd (do not disturb). " +
		"While you are working or dnd only messages of priority now reach you, the others wait until you are idle. " +
		"dnd stays until you set another status; idle and working hold until your agent is seen doing something else.",
	Names: op.Names{Tool: "set_status", CLI: "status set <idle|working|dnd>"},
	Needs: op.Profile,
	Core:  true,
}

// Report tells what an agent was seen to do.
var Report = op.Spec[ReportRequest, ReportResponse]{
	ID:    "status.report",
	Doc:   "Tell what an agent was seen to do, as its hooks do. The session is found by the agent's session id, else by process and folder.",
	Needs: op.Profile,
}

// OfSession is embedded by requests that change a session: an agent changes its own,
// a person at the terminal names one.
type OfSession struct {
	Session string `json:"session,omitempty" jsonschema:"only from a terminal: which of your sessions, by name, agent session id or key; not needed when one is open"`
}

// SetStatusRequest carries the status.
type SetStatusRequest struct {
	op.InMesh
	OfSession
	Status string `json:"status" jsonschema:"idle, working or dnd"`
}

// SetStatusResponse echoes it.
type SetStatusResponse struct {
	Status string   `json:"status"`
	Source string   `json:"source"`
	Meshes []string `json:"meshes"`
}

// Text confirms.
func (r SetStatusResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r SetStatusResponse) Lines() []op.Phrase {
	return []op.Phrase{op.Phrasef("Status %s in %s.", r.Status, strings.Join(r.Meshes, ", "))}
}

// ReportRequest is what a hook saw.
type ReportRequest struct {
	AgentSession string `json:"agent_session,omitempty" jsonschema:"the agent's own session id"`
	PID          int    `json:"pid,omitempty" jsonschema:"process id of the agent"`
	PIDs         []int  `json:"pids,omitempty" jsonschema:"where the agent is not known for certain: the processes above the one that reports, nearest first, at most 16"`
	Cwd          string `json:"cwd,omitempty"`
	Status       string `json:"status,omitempty" jsonschema:"idle or working; empty: no news of it"`
	Event        string `json:"event,omitempty" jsonschema:"what happened; prompt: a person gave the agent something to do"`
	Guess        bool   `json:"guess,omitempty" jsonschema:"the status is inferred, not seen"`
}

// ReportResponse tells what became of it.
type ReportResponse struct {
	Found  bool   `json:"found" jsonschema:"whether the session is known; if not, the report waits some seconds for it"`
	Status string `json:"status,omitempty" jsonschema:"the session's status now"`
	// OpenedAs is the agent session id that the session was opened under last: its
	// token is kept under that.
	OpenedAs string `json:"opened_as,omitempty" jsonschema:"the agent's session id when the session was opened"`
}

// lateReport is how long after a session's end a report of its agent may still be one
// of before.
const lateReport = 5 * time.Second

// EventPrompt is the event of a person who gave the agent something to do.
const EventPrompt = "prompt"

func (f *Feature) answerSetStatus(ctx context.Context, c op.Caller, in SetStatusRequest) (SetStatusResponse, error) {
	if !status.Valid(in.Status) {
		return SetStatusResponse{}, op.Errorf(op.Invalid, "there is no status %q", in.Status).WithHint("use idle, working or dnd")
	}
	out := SetStatusResponse{Status: in.Status, Source: string(status.Manual)}
	meshes, err := f.change(ctx, c, in.OfSession, in.Mesh, func(_ *live, p place) (place, error) {
		p.Status = p.Status.Write(in.Status, status.Manual, f.cfg.Now())
		out.Source = string(p.Status.Source)
		return p, nil
	})
	out.Meshes = meshes
	return out, err
}

func (f *Feature) answerReport(ctx context.Context, c op.Caller, in ReportRequest) (ReportResponse, error) {
	if in.Status != "" && in.Status != status.Idle && in.Status != status.Working {
		return ReportResponse{}, op.Errorf(op.Invalid, "an agent cannot be seen to be %q", in.Status).WithHint("report idle or working")
	}
	r := status.Report{
		Agent: status.Agent{PID: in.PID, Cwd: clip(in.Cwd, roster.MaxCwd)}, Session: clip(in.AgentSession, maxAgentID),
		Value: in.Status, Event: clip(in.Event, roster.MaxWord), Guess: in.Guess,
	}
	mono := f.cfg.Mono()
	f.mu.Lock()
	if !f.reports.Allow(r.Agent, mono) {
		f.mu.Unlock()
		return ReportResponse{}, op.Errorf(op.RateLimited, "more than %d reports in a minute from process %d in %s", status.PerMinute, in.PID, in.Cwd).
			WithHint("try again in a minute")
	}
	l := f.running(in.PIDs, r.Session)
	switch {
	case l != nil && c.Session == "":
		f.goesUnder(l, r.Session)
	default:
		l = f.reported(c, r)
	}
	if l == nil {
		if c.Session == "" {
			f.reports.Keep(r, mono)
		}
		f.mu.Unlock()
		return ReportResponse{}, nil
	}
	changed := f.apply(l, r, f.cfg.Now())
	out := ReportResponse{Found: true, Status: f.shownStatus(l), OpenedAs: l.OpenedAs}
	id := l.ID
	f.mu.Unlock()
	if err := f.keep(ctx, id); err != nil {
		return ReportResponse{}, err
	}
	if changed {
		f.changed(id)
	}
	return out, nil
}

// apply writes a report into a session and tells whether others see a difference.
// The agent that reports runs: its session is open. The caller holds f.mu.
func (f *Feature) apply(l *live, in status.Report, now time.Time) (changed bool) {
	if in.Event == EventPrompt {
		l.Prompted = now
	}
	l.active = now
	if l.Closed && now.Sub(l.Ended) >= lateReport {
		f.reopen(l)
		changed = true
	}
	if l.follow == 0 {
		l.deadline = max(l.deadline, f.cfg.Mono()+roster.Grace)
	}
	if in.Value == "" {
		return changed
	}
	source := status.Hook
	if in.Guess {
		source = status.Inferred
	}
	for mesh := range l.Names {
		p := l.place(mesh)
		was := p.Status
		p.Status = p.Status.Write(in.Value, source, now)
		l.Places[mesh] = p
		changed = changed || was.Value != p.Status.Value || was.Source != p.Status.Source
	}
	return changed
}

// takeReports applies what was reported of a session just before it appeared. The
// caller holds f.mu.
func (f *Feature) takeReports(l *live, in OpenRequest) {
	a := status.Agent{PID: in.PID, Cwd: clip(in.Cwd, roster.MaxCwd)}
	for _, r := range f.reports.Take(in.AgentSession, a, f.cfg.Mono()) {
		f.apply(l, r, f.cfg.Now())
	}
}

// shownStatus is the status in whichever mesh, as reports write all alike. The
// caller holds f.mu.
func (f *Feature) shownStatus(l *live) string {
	for mesh := range l.Names {
		return l.place(mesh).Status.Value
	}
	return ""
}

// reported finds the session that a report is about, or nil: by the agent's session
// id, else by process and folder, else the newest in the folder. An agent with an id
// and a process of its own is not taken for another process in its folder. The caller
// holds f.mu.
func (f *Feature) reported(c op.Caller, in status.Report) *live {
	if c.Session != "" {
		return f.sessions[c.Session]
	}
	if l, ok := f.byAgent[in.Session]; ok && in.Session != "" {
		return l
	}
	var best *live
	exact := func(l *live) bool { return l != nil && in.PID > 0 && l.PID == in.PID }
	for _, l := range f.sessions {
		if l.ID == UserSession || l.Closed || in.Cwd == "" || l.Cwd != in.Cwd {
			continue
		}
		if in.Session != "" && in.PID > 0 && l.PID > 0 && !exact(l) {
			continue
		}
		if best == nil || exact(l) && !exact(best) || exact(l) == exact(best) && l.Opened.After(best.Opened) {
			best = l
		}
	}
	return best
}

// maxPIDs is how many processes above a reporting one are looked at.
const maxPIDs = 16

// running finds the session whose agent is one of these processes and runs, nearest
// first, unless the agent's session id names one that has its agent. An agent takes
// another id at /clear, which its server is not told. The caller holds f.mu.
func (f *Feature) running(pids []int, agent string) *live {
	runs := func(l *live) bool { return !l.Closed && !l.left && l.ID != UserSession }
	if l, ok := f.byAgent[agent]; ok && runs(l) {
		return nil
	}
	for _, pid := range pids[:min(len(pids), maxPIDs)] {
		var found *live
		for _, l := range f.sessions {
			if pid > 1 && l.PID == pid && runs(l) {
				if found != nil {
					return nil // one process, several sessions: its id must tell
				}
				found = l
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// goesUnder notes the id under which a session's agent goes on, unless that is
// another's. The caller holds f.mu.
func (f *Feature) goesUnder(l *live, agent string) {
	if _, taken := f.byAgent[agent]; !taken && agent != "" {
		l.Agents = append(l.Agents, agent)
		f.index(l)
	}
}

// sweep lets statuses decay that nobody has said again.
func (f *Feature) sweep() {
	now := f.cfg.Now()
	var decayed []string
	f.mu.Lock()
	for id, l := range f.sessions {
		if l.Closed {
			continue
		}
		moved := false
		for mesh := range l.Names {
			p := l.place(mesh)
			if s := p.Status.Swept(now); s.Value != p.Status.Value {
				p.Status = s
				l.Places[mesh] = p
				moved = true
			}
		}
		if moved {
			decayed = append(decayed, id)
		}
	}
	f.mu.Unlock()
	for _, id := range decayed {
		f.saveSession(id)
		f.changed(id)
	}
}
