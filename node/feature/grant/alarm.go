package grant

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Alarm says that a verified name has another key.
type Alarm struct {
	Name string
	// Key is who has the name now, Was whose it was when it was verified.
	Key, Was ident.PublicKey
}

// Text says what that means and what to do.
func (a Alarm) Text() string {
	return fmt.Sprintf("the key of %q has CHANGED: you verified %s, and now %s has this name. "+
		"It may be somebody else. Compare safety numbers again (claudemesh verify) before you trust it.",
		a.Name, a.Was.String()[:16], a.Key.String()[:16])
}

// alarms finds the members that have a name under which another key was verified: the
// name of then, or the one that the verified member has now, or one that looks like it.
func alarms(verified map[ident.PublicKey]mark, members []Member) (out []Alarm) {
	for was, m := range verified {
		names := []string{m.Name}
		for _, one := range members {
			if one.Key == was && !strings.EqualFold(one.Name, m.Name) {
				names = append(names, one.Name)
			}
		}
		for _, one := range members {
			_, compared := verified[one.Key]
			same := func(name string) bool { return op.SameName(name, one.Name) }
			if one.Key != was && !compared && slices.ContainsFunc(names, same) {
				out = append(out, Alarm{Name: one.Name, Key: one.Key, Was: was})
			}
		}
	}
	slices.SortFunc(out, func(a, b Alarm) int { return bytes.Compare(a.key(), b.key()) })
	return out
}

// key is where it is kept that an alarm was told.
func (a Alarm) key() []byte { return append(append(make([]byte, 0, 64), a.Key[:]...), a.Was[:]...) }

// Alarms are those of a mesh now, by key.
func (f *Feature) Alarms(mesh ident.MeshID) []Alarm {
	f.mu.Lock()
	verified := f.verified[mesh]
	f.mu.Unlock()
	if len(verified) == 0 {
		return nil
	}
	return alarms(verified, f.cfg.Meshes.Members(mesh))
}

// Warning is the alarm about one member as a sentence, empty if there is none.
func (f *Feature) Warning(mesh ident.MeshID, member ident.PublicKey) string {
	for _, a := range f.Alarms(mesh) {
		if a.Key == member {
			return a.Text()
		}
	}
	return ""
}

// Check tells sessions and the log of alarms that are new. It is to be called when
// members or their names have changed.
func (f *Feature) Check(ctx context.Context, mesh ident.MeshID) error {
	f.editing.Lock()
	defer f.editing.Unlock()
	return f.check(ctx, mesh)
}

// check is Check. The caller holds f.editing.
func (f *Feature) check(ctx context.Context, mesh ident.MeshID) error {
	now := f.Alarms(mesh)
	if same, err := f.told(mesh, now); same || err != nil {
		return err
	}
	listeners, slug := f.cfg.Meshes.Listeners(mesh), f.slug(mesh)
	var fresh []Alarm
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b := tx.Bucket(bucket, mesh.String(), bucketTold)
		fresh = nil
		for _, a := range now {
			if b.Get(a.key()) == nil {
				fresh = append(fresh, a)
			}
		}
		if err := remember(b, now); err != nil {
			return err
		}
		for _, a := range fresh {
			if err := a.tell(tx, mesh, slug, listeners); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("tell of changed keys: %w", err)
	}
	for _, a := range fresh {
		f.cfg.Log.Warn("the key of a verified name has changed", "mesh", mesh, "name", a.Name, "key", a.Key, "verified", a.Was)
	}
	return nil
}

// told tells whether exactly these alarms were told.
func (f *Feature) told(mesh ident.MeshID, now []Alarm) (same bool, err error) {
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		var old [][]byte
		tx.Bucket(bucket, mesh.String(), bucketTold).Ascend(nil, func(k, _ []byte) bool {
			old = append(old, bytes.Clone(k))
			return true
		})
		same = slices.EqualFunc(old, now, func(k []byte, a Alarm) bool { return bytes.Equal(k, a.key()) })
		return nil
	})
	return same, err
}

// remember keeps which alarms were told, and forgets those that are over.
func remember(b *store.Bucket, now []Alarm) error {
	var over [][]byte
	b.Ascend(nil, func(k, _ []byte) bool {
		if !slices.ContainsFunc(now, func(a Alarm) bool { return bytes.Equal(a.key(), k) }) {
			over = append(over, bytes.Clone(k))
		}
		return true
	})
	for _, k := range over {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	for _, a := range now {
		if err := b.Put(a.key(), []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// changedKey is what the event carries beyond its sentence.
type changedKey struct {
	Name     string `json:"name"`
	Key      string `json:"pubkey"`
	Verified string `json:"verifiedPubkey"`
}

// tell appends an event for every session of a mesh.
func (a Alarm) tell(tx *store.Tx, mesh ident.MeshID, slug string, listeners []string) error {
	data, err := json.Marshal(changedKey{Name: a.Name, Key: a.Key.String(), Verified: a.Was.String()})
	if err != nil {
		return err
	}
	if data, err = json.Marshal(op.System{Event: "key_changed", Text: "WARNING: " + a.Text(), Data: data}); err != nil {
		return err
	}
	event, err := json.Marshal(op.Event{Topic: op.TopicSystem, Mesh: mesh.String(), Slug: slug, Data: data})
	if err != nil {
		return err
	}
	for _, to := range listeners {
		tx.Append(store.Change{Topic: op.TopicSystem, To: to, Data: event})
	}
	return nil
}

func (f *Feature) slug(mesh ident.MeshID) string {
	for _, m := range f.cfg.Meshes.List() {
		if m.Mesh == mesh {
			return m.Slug
		}
	}
	return ""
}
