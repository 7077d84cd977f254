// Package agents drives claudemesh through the clients it is made for: Claude Code,
// without a terminal and in one, and the MCP Inspector. All processes are real and
// on loopback; only the model is a test's own (package modelapi).
//
// The tests need programs from npm and tmux, so they have the build tag "agents"
// and run by `make test-agents`, which installs them below .cache.
package agents
