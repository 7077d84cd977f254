package mcp

import (
	"fmt"

	"github.com/claudemesh/claudemesh/node/op"
)

// Tier says how many of the operations become tools. Every tool costs the model
// tokens, and what is no tool can still be done by a command in a shell.
type Tier string

// The tiers. What is pushed into the session, and the instructions, are the same in
// all of them.
const (
	Full Tier = "full" // all tools
	Core Tier = "core" // messaging, presence and state
	None Tier = "none" // no tools: the instructions name the commands
)

// Check refuses what is no tier.
func (t Tier) Check() error {
	switch t {
	case Full, Core, None:
		return nil
	}
	return fmt.Errorf("tools: %q is none of full, core, none", string(t))
}

// has tells whether k is a tool in this tier.
func (t Tier) has(k op.Contract) bool {
	return k.Names.Tool != "" && (t == Full || t == Core && k.Core)
}
