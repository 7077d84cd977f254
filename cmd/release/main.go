// Command release finishes a release of claudemesh: keys, checksums, signature, and
// the files of installers. `make release` runs it.
//
//	release key FILE       make a private key (PEM, PKCS #8)
//	release public FILE    print its public half, as it is built into the program
//	release finish …       see the flags
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "key" {
		return makeKey(args[1])
	}
	if len(args) == 2 && args[0] == "public" {
		key, err := readKey(args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(os.Stdout, release.FormatKey(key.Public().(ed25519.PublicKey)))
		return err
	}
	if len(args) > 0 && args[0] == "finish" {
		return finish(args[1:])
	}
	return errors.New("use: release key FILE | public FILE | finish -version V -url URL [-latest URL] [-key FILE] [-templates DIR] DIR")
}

// makeKey writes a new private key, which must not be there yet.
func makeKey(path string) error {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: %w", path, release.ErrKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, release.ErrKey)
	}
	return private, nil
}

// finish adds to a folder of programs all that makes it a release.
func finish(args []string) error {
	flags := flag.NewFlagSet("finish", flag.ContinueOnError)
	version := flags.String("version", "", "the version, with a v before it")
	url := flags.String("url", "", "the address at which the folder will lie")
	latest := flags.String("latest", "", "the address at which the newest release always lies")
	keyFile := flags.String("key", "", "the private key to sign with; none: the release is not signed")
	templates := flags.String("templates", "packaging", "the folder of the templates")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name the folder of the programs")
	}
	r := making{dir: flags.Arg(0), words: map[string]string{
		"VERSION": strings.TrimPrefix(*version, "v"), "URL": strings.TrimRight(*url, "/"), "LATEST": strings.TrimRight(*latest, "/"), "PUBLIC_KEY": "",
	}}
	var private ed25519.PrivateKey
	if *keyFile != "" {
		var err error
		if private, err = readKey(*keyFile); err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			return err
		}
		r.words["PUBLIC_KEY"] = strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	info, err := release.Info{Version: *version}.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.dir, release.InfoName), info, 0o644); err != nil {
		return err
	}
	return errors.Join(r.sign(private), r.fill(*templates))
}

// making is a release in the making.
type making struct {
	dir string
	// words are what the templates' @WORDS@ mean.
	words map[string]string
}

// sign writes the checksums, and signs them if there is a key.
func (r *making) sign(private ed25519.PrivateKey) error {
	names, err := filepath.Glob(filepath.Join(r.dir, "claudemesh-*"))
	if err != nil {
		return err
	}
	sums := release.Sums{}
	for _, path := range append(names, filepath.Join(r.dir, release.InfoName)) {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.Base(path)
		sum := sha256.Sum256(text)
		sums[name] = sum
		r.words["SHA256_"+strings.TrimSuffix(strings.TrimPrefix(name, "claudemesh-"), ".exe")] = hex.EncodeToString(sum[:])
	}
	text := sums.Encode()
	if err := os.WriteFile(filepath.Join(r.dir, release.SumsName), text, 0o644); err != nil {
		return err
	}
	if private == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(r.dir, release.SignatureName), ed25519.Sign(private, text), 0o644)
}

// fill writes what the templates make of this release. A word that nothing is known
// of is a mistake.
func (r *making) fill(templates string) error {
	var pairs []string
	for word, text := range r.words {
		pairs = append(pairs, "@"+word+"@", text)
	}
	words := strings.NewReplacer(pairs...)
	for from, to := range map[string]string{
		"install.sh":             "install.sh",
		"homebrew/claudemesh.rb": "claudemesh.rb",
		"winget/version.yaml":    "winget/Claudemesh.Claudemesh.yaml",
		"winget/installer.yaml":  "winget/Claudemesh.Claudemesh.installer.yaml",
		"winget/locale.yaml":     "winget/Claudemesh.Claudemesh.locale.en-US.yaml",
	} {
		path := filepath.Join(templates, filepath.FromSlash(from))
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(to, ".sh") {
			mode = 0o755
		}
		full := filepath.Join(r.dir, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		filled := words.Replace(string(text))
		if strings.Contains(filled, "@SHA256_") {
			return fmt.Errorf("%s names a program that the release does not have", path)
		}
		if err := os.WriteFile(full, []byte(filled), mode); err != nil {
			return err
		}
	}
	return nil
}
