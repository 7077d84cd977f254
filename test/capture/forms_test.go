package capture

import (
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	raw := []byte("Hello World!")
	for name, want := range map[string]string{
		"text": "Hello World!", "hex": "48656c6c6f20576f726c6421", "base64": "SGVsbG8gV29ybGQh",
		"base32": "JBSWY3DPEBLW64TMMQQQ", "base58": "2NEpo7TZRRrLZSi2U",
	} {
		if got := string(Forms(raw)[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := string(Forms([]byte{0, 0, 1})["base58"]); got != "112" {
		t.Errorf("leading zeros: %s", got)
	}
}

func TestFound(t *testing.T) {
	secrets := []Secret{{"a name", []byte("Zaphod")}, {"a key", []byte{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99}}}
	for packet, want := range map[string]string{
		"xx zaphod xx":                             "a name as text",
		"xx FFEEDDCCBBAA99 xx":                     "a key as hex",
		"xx /+7dzLuqmQ== xx":                       "a key as base64",
		"xx _-7dzLuqmQ xx":                         "a key as base64url",
		"xx\xe2\xff\xee\xdd\xcc\xbb\xaa\x99\x80xx": "a key as text",
		"nothing":                                  "",
	} {
		if got := strings.Join(Found([]byte(packet), secrets), ", "); got != want {
			t.Errorf("%q: %q, want %q", packet, got, want)
		}
	}
}
