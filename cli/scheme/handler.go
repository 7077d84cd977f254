package scheme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/claudemesh/claudemesh/store/file"
)

// bundleID names the macOS application.
const bundleID = "com.claudemesh.handler"

// lsregister tells LaunchServices of an application.
const lsregister = "/System/Library/Frameworks/CoreServices.framework/Frameworks/LaunchServices.framework/Support/lsregister"

// Config says whose desktop is told, and how. All fields are needed.
type Config struct {
	// GOOS is the system, as Go names it.
	GOOS string
	// Exe is the path of the program that is to open links.
	Exe string
	// Home is the user's home folder, Data where their programs keep data on Linux.
	Home, Data string
	// Run runs a program of the system, which may not be there.
	Run func(ctx context.Context, name string, args ...string) error
}

// Done says what was done.
type Done struct {
	// Where is the file, folder or registry key that was written or removed.
	Where string `json:"where"`
	// Changed tells whether something was: a second time nothing is.
	Changed bool `json:"changed"`
	// Notes say what could not be told to the desktop, a sentence each.
	Notes []string `json:"notes"`
}

// Install has links opened by the program.
func Install(ctx context.Context, c Config) (Done, error) {
	switch c.GOOS {
	case "linux":
		return c.installDesktop(ctx)
	case "darwin":
		return c.installBundle(ctx)
	case "windows":
		return c.installKeys()
	}
	return Done{}, ErrSystem
}

// Uninstall takes back what Install did.
func Uninstall(ctx context.Context, c Config) (Done, error) {
	switch c.GOOS {
	case "linux":
		return c.removeDesktop(ctx)
	case "darwin":
		return c.removeBundle(ctx)
	case "windows":
		return c.removeKeys()
	}
	return Done{}, ErrSystem
}

func (c Config) desktopPath() string {
	return filepath.Join(c.Data, "applications", "claudemesh.desktop")
}

func (c Config) installDesktop(ctx context.Context) (Done, error) {
	done := Done{Where: c.desktopPath(), Notes: []string{}}
	text, err := Desktop(c.Exe)
	if err != nil {
		return done, err
	}
	if done.Changed, err = put(done.Where, text); err != nil {
		return done, err
	}
	c.refresh(ctx)
	if err := c.Run(ctx, "xdg-mime", "default", "claudemesh.desktop", "x-scheme-handler/"+Name); err != nil {
		done.Notes = append(done.Notes, "xdg-mime could not be run, so the desktop may ask what to open links with: "+err.Error())
	}
	return done, nil
}

// refresh has the desktop look at its applications anew. Not every desktop needs that,
// or can.
func (c Config) refresh(ctx context.Context) {
	_ = c.Run(ctx, "update-desktop-database", filepath.Dir(c.desktopPath()))
}

func (c Config) removeDesktop(ctx context.Context) (Done, error) {
	done := Done{Where: c.desktopPath(), Notes: []string{}}
	err := os.Remove(done.Where)
	if errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	done.Changed = true
	c.refresh(ctx)
	return done, nil
}

func (c Config) bundlePath() string {
	return filepath.Join(c.Home, "Library", "Application Support", "claudemesh", "ClaudemeshHandler.app")
}

// installBundle compiles the application anew each time: it is small, and whether an
// old one is whole cannot be told.
func (c Config) installBundle(ctx context.Context) (Done, error) {
	done := Done{Where: c.bundlePath(), Notes: []string{}}
	text, err := AppleScript(c.Exe)
	if err != nil {
		return done, err
	}
	source := filepath.Join(filepath.Dir(done.Where), "handler.applescript")
	if done.Changed, err = put(source, text); err != nil {
		return done, err
	}
	if _, err := os.Stat(done.Where); err != nil {
		done.Changed = true
	}
	if err := os.RemoveAll(done.Where); err != nil {
		return done, err
	}
	plist := filepath.Join(done.Where, "Contents", "Info.plist")
	for _, words := range [][]string{
		{"osacompile", "-o", done.Where, source},
		{"plutil", "-replace", "CFBundleIdentifier", "-string", bundleID, plist},
		{"plutil", "-replace", "LSUIElement", "-bool", "true", plist},
		{"plutil", "-replace", "CFBundleURLTypes", "-json", `[{"CFBundleURLName":"claudemesh","CFBundleURLSchemes":["claudemesh"]}]`, plist},
		{"codesign", "--force", "--sign", "-", done.Where}, // what was changed has to be signed anew
		{lsregister, "-f", done.Where},
	} {
		if err := c.Run(ctx, words[0], words[1:]...); err != nil {
			return done, fmt.Errorf("%s: %w", words[0], err)
		}
	}
	return done, nil
}

func (c Config) removeBundle(ctx context.Context) (Done, error) {
	done := Done{Where: c.bundlePath(), Notes: []string{}}
	if _, err := os.Stat(done.Where); errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	if err := c.Run(ctx, lsregister, "-u", done.Where); err != nil {
		done.Notes = append(done.Notes, "LaunchServices was not told: "+err.Error())
	}
	done.Changed = true
	err := os.Remove(filepath.Join(filepath.Dir(done.Where), "handler.applescript"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return done, errors.Join(err, os.RemoveAll(done.Where))
}

// put writes a file with its folders and tells whether that changed anything.
func put(path, text string) (bool, error) {
	if old, err := file.Read(path); err == nil && string(old) == text {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, file.Write(path, []byte(text))
}
