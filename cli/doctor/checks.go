package doctor

import "github.com/claudemesh/claudemesh/node/op"

// checks is the table of all, in the order they are shown.
func checks() []check {
	nodeHangs := op.Word("`claudemesh node down --force` ends a node that does not answer; the next command starts a new one")
	return []check{
		{name: "program", look: lookAtProgram},
		{name: "path", look: lookAtPath},
		{name: "update", look: lookForUpdate},
		{name: "folder", look: lookAtFolder},
		{name: "modes", look: lookAtRights},
		{name: "settings", look: lookAtSettings},
		{name: "keys", look: lookAtKeys},
		{name: "disk", look: lookAtDisk},
		{name: "store", look: lookAtStore},
		{name: "socket", look: lookAtDoor},
		{name: "node", look: lookAtNode, hangs: nodeHangs},
		{name: "versions", look: lookAtVersions, hangs: nodeHangs},
		{name: "twins", look: lookForTwins, hangs: nodeHangs},
		{name: "ports", look: lookAtPorts, hangs: nodeHangs},
		{name: "route", look: lookForRoute},
		{name: "local-network", look: lookAtLAN, hangs: nodeHangs},
		{name: "meshes", look: lookAtMeshes, hangs: nodeHangs},
		{name: "peers", look: lookForPeers, hangs: nodeHangs},
		{name: "clock", look: lookAtClock, hangs: nodeHangs},
		{name: "refused", look: lookAtRefused, hangs: nodeHangs},
		{name: "invites", look: lookAtInvites, hangs: nodeHangs},
		{name: "sessions", look: lookForDeadSessions},
		{name: "agents", look: lookForAgents},
		{name: "claude-version", look: lookAtClaudeVersion},
		{name: "claude-files", look: lookAtClaudeFiles},
		{name: "mcp", look: lookAtServers},
		{name: "permission", look: lookAtPermission},
		{name: "hooks", look: lookAtHooks},
		{name: "hook-time", look: lookAtHookTime},
		{name: "old-entries", look: lookForOldEntries},
		{name: "protocol", look: lookAtProtocol, hangs: nodeHangs},
		{name: "channels", look: lookAtChannels, hangs: nodeHangs},
		{name: "links", look: lookAtLinks},
	}
}
