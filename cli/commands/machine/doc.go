// Package machine holds the commands about this program on this machine: install,
// uninstall, url-handler, config, telemetry, doctor, upgrade.
//
// What they do is in packages of their own: setup, scheme, settings, doctor, upgrade.
package machine
