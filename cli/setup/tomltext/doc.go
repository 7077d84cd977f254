// Package tomltext finds where the tables and keys of a TOML text stand, so that one can
// be changed and all else left as it is. What lives here: a scanner that knows strings,
// brackets, comments and headers. What does not: what values mean, and files.
package tomltext
