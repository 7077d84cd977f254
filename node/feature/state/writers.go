package state

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// setting is where the admin log says who may write: nothing for everyone, else
// member keys in hex with commas between them.
const setting = "state.writers"

// maxWriters is how many members the setting can name.
const maxWriters = 200

// everyone is the word for it.
const everyone = "everyone"

// writers is a setting as read.
type writers struct {
	text string
	keys map[ident.PublicKey]bool // nil: everyone
}

// readWriters reads the setting. What is no key in it gives nobody a right, and
// takes none away.
func readWriters(text string) writers {
	w := writers{text: text}
	if text == "" {
		return w
	}
	w.keys = make(map[ident.PublicKey]bool)
	for word := range strings.SplitSeq(text, ",") {
		raw, err := hex.DecodeString(word)
		if err != nil {
			continue
		}
		if key, err := ident.ParsePublicKey(raw); err == nil {
			w.keys[key] = true
		}
	}
	return w
}

func (w writers) allows(member ident.PublicKey) bool { return w.keys == nil || w.keys[member] }

// list gives the keys in order.
func (w writers) list() []ident.PublicKey {
	out := make([]ident.PublicKey, 0, len(w.keys))
	for key := range w.keys {
		out = append(out, key)
	}
	slices.SortFunc(out, ident.PublicKey.Compare)
	return out
}

// writers is who may write in a mesh now. It is read anew only when the setting has
// changed: the book asks for every record.
func (f *Feature) writers(mesh ident.MeshID) writers {
	text := f.cfg.Meshes.Setting(mesh, setting)
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.writes[mesh]
	if !known || w.text != text {
		w = readWriters(text)
		f.writes[mesh] = w
	}
	return w
}

// mayWrite is the kind's rule: every node asks the same admin log.
func (f *Feature) mayWrite(mesh ident.MeshID, author ident.PublicKey, key string) bool {
	return checkKey(key) == nil && f.writers(mesh).allows(author)
}

// named lists who may write, for a hint.
func (f *Feature) named(mesh ident.MeshID, w writers) string {
	var names []string
	for _, one := range f.shownWriters(mesh, w) {
		if one.Name != "" {
			names = append(names, one.Name)
		}
	}
	const most = 20
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func (f *Feature) shownWriters(mesh ident.MeshID, w writers) []Writer {
	names := make(map[ident.PublicKey]string)
	for _, m := range f.cfg.Meshes.Members(mesh) {
		names[m.Key] = m.Name
	}
	out := []Writer{}
	for _, key := range w.list() {
		out = append(out, Writer{Name: names[key], Key: key.String()})
	}
	slices.SortStableFunc(out, func(a, b Writer) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (f *Feature) answerWriters(ctx context.Context, c op.Caller, in WritersRequest) (WritersResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return WritersResponse{}, err
	}
	if len(in.Writers) > 0 {
		text, err := f.chosen(self, in.Writers)
		if err != nil {
			return WritersResponse{}, err
		}
		if err := f.cfg.Meshes.SetSetting(ctx, self.Mesh, setting, text); err != nil {
			return WritersResponse{}, err
		}
	}
	w := f.writers(self.Mesh)
	return WritersResponse{Slug: self.Slug, Everyone: w.keys == nil, Writers: f.shownWriters(self.Mesh, w)}, nil
}

// chosen is the setting for the members named.
func (f *Feature) chosen(self Self, names []string) (string, error) {
	if slices.Contains(names, everyone) {
		if len(names) > 1 {
			return "", op.Errorf(op.Invalid, "%q and names together make no sense", everyone).WithHint("give one or the other")
		}
		return "", nil
	}
	if len(names) > maxWriters {
		return "", op.Errorf(op.TooLarge, "%d members are named, the limit is %d", len(names), maxWriters).
			WithHint("allow everyone, or name those who write most")
	}
	members := f.cfg.Meshes.Members(self.Mesh)
	var keys []string
	for _, name := range names {
		m, err := pick(members, name, self.Slug)
		if err != nil {
			return "", err
		}
		keys = append(keys, m.Key.String())
	}
	slices.Sort(keys)
	return strings.Join(slices.Compact(keys), ","), nil
}

// pick finds a member by name, key or a prefix of the key of 8 or more digits.
func pick(members []Member, name, slug string) (Member, error) {
	var found []Member
	all := make([]string, 0, len(members))
	for _, m := range members {
		all = append(all, m.Name)
		byKey := len(name) >= 8 && strings.HasPrefix(m.Key.String(), strings.ToLower(name))
		if byKey || strings.EqualFold(m.Name, name) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Member{}, op.Errorf(op.NotFound, "there is no member %q in %s", name, slug).WithHint("the members: %s", strings.Join(all, ", "))
	}
	candidates := make([]string, 0, len(found))
	for _, m := range found {
		candidates = append(candidates, m.Name+" "+m.Key.String()[:16])
	}
	return Member{}, op.Errorf(op.Ambiguous, "%q can mean several members of %s: %s", name, slug, strings.Join(candidates, ", ")).
		WithHint("name the member by its key")
}
