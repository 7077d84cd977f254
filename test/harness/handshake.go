package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The revisions of the protocol: channels are delivered only under a legacy one.
const (
	legacy = "2025-11-25"
	modern = "2026-"
)

// maxInstructions is where Claude Code cuts them, in characters.
const maxInstructions = 4096

// begin does what Claude Code does first: it asks for the modern revision, falls
// back to the legacy one, and lists the tools.
func (a *Agent) begin(ctx context.Context) error {
	if err := a.discover(ctx); err != nil {
		return err
	}
	raw, err := a.rpc.call(ctx, "initialize", map[string]any{
		"protocolVersion": legacy,
		"capabilities":    map[string]any{"roots": map[string]any{}},
		"clientInfo":      map[string]any{"name": "claude-code", "version": "2.1.330"},
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &a.Server); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if err := a.Server.check(); err != nil {
		return err
	}
	// From the moment it is written it may have been read.
	a.mu.Lock()
	a.initialized = true
	a.mu.Unlock()
	if err := a.rpc.send(ctx, message{JSONRPC: "2.0", Method: "notifications/initialized"}); err != nil {
		return fmt.Errorf("initialized: %w", err)
	}
	return a.list(ctx)
}

// discover asks as a modern client. A server that offers a modern revision would
// have all its channel notifications dropped.
func (a *Agent) discover(ctx context.Context) error {
	raw, err := a.rpc.call(ctx, "server/discover", map[string]any{"_meta": map[string]any{
		"io.modelcontextprotocol/protocolVersion":    "2026-07-28",
		"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "claude-code", "version": "2.1.330"},
		"io.modelcontextprotocol/clientCapabilities": map[string]any{},
	}})
	if refusal := (*RPCError)(nil); err != nil {
		if asRPC(err, &refusal) {
			return nil // a server that knows no such method is a legacy one
		}
		return err
	}
	var found struct {
		SupportedVersions []string `json:"supportedVersions"`
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return fmt.Errorf("server/discover: %w", err)
	}
	if i := slices.IndexFunc(found.SupportedVersions, func(v string) bool { return strings.HasPrefix(v, modern) }); i >= 0 {
		return fmt.Errorf("the server offers revision %s: clients drop channels there", found.SupportedVersions[i])
	}
	return nil
}

// check refuses what would silently keep channels from a client.
func (s ServerInfo) check() error {
	switch {
	case s.ProtocolVersion != legacy:
		return fmt.Errorf("initialize: the server chose revision %q instead of %s", s.ProtocolVersion, legacy)
	case s.ServerInfo.Name != "claudemesh":
		return fmt.Errorf("initialize: the server calls itself %q", s.ServerInfo.Name)
	case s.Capabilities.Experimental["claude/channel"] == nil:
		return fmt.Errorf("initialize: the server declares no claude/channel")
	case s.Capabilities.Tools == nil:
		return fmt.Errorf("initialize: the server declares no tools")
	case len([]rune(s.Instructions)) > maxInstructions:
		return fmt.Errorf("initialize: the instructions have more than %d characters", maxInstructions)
	}
	return nil
}

// list learns the names of the tools.
func (a *Agent) list(ctx context.Context) error {
	raw, err := a.rpc.call(ctx, "tools/list", struct{}{})
	if err != nil {
		return err
	}
	var found struct {
		Tools []struct {
			Name string `json:"name"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	for _, t := range found.Tools {
		a.Tools = append(a.Tools, t.Name)
	}
	return nil
}
