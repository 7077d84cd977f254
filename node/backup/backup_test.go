package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// vector is testdata/backup-restore.json.
type vector struct {
	Passphrase string `json:"passphrase"`
	Salt       string `json:"salt_hex"`
	Key        string `json:"derived_key_hex"`
	Nonce      string `json:"nonce_hex"`
	Plaintext  string `json:"plaintext_utf8"`
	File       string `json:"file_hex"`
}

func loadVector(t testing.TB) (v vector) {
	raw, err := os.ReadFile(filepath.Join("testdata", "backup-restore.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVector(t *testing.T) {
	v := loadVector(t)
	key := Key(v.Passphrase, Salt(unhex(t, v.Salt)))
	if hex.EncodeToString(key[:]) != v.Key {
		t.Fatalf("key %x", key)
	}
	got, err := sealWith(key, Salt(unhex(t, v.Salt)), [nonceSize]byte(unhex(t, v.Nonce)), []byte(v.Plaintext))
	if err != nil || hex.EncodeToString(got) != v.File {
		t.Fatalf("%x, %v", got, err)
	}
	plain, err := Open(v.Passphrase, unhex(t, v.File))
	if err != nil || string(plain) != v.Plaintext {
		t.Fatalf("%q, %v", plain, err)
	}
	// The content of an earlier program is its config.json.
	c, err := Parse(plain)
	if err != nil || c.Version != 0 || string(c.Config) != v.Plaintext || len(c.Meshes) != 0 {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	v := loadVector(t)
	good := unhex(t, v.File)
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":       {nil, ErrFormat},
		"60 bytes":    {good[:60], ErrFormat},
		"wrong magic": {append([]byte("CMB2"), good[4:]...), ErrFormat},
		"cut":         {good[:len(good)-1], ErrPassphrase},
		"longer":      {append(bytes.Clone(good), 0), ErrPassphrase},
	} {
		if _, err := OpenWith([32]byte(unhex(t, v.Key)), c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := 4; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := OpenWith([32]byte(unhex(t, v.Key)), bad); i >= 20 && !errors.Is(err, ErrPassphrase) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	if _, err := Open("another one entirely", good); !errors.Is(err, ErrPassphrase) {
		t.Error(err)
	}
}

func sample() Content {
	return Content{
		Schema: 1, Created: time.Unix(1_700_000_000, 0).UTC(), Config: []byte(`{"displayName":"ana"}`),
		Meshes: []Mesh{{ID: "m", Slug: "first-light", Seed: make([]byte, 32), Rows: []Row{{Path: []string{"mesh", "m"}, Key: []byte("info"), Value: []byte("{}")}}}},
		Rows:   []Row{{Path: []string{"grant", "m", "rule"}, Key: []byte{1}, Value: []byte{2}}},
	}
}

func TestContentRoundTrip(t *testing.T) {
	raw, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Encode()
	if err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("%s\n%s\n%v", raw, again, err)
	}
}

func TestContentsThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Content)
		want  error
	}{
		"no schema":     {func(c *Content) { c.Schema = 0 }, ErrContent},
		"short seed":    {func(c *Content) { c.Meshes[0].Seed = []byte{1} }, ErrContent},
		"mesh twice":    {func(c *Content) { c.Meshes = append(c.Meshes, c.Meshes[0]) }, ErrContent},
		"no path":       {func(c *Content) { c.Rows[0].Path = nil }, ErrContent},
		"reserved name": {func(c *Content) { c.Rows[0].Path = []string{"\x00x"} }, ErrContent},
		"no key":        {func(c *Content) { c.Meshes[0].Rows[0].Key = nil }, ErrContent},
		"long key":      {func(c *Content) { c.Rows[0].Key = make([]byte, maxKey+1) }, ErrContent},
		"bad config":    {func(c *Content) { c.Config = []byte("{") }, ErrContent},
	} {
		v := sample()
		c.spoil(&v)
		raw, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]error{
		"": ErrContent, "7": ErrContent, "[]": ErrContent, "null": ErrContent, "{": ErrContent,
		`{"claudemesh_backup":"claudemesh","version":2}`:                           ErrNewer,
		`{"claudemesh_backup":"other","version":1,"schema":1,"meshes":[]}`:         ErrContent,
		`{"claudemesh_backup":"claudemesh","version":1,"schema":1,"more":1}`:       ErrContent,
		`{"claudemesh_backup":"claudemesh","version":1,"schema":1,"meshes":[]} {}`: ErrContent,
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRowsGoThroughAStore(t *testing.T) {
	open := func() *store.DB {
		db, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "a.db"), Schema: 1})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- db.Run(t.Context()) }()
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			<-done
		})
		return db
	}
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.StringMatching(`[a-c]{1,2}`)
		rows := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Row {
			return Row{
				Path: append([]string{"root", "in" + word.Draw(r, "bucket")}, "deep"),
				Key:  []byte(word.Draw(r, "key")), Value: rapid.SliceOf(rapid.Byte()).Draw(r, "value"),
			}
		}), 0, 20).Draw(r, "rows")
		var first, second []Row
		from, to := open(), open()
		if err := from.Update(t.Context(), func(tx *store.Tx) error { return Write(tx, rows) }); err != nil {
			r.Fatal(err)
		}
		if err := from.View(func(tx *store.Tx) error { first = Read(tx, nil, "root"); return nil }); err != nil {
			r.Fatal(err)
		}
		if err := to.Update(t.Context(), func(tx *store.Tx) error { return Write(tx, first) }); err != nil {
			r.Fatal(err)
		}
		if err := to.View(func(tx *store.Tx) error { second = Read(tx, nil, "root"); return nil }); err != nil {
			r.Fatal(err)
		}
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if !bytes.Equal(a, b) {
			r.Fatalf("%s\n%s", a, b)
		}
	})
}

