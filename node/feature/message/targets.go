package message

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// many tells whether a target means whoever is in a group.
func many(target string) bool { return target == "*" || strings.HasPrefix(target, "@") }

// addressing is the targets of one message on their way to rows.
type addressing struct {
	f *Feature
	d *draft
	// all are the caller's sessions in every mesh: their names may stand before
	// targets.
	all      []Self
	found    []Address         // by target; zero for groups and failures
	members  []ident.PublicKey // whom the groups mean
	failures []error
}

// address resolves the targets: a row per address and per member that a group
// means, a result per target typed. The call fails only if no target worked.
func (f *Feature) address(d *draft, c op.Caller, targets []string) error {
	a := &addressing{f: f, d: d, found: make([]Address, len(targets))}
	if slices.ContainsFunc(targets, func(t string) bool { return strings.Contains(t, ":") }) {
		a.all, _ = f.cfg.Sessions.Callers(c) // without it a colon is part of a name
	}
	for i, t := range targets {
		r, err := a.one(i, t)
		if err != nil {
			a.failures = append(a.failures, err)
			r = TargetResult{Error: sentence(err), Code: op.CodeOf(err)}
		}
		r.Target, r.OK = t, err == nil
		d.results = append(d.results, r)
	}
	if len(a.failures) == len(targets) {
		return noTarget(a.failures, d.results)
	}
	a.direct(targets)
	a.groups()
	return nil
}

// one finds whom one target means.
func (a *addressing) one(i int, typed string) (TargetResult, error) {
	if len(typed) > letter.MaxTarget {
		return TargetResult{}, op.Errorf(op.TooLarge, "the target has %d bytes, the limit is %d", len(typed), letter.MaxTarget).
			WithHint("send to a key, or to a shorter name")
	}
	target := strings.TrimSpace(typed)
	if s, rest, ok := prefixed(a.all, target); ok {
		if s.Mesh != a.d.self.Mesh {
			return TargetResult{}, op.Errorf(op.Invalid, "%q is in another mesh than the rest: this message goes to %s", typed, a.d.self.Slug).
				WithHint("send to it in a call of its own")
		}
		target = rest
	}
	switch {
	case many(target) && a.d.self.Narrow:
		return TargetResult{}, lacks(a.d.self, "send to groups and to everybody", "broadcast")
	case many(target):
		return a.group(target)
	case a.d.self.Silent:
		return TargetResult{}, lacks(a.d.self, "send messages", "send")
	}
	found, ok := a.f.asker(a.d, target)
	if !ok {
		var err error
		if found, err = a.f.cfg.Sessions.Resolve(a.d.self.Mesh, a.d.self, target); err != nil {
			return TargetResult{}, err
		}
	}
	if found.Key == a.d.self.Session {
		return TargetResult{}, op.Errorf(op.Invalid, "%q is this session itself", typed)
	}
	a.found[i] = found
	return TargetResult{}, nil
}

// lacks refuses what a session was not given the right to.
func lacks(self Self, what, right string) error {
	return op.Errorf(op.Denied, "the session %s may not %s: it was opened without the right %s", self.Name, what, right).
		WithHint("open it with more rights: `claudemesh mcp --rights`")
}

// group finds the members that a group means now. They do not change any more.
func (a *addressing) group(target string) (TargetResult, error) {
	d := a.d
	members, err := a.f.cfg.Crowd.Audience(d.self.Mesh, target)
	if err != nil {
		return TargetResult{}, err
	}
	own, _ := a.f.cfg.Crowd.Matching(d.self.Mesh, target)
	own = slices.DeleteFunc(slices.Clone(own), func(k ident.PublicKey) bool { return k == d.self.Session })
	others := slices.DeleteFunc(slices.Clone(members), func(k ident.PublicKey) bool { return k == d.self.Member })
	if len(own)+len(others) == 0 {
		return TargetResult{}, op.Errorf(op.NotFound, "nobody but you is in %q", target).
			WithHint("list_peers (`claudemesh peers`) shows who is in which group")
	}
	if size := a.targetBytes() + len(target); !slices.Contains(d.msg.Targets, target) {
		if len(d.msg.Targets) == letter.MaxTargets || size > letter.MaxTargetBytes {
			return TargetResult{}, op.Errorf(op.TooLarge, "more than %d groups, or %d bytes of their names", letter.MaxTargets, letter.MaxTargetBytes).
				WithHint("send it in several messages")
		}
		d.msg.Reach, d.msg.Targets = letter.Mesh, append(d.msg.Targets, target)
	}
	for _, k := range own {
		d.crowd = add(d.crowd, k)
	}
	for _, k := range others {
		a.members = add(a.members, k)
	}
	state := Queued
	if len(others) == 0 {
		state = Delivered
	}
	recipients := len(others)
	if len(own) > 0 {
		recipients++ // the own member's row
	}
	return TargetResult{Name: target, Members: recipients, State: state}, nil
}

