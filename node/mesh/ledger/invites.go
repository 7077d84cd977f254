package ledger

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Invite is one invite of the log and what became of it.
type Invite struct {
	ID string `json:"id" jsonschema:"id of its entry, hex"`
	By string `json:"by" jsonschema:"who made it"`
	// Admitter names whose node admits with it.
	Admitter string   `json:"admitter"`
	Role     string   `json:"role"`
	Uses     int      `json:"uses"`
	Used     int      `json:"used"`
	UsedBy   []string `json:"used_by,omitempty" jsonschema:"who was admitted with it"`
	Made     string   `json:"created_at" jsonschema:"RFC 3339"`
	Expires  string   `json:"expires_at,omitempty" jsonschema:"RFC 3339; empty: never"`
	State    string   `json:"state" jsonschema:"open, used up, expired or ended"`

	Name    string   `json:"name,omitempty" jsonschema:"the name it gives"`
	RoleTag string   `json:"role_tag,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Mode    string   `json:"message_mode,omitempty"`
}

// Invites lists all invites, the newest first. now judges what has expired.
func Invites(l *trust.Log, now time.Time) []Invite {
	names, state := Names(l), l.State()
	users := usersOf(l, state, names)
	out := []Invite{}
	for id, v := range state.Invites {
		out = append(out, Invite{
			ID: hexOf(id), By: nameOf(names, v.Signer), Admitter: nameOf(names, v.Admitter),
			Role: v.Role.String(), Uses: v.Uses, Used: v.Used, UsedBy: users[id],
			Made: stamp(v.Time), Expires: stamp(v.Expires), State: stateOf(v, now),
			Name: v.Preset.Name, RoleTag: v.Preset.Tag, Groups: v.Preset.Groups, Mode: v.Preset.Mode,
		})
	}
	slices.SortFunc(out, func(a, b Invite) int {
		return cmp.Or(strings.Compare(b.Made, a.Made), strings.Compare(a.ID, b.ID))
	})
	return out
}

func stateOf(v trust.InviteState, now time.Time) string {
	switch {
	case v.Used >= v.Uses:
		return "used up"
	case v.Ended:
		return "ended"
	case v.Expired(now):
		return "expired"
	}
	return "open"
}

// usersOf names whom each invite admitted, by entries that count.
func usersOf(l *trust.Log, state *trust.State, names map[ident.PublicKey]string) map[ident.ID][]string {
	out := map[ident.ID][]string{}
	for _, e := range l.Entries() {
		a, ok := e.Body().(*trust.Admit)
		if ok && !a.Invite.IsZero() && state.Counted(e.ID()) {
			out[a.Invite] = append(out[a.Invite], nameOf(names, a.Claimed.Keys.Member))
		}
	}
	return out
}

// FindInvites finds the open invites that are meant: by the first 8 or more hex
// digits of an id each, or with all every one. It fails with op.NotFound,
// op.Ambiguous, or op.Conflict for one that is not open.
func FindInvites(l *trust.Log, now time.Time, ids []string, all bool) ([]ident.ID, error) {
	var found []ident.ID
	invites := l.State().Invites
	if all {
		for id, v := range invites {
			if v.Open() && !v.Expired(now) {
				found = append(found, id)
			}
		}
		return found, nil
	}
	for _, text := range ids {
		id, err := FindID(text, func(yield func(ident.ID) bool) {
			for id := range invites {
				if !yield(id) {
					return
				}
			}
		})
		if err != nil {
			return nil, err
		}
		if v := invites[id]; !v.Open() {
			return nil, op.Errorf(op.Conflict, "the invite %s is %s already", text, stateOf(v, now)).
				WithHint("`claudemesh invites` lists them")
		}
		found = append(found, id)
	}
	return found, nil
}

// FindID finds the one id that begins with at least 8 hex digits of text.
func FindID(text string, ids func(yield func(ident.ID) bool)) (ident.ID, error) {
	var found ident.ID
	hits := 0
	for id := range ids {
		if len(text) >= minPrefix && strings.HasPrefix(hexOf(id), strings.ToLower(text)) {
			found, hits = id, hits+1
		}
	}
	switch hits {
	case 1:
		return found, nil
	case 0:
		return found, op.Errorf(op.NotFound, "nothing has the id %q", text).
			WithHint("give the first %d or more characters of an id that is listed", minPrefix)
	}
	return found, op.Errorf(op.Ambiguous, "%d ids begin with %q", hits, text).WithHint("give more characters of it")
}

func hexOf(id ident.ID) string { return hex.EncodeToString(id[:]) }
