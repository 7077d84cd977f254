package card

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Kind is the collection of session cards. A key is as Key makes it, and only the member
// in it writes it. The value is Facts as JSON.
const Kind = "card"

// MaxSize is the largest card in bytes.
const MaxSize = 8 << 10

// ErrCard refuses a session card that could not be shown.
var ErrCard = errors.New("malformed session card")

// Facts are what a session card says. It is a record: written when something of it
// changes, not with every beacon.
type Facts struct {
	Name    string        `json:"name"`
	Open    bool          `json:"open"`
	Visible bool          `json:"visible"`
	Person  bool          `json:"person,omitempty"` // the terminal's session: never listed
	Groups  []group.Group `json:"groups,omitempty"`
	Summary string        `json:"summary,omitempty"`
	Role    string        `json:"role,omitempty"`
	Cwd     string        `json:"cwd,omitempty"`
	Host    string        `json:"host,omitempty"`
	Kind    string        `json:"type,omitempty"`
	Channel string        `json:"channel,omitempty"`
	Model   string        `json:"model,omitempty"`
	Opened  time.Time     `json:"opened"`
	Seen    time.Time     `json:"seen"`    // when it was last known to be there
	Consent []byte        `json:"consent"` // the session's signature that it is the member's
}

// Key is the key of a session's card: the member's key and the session's, in hex, with a
// slash between.
func Key(member, session ident.PublicKey) string {
	return member.String() + "/" + session.String()
}

// Split reads what Key wrote, and nothing else.
func Split(key string) (member, session ident.PublicKey, ok bool) {
	a, b, ok := strings.Cut(key, "/")
	if !ok {
		return member, session, false
	}
	member, err := ident.ParsePublicKeyHex(a)
	if err != nil {
		return member, session, false
	}
	session, err = ident.ParsePublicKeyHex(b)
	return member, session, err == nil && Key(member, session) == key
}

// Decode reads a card. It refuses one that could not be shown, with ErrCard.
func Decode(value []byte) (Facts, error) {
	var c Facts
	if len(value) > MaxSize {
		return c, fmt.Errorf("%w: %d bytes", ErrCard, len(value))
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCard, err)
	}
	if c.Name == "" || len(c.Groups) > group.MaxCount || len(c.Consent) != ConsentSize {
		return c, fmt.Errorf("%w: its name, groups or consent", ErrCard)
	}
	for _, word := range []string{c.Name, c.Role, c.Host, c.Kind, c.Channel, c.Model} {
		if len(word) > roster.MaxWord {
			return c, fmt.Errorf("%w: a word of %d bytes", ErrCard, len(word))
		}
	}
	if len(c.Cwd) > roster.MaxCwd || len(c.Summary) > 4*roster.MaxSummary {
		return c, fmt.Errorf("%w: a folder of %d or a summary of %d bytes", ErrCard, len(c.Cwd), len(c.Summary))
	}
	for _, g := range c.Groups {
		if clean, err := group.Clean(g.Name); err != nil || clean != g.Name || group.CheckRole(g.Role) != nil {
			return c, fmt.Errorf("%w: the group %q", ErrCard, g.Name)
		}
	}
	return c, nil
}

// Same tells whether two cards say the same, but for when the session was seen.
func Same(a, b Facts) bool {
	a.Seen, b.Seen = time.Time{}, time.Time{}
	if len(a.Groups) == 0 && len(b.Groups) == 0 {
		a.Groups, b.Groups = nil, nil
	}
	if !a.Opened.Equal(b.Opened) {
		return false
	}
	a.Opened, b.Opened = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
