package node

import (
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"

	"testing"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// What is lost is what the backup does not hold with the same key.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, keysName)
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	ids, seeds := make([]string, 4), make([]ident.Seed, 4)
	for i := range ids {
		ids[i], seeds[i] = ident.MeshID{byte(8 * i), 1}.String(), ident.Seed{byte(i + 1)}
		text := hex.EncodeToString(seeds[i][:])
		if i == 3 {
			text = "no key"
		}
		if err := os.WriteFile(filepath.Join(keys, ids[i]+".key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := ident.Seed{9}
	s := &Staged{r: Restore{Dir: dir, Log: slog.New(slog.DiscardHandler), Content: backup.Content{Version: 1, Meshes: []backup.Mesh{
		{ID: ids[0], Seed: seeds[0][:]}, {ID: ids[1], Seed: other[:]},
	}}}}
	got, err := s.Replaced()
	want := []Replaced{
		{Mesh: ids[1], Member: seeds[1].Member().Public().String(), Other: true},
		{Mesh: ids[2], Member: seeds[2].Member().Public().String()},
		{Mesh: ids[3]},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	s.r.Content = backup.Content{}
	if got, err := s.Replaced(); err != nil || got != nil {
		t.Errorf("settings alone replace %+v, %v", got, err)
	}
}
