package grant

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Cap is something that a principal is let do. Values are sets of them.
type Cap uint8

// The capabilities; the package comment says what each means.
const (
	Read Cap = 1 << iota
	DM
	Broadcast
	StateRead
	StateWrite
	FileRead

	all = FileRead<<1 - 1
	// standard is what a principal has of whom nothing was said.
	standard = Read | DM | Broadcast | StateRead
)

// Names of the capabilities, by bit, and the words that stand for several.
var capNames = [...]string{"read", "dm", "broadcast", "state-read", "state-write", "file-read"}

const (
	wordAll  = "all"
	wordNone = "none"
)

// names lists the capabilities of a set.
func (c Cap) names() []string {
	out := []string{}
	for i, n := range capNames {
		if c&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// parseCaps reads capabilities as people type them: words, or several in one with
// commas between.
func parseCaps(words []string) (c Cap, err error) {
	for _, w := range words {
		for name := range strings.SplitSeq(w, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			i := slices.Index(capNames[:], name)
			switch {
			case name == wordAll:
				c |= all
			case i >= 0:
				c |= 1 << i
			default:
				return 0, op.Errorf(op.Invalid, "there is no capability %q", name).
					WithHint("use some of %s, or %s", strings.Join(capNames[:], ", "), wordAll)
			}
		}
	}
	if c == 0 {
		return 0, op.Errorf(op.Invalid, "no capability is named").WithHint("use some of %s, or %s", strings.Join(capNames[:], ", "), wordAll)
	}
	return c, nil
}

// rule is what was said of one principal, or of everybody else.
type rule struct {
	caps Cap
	// muted: its writes to shared state were taken from it.
	muted bool
}

// untold is the rule for principals of whom nothing was said, unless the member has
// chosen another.
var untold = rule{caps: standard}

// kept is a rule on disk.
type kept struct {
	Caps  []string `json:"caps"`
	Muted bool     `json:"muted,omitempty"`
}

// MarshalJSON writes what UnmarshalJSON reads.
func (r rule) MarshalJSON() ([]byte, error) { return json.Marshal(kept{r.caps.names(), r.muted}) }

// UnmarshalJSON fails on what this version does not know, rather than let somebody do
// what was taken from them.
func (r *rule) UnmarshalJSON(b []byte) error {
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return err
	}
	*r = rule{muted: k.Muted}
	if len(k.Caps) == 0 {
		return nil
	}
	var err error
	r.caps, err = parseCaps(k.Caps)
	return err
}

// allows tells whether the rule lets somebody do all of c.
func (r rule) allows(c Cap) bool {
	have := r.caps
	if !r.muted {
		have |= StateWrite
	}
	return have&c == c
}

// blocks tells whether the rule lets somebody do nothing at all.
func (r rule) blocks() bool { return r.caps == 0 && r.muted }

func (r rule) with(c Cap) rule { return rule{r.caps | c, r.muted && c&StateWrite == 0} }

func (r rule) without(c Cap) rule { return rule{r.caps &^ c, r.muted || c&StateWrite != 0} }

// Whether somebody's writes to shared state count.
const (
	writesYes  = "yes"
	writesNo   = "no"
	writesMesh = "as the mesh says"
)

func (r rule) writes() string {
	switch {
	case r.muted:
		return writesNo
	case r.caps&StateWrite != 0:
		return writesYes
	}
	return writesMesh
}
