// Package scheme makes links that begin with claudemesh:// open on this desktop, and
// judges such links.
//
// A link may come from any web page. So what is registered hands it, as one word, to
// `claudemesh open-link` in a terminal, which takes nothing but a link in the strict form
// of [Check] and asks before it joins. How the three systems are told:
//
//	Linux    ~/.local/share/applications/claudemesh.desktop, xdg-mime
//	macOS    ~/Library/Application Support/claudemesh/ClaudemeshHandler.app, which is
//	         compiled from AppleScript, since only an application is handed links there;
//	         LaunchServices
//	Windows  HKEY_CURRENT_USER\Software\Classes\claudemesh
//
// The package knows no mesh and no node, and joins nothing.
package scheme
