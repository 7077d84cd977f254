package release_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
)

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		version, running string
		want             bool
	}{
		{"v1.2.3", "1.2.2", true},
		{"v1.2.3", "1.2.3", false},
		{"v1.2.3", "1.10.0", false},
		{"v1.2.3", "1.2.3-rc.1", true},
		{"v1.2.3-rc.2", "1.2.3", false},
		{"v1.2.3", "1.2.3-5-gabcdef0", false},
		{"v1.2.4", "1.2.3-5-gabcdef0-dirty", true},
		{"v1.2.3", "v1.2.3-dirty", false},
		{"v0.1.0", "dev", true},
		{"v0.1.0", "", true},
	} {
		if got := release.Newer(c.version, c.running); got != c.want {
			t.Errorf("%s after %s: %v", c.version, c.running, got)
		}
	}
}

func TestSignedSums(t *testing.T) {
	key, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	text := release.Sums{"b": sum, "a": sum}.Encode()
	sig := ed25519.Sign(private, text)
	sums, err := release.Verify(key, text, sig)
	if err != nil || len(sums) != 2 {
		t.Fatalf("%v, %v", sums, err)
	}
	if err := sums.Check("a", sum); err != nil {
		t.Error(err)
	}
	if err := sums.Check("a", sha256.Sum256(nil)); !errors.Is(err, release.ErrSum) {
		t.Error(err)
	}
	if err := sums.Check("c", sum); !errors.Is(err, release.ErrNotListed) {
		t.Error(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key       ed25519.PublicKey
		text, sig []byte
	}{
		"another key":    {other, text, sig},
		"no key":         {nil, text, sig},
		"other text":     {key, append(bytes.Clone(text), '\n'), sig},
		"half signature": {key, text, sig[:32]},
		"no signature":   {key, text, nil},
	} {
		if _, err := release.Verify(c.key, c.text, c.sig); !errors.Is(err, release.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if back, err := release.ParseKey(release.FormatKey(key)); err != nil || !back.Equal(key) {
		t.Errorf("%v, %v", back, err)
	}
	if _, err := release.ParseKey("AAAA"); !errors.Is(err, release.ErrKey) {
		t.Errorf("a short key: %v", err)
	}
}

func FuzzParseSums(f *testing.F) {
	sum := sha256.Sum256([]byte("x"))
	f.Add(release.Sums{"claudemesh-linux-amd64": sum, "release.json": sum}.Encode())
	f.Add([]byte("00  ../../etc/passwd\n"))
	f.Add([]byte(""))
	f.Add(bytes.Repeat([]byte("0"), 64))
	f.Fuzz(func(t *testing.T, text []byte) {
		sums, err := release.ParseSums(text)
		if err != nil {
			return
		}
		again, err := release.ParseSums(sums.Encode())
		if err != nil || len(again) != len(sums) {
			t.Fatalf("%v: %v", sums, err)
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte(`{"version":"v1.2.3"}`))
	f.Add([]byte(`{"version":"1.2.3"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := release.ParseInfo(text)
		if err != nil {
			return
		}
		if _, err := i.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}
