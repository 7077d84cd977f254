// Package release is what a release of claudemesh consists of: the names of its files,
// the list of their checksums, the signature over that list, and the order of versions.
//
// A release is a folder on the web. In it lie
//
//	release.json     {"version":"v1.2.3"}
//	claudemesh-OS-ARCH[.exe]   the program, per system
//	SHA256SUMS       of each of these, as sha256sum writes it
//	SHA256SUMS.sig   64 bytes: Ed25519 over the bytes of SHA256SUMS
//
// Since SHA256SUMS covers release.json, the signature covers the version, too: an old
// release cannot be shown as a new one. The package reads and writes bytes that others
// hand it; it fetches nothing and knows no disk.
package release
