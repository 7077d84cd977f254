// Package settings finds the user's claudemesh folder and what is set there, in
// the environment and by flags, and says for each value where it came from: flags
// over environment over config.json over default.
//
// It only reads. Keys of config.json that it does not know stay as they are,
// because nothing is written back. It knows no node, no operation and no network.
package settings