func (a *addressing) targetBytes() (n int) {
	for _, t := range a.d.msg.Targets {
		n += len(t)
	}
	return n
}

func add(list []ident.PublicKey, k ident.PublicKey) []ident.PublicKey {
	if slices.Contains(list, k) {
		return list
	}
	return append(list, k)
}

// direct makes the rows of what was named. A session absorbs its member.
func (a *addressing) direct(targets []string) {
	sessions := make(map[ident.PublicKey]Address) // by member
	for _, found := range a.found {
		if _, ok := sessions[found.Member]; found.IsSession && !ok {
			sessions[found.Member] = found
		}
	}
	rows := make(map[ident.PublicKey]int)
	for i, found := range a.found {
		if found == (Address{}) {
			continue
		}
		if s, ok := sessions[found.Member]; ok && !found.IsSession {
			found = s
		}
		n, ok := rows[found.Key]
		if !ok {
			n = a.d.addRow(found, targets[i])
			rows[found.Key] = n
		}
		r := &a.d.results[i]
		r.Name, r.Key, r.Online = a.d.rows[n].Name, found.Key.String(), found.Online
		r.State = State(a.d.rows[n].State.String())
		if a.f.cfg.Warn != nil {
			r.Warning = a.f.cfg.Warn(a.d.self.Mesh, found.Member)
		}
	}
}

// groups makes the rows of the members that groups mean: one each, at their homes,
// and one for this node if sessions here are meant.
func (a *addressing) groups() {
	d := a.d
	if len(d.msg.Targets) == 0 {
		return
	}
	target := strings.Join(d.msg.Targets, ", ")
	members := slices.Clone(a.members)
	if len(d.crowd) > 0 {
		members = append(members, d.self.Member)
	}
	slices.SortFunc(members, ident.PublicKey.Compare)
	for n, k := range members {
		if i := slices.IndexFunc(d.rows, func(r outbox.Row) bool { return r.Address == k }); i >= 0 {
			d.rows[i].Also = true
			continue
		}
		name, _ := a.f.cfg.Trust.Member(d.self.Mesh, k)
		r := outbox.Row{
			Address: k, Home: k, State: delivery.Queued, Since: d.msg.Created,
			Index: letter.Everyone + n, Target: target, Name: name,
		}
		if k == d.self.Member {
			r.State = delivery.Delivered // in the same commit
		}
		d.rows = append(d.rows, r)
	}
}

func (d *draft) addRow(a Address, target string) int {
	state := delivery.Queued
	if a.Member == d.self.Member {
		state = delivery.Delivered // in the same commit
	}
	d.msg.To = append(d.msg.To, a.Key)
	d.rows = append(d.rows, outbox.Row{
		Address: a.Key, Home: a.Member, State: state, Since: d.msg.Created,
		Index: len(d.rows), Target: target, Name: a.Name,
	})
	return len(d.rows) - 1
}

// here lists who on this node gets an accepted message: those named, and the
// sessions that groups mean. They absorb their member.
func (d *draft) here() []ident.PublicKey {
	var out []ident.PublicKey
	for _, r := range d.rows {
		named := r.Index < letter.Everyone && r.Home == d.self.Member
		if named && (r.Address != d.self.Member || len(d.crowd) == 0) {
			out = append(out, r.Address)
		}
	}
	for _, k := range d.crowd {
		out = add(out, k)
	}
	return out
}