func TestSave(t *testing.T) {
	s := &Saver{Content: func(context.Context) (Content, error) { return sample(), nil }}
	set, err := op.NewSet(func(context.Context, op.Caller, op.Contract) error { return nil }, s.Ops()...)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.cmb")
	ask := func(in SaveRequest) (SaveResponse, error) {
		return Save.Call(t.Context(), set, op.Caller{User: true}, in)
	}
	in := NewSave(path, "correct horse battery", false)
	out, err := ask(in)
	if err != nil || strings.Join(out.Meshes, " ") != "first-light" {
		t.Fatalf("%+v, %v", out, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) != out.Size {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	plain, err := Open("correct horse battery", raw)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Parse(plain); err != nil || len(c.Meshes) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := ask(in); op.CodeOf(err) != op.Conflict {
		t.Error(err)
	}
	in.Replace = true
	if _, err := ask(in); err != nil {
		t.Error(err)
	}
	link := filepath.Join(filepath.Dir(path), "link.cmb")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{link, filepath.Dir(path)} { // a device is the same to it
		in.File = other
		if _, err := ask(in); op.CodeOf(err) != op.Conflict || !strings.Contains(err.Error(), "no plain file") {
			t.Errorf("%s: %v", other, err)
		}
	}
	in.File = filepath.Join(filepath.Dir(path), "none", "a.cmb")
	if _, err := ask(in); op.CodeOf(err) != op.NotFound {
		t.Error(err)
	}
	in.File = "relative.cmb"
	if _, err := ask(in); op.CodeOf(err) != op.Invalid {
		t.Error(err)
	}
}

func FuzzHead(f *testing.F) {
	v := loadVector(f)
	f.Add(unhex(f, v.File))
	f.Add([]byte("CMB1"))
	key := [32]byte(unhex(f, v.Key))
	f.Fuzz(func(t *testing.T, file []byte) {
		plain, err := OpenWith(key, file)
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPassphrase) {
			t.Fatal(err)
		}
		if err == nil && len(plain) == 0 {
			t.Fatal("opened to nothing")
		}
	})
}

func FuzzParse(f *testing.F) {
	raw, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(loadVector(f).Plaintext))
	f.Add([]byte(`{"claudemesh_backup":"claudemesh","version":9}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(raw)
		if err != nil || c.Version == 0 {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatal(err)
		}
	})
}
