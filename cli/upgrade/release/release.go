package release

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// The files of a release beside the programs.
const (
	InfoName      = "release.json"
	SumsName      = "SHA256SUMS"
	SignatureName = "SHA256SUMS.sig"
)

// MaxText is how large each of these may be, in bytes.
const MaxText = 64 << 10

// Program is the name of the program for a system, as Go names those.
func Program(goos, goarch string) string {
	name := "claudemesh-" + goos + "-" + goarch
	if goos == "windows" {
		name += ".exe"
	}
	return name
}

// Info is what release.json says.
type Info struct {
	// Version is a semantic version with a v before it.
	Version string `json:"version"`
}

// Encode makes a release.json.
func (i Info) Encode() ([]byte, error) {
	if !semver.IsValid(i.Version) {
		return nil, fmt.Errorf("%w: %q is no version", ErrForm, i.Version)
	}
	text, err := json.Marshal(i)
	return append(text, '\n'), err
}

// ParseInfo reads a release.json. Keys that it does not know are left alone.
func ParseInfo(text []byte) (Info, error) {
	var i Info
	if err := json.Unmarshal(text, &i); err != nil {
		return Info{}, fmt.Errorf("%w: %s: %w", ErrForm, InfoName, err)
	}
	if !semver.IsValid(i.Version) || len(i.Version) > 64 {
		return Info{}, fmt.Errorf("%w: %s names no version", ErrForm, InfoName)
	}
	return i, nil
}

// Sums are the SHA-256 checksums of a release's files, by name.
type Sums map[string][sha256.Size]byte

// fileName is what a file of a release may be called: nothing that leads elsewhere.
var fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// ParseSums reads what sha256sum has written. It refuses whatever Encode would not
// have written, but for the order.
func ParseSums(text []byte) (Sums, error) {
	sums := Sums{}
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrForm, SumsName, MaxText)
	}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		raw, err := hex.DecodeString(sum)
		if !ok || err != nil || len(raw) != sha256.Size || sum != strings.ToLower(sum) || !fileName.MatchString(name) {
			return nil, fmt.Errorf("%w: a line of %s that cannot be", ErrForm, SumsName)
		}
		if _, twice := sums[name]; twice {
			return nil, fmt.Errorf("%w: %s names %s twice", ErrForm, SumsName, name)
		}
		sums[name] = [sha256.Size]byte(raw)
	}
	if len(sums) == 0 {
		return nil, fmt.Errorf("%w: %s is empty", ErrForm, SumsName)
	}
	return sums, nil
}

// Encode writes the list as sha256sum does, by name.
func (s Sums) Encode() []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		sum := s[name]
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return []byte(b.String())
}

// Check holds the checksum of a file against the list.
func (s Sums) Check(name string, sum [sha256.Size]byte) error {
	want, ok := s[name]
	switch {
	case !ok:
		return fmt.Errorf("%w: %s", ErrNotListed, name)
	case want != sum:
		return fmt.Errorf("%w: %s", ErrSum, name)
	}
	return nil
}

// Verify checks the signature over a list of checksums and reads the list.
func Verify(key ed25519.PublicKey, text, signature []byte) (Sums, error) {
	if len(key) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize || !ed25519.Verify(key, text, signature) {
		return nil, ErrUnsigned
	}
	return ParseSums(text)
}

// ParseKey reads a public key as [FormatKey] writes it.
func ParseKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	return raw, nil
}

// FormatKey writes a public key on one line, as it is built into the program.
func FormatKey(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// described is what `git describe` puts behind the newest tag.
var described = regexp.MustCompile(`(-[0-9]+-g[0-9a-f]+)?(-dirty)?$`)

// Newer tells whether a version comes after the one that runs. A build that lies some
// commits behind a tag counts as that tag; one without any version is before all.
func Newer(version, running string) bool {
	running = "v" + strings.TrimPrefix(described.ReplaceAllString(running, ""), "v")
	return semver.Compare(version, running) > 0
}
