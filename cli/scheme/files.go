package scheme

import (
	"fmt"
	"strings"
	"unicode"
)

// Desktop is the file that tells a Linux desktop of the program at exe.
func Desktop(exe string) (string, error) {
	if err := plain(exe); err != nil {
		return "", err
	}
	// Quoted as an argument first, as a value of such a file then.
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(exe)
	quoted = strings.NewReplacer(`\`, `\\`, `%`, `%%`).Replace(quoted)
	return `[Desktop Entry]
Type=Application
Name=claudemesh
Comment=Join a mesh by a link
Exec="` + quoted + `" open-link %u
Terminal=true
NoDisplay=true
MimeType=x-scheme-handler/claudemesh;
`, nil
}

// AppleScript is the source of the macOS application. It checks a link as Check does
// in essence before it types the command into a terminal, quoted.
func AppleScript(exe string) (string, error) {
	if err := plain(exe); err != nil {
		return "", err
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(exe)
	return `property allowedOnes : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/"

on open location theLink
	considering case
		if theLink does not start with "claudemesh://" then return
		if (count of theLink) < 14 or (count of theLink) > 4200 then return
		repeat with one in (characters 14 thru -1 of theLink)
			if allowedOnes does not contain (contents of one) then return
		end repeat
	end considering
	set theCommand to quoted form of "` + quoted + `" & " open-link " & quoted form of theLink
	tell application "Terminal"
		activate
		do script theCommand
	end tell
end open location
`, nil
}

// Value is a text in the Windows registry, below HKEY_CURRENT_USER. An empty name is
// the key's own value.
type Value struct{ Key, Name, Text string }

// classKey is what Registry writes below, and what is removed.
const classKey = `Software\Classes\` + Name

// Registry are the values that tell Windows of the program at exe.
func Registry(exe string) ([]Value, error) {
	if err := plain(exe); err != nil {
		return nil, err
	}
	if strings.ContainsAny(exe, `"%`) {
		return nil, fmt.Errorf("%w: %q", ErrPath, exe)
	}
	return []Value{
		{classKey, "", "URL:claudemesh"},
		{classKey, "URL Protocol", ""},
		{classKey + `\shell\open\command`, "", `"` + exe + `" open-link "%1"`},
	}, nil
}

// plain refuses a path that would not stay on its line.
func plain(exe string) error {
	if exe == "" || strings.ContainsFunc(exe, unicode.IsControl) {
		return fmt.Errorf("%w: %q", ErrPath, exe)
	}
	return nil
}
