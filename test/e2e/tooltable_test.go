package e2e

// toolTest is one tool's steps.
type toolTest struct {
	tool  string
	steps []step
}

// toolSteps are right calls of each tool, and what is seen of them elsewhere. They
// run in this order, in one world.
var toolSteps = []toolTest{
	{"send_message", []step{
		{tool: "send_message", args: `{"to":"bo","message":"hello"}`, fact: map[string]string{
			"targets.0.target": "bo", "targets.0.ok": "true", "targets.0.name": "bo", "targets.0.key": "{bo.session}", "targets.0.recipientOnline": "true",
		}, text: []string{"✔ bo → bo (", "is online"}, keep: map[string]string{"sent": "id"}},
		{at: boName, shown: "ana: hello", meta: map[string]string{
			"message_id": "{sent}", "kind": "direct", "priority": "next", "from_name": "ana", "from_id": "{ana.session}", "mesh_slug": meshName,
		}},
		{at: cyName, never: "hello"},
		// An answer in its thread, urgent, to a prefix of a key.
		{at: boName, tool: "send_message", args: `{"to":"{ana.session}","message":"hi","reply_to":"{sent}","priority":"now","files":["f-1"]}`, keep: map[string]string{"answer": "id"}},
		{shown: "[URGENT] bo: hi", meta: map[string]string{"message_id": "{answer}", "reply_to_id": "{sent}", "priority": "now", "files": `["f-1"]`}},
		// One of several targets does not exist: the others are reached, and it is said.
		{tool: "send_message", args: `{"to":["bo","nobody","cy","BO"],"message":"both"}`, text: []string{"✔ bo", "✘ nobody", "✔ cy"}, fact: map[string]string{
			"targets.0.ok": "true", "targets.1.ok": "false", "targets.2.ok": "true",
		}, keep: map[string]string{"both": "id"}},
		{at: boName, shown: "ana: both"}, {at: cyName, shown: "ana: both"},
		// One's own name is the person's at the terminal, never one's own session.
		{tool: "send_message", args: `{"to":"ana","message":"to my person"}`, fact: map[string]string{"targets.0.key": "{ana.member}"}},
		{never: "to my person"},
		// A member, the mesh by its slug, everybody under both names.
		{tool: "send_message", args: `{"to":"atelier:cy","message":"by the mesh"}`}, {at: cyName, shown: "ana: by the mesh"},
		{tool: "send_message", args: `{"to":"*","message":"to all"}`, text: []string{"✔ * → "}},
		{at: boName, shown: "ana (broadcast): to all", meta: map[string]string{"kind": "broadcast"}},
		{at: cyName, shown: "ana (broadcast): to all", meta: map[string]string{"kind": "broadcast"}},
		{at: cyName, tool: "send_message", args: `{"to":"@all","message":"to all again"}`},
		{shown: "cy (broadcast): to all again"}, {at: boName, shown: "cy (broadcast): to all again"},
		{at: cyName, never: "to all again"}, {never: "ana (broadcast)"},
		// Twice under one id is once.
		{tool: "send_message", args: `{"to":"bo","message":"once","id":"0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e","expires_in":"1h"}`, fact: map[string]string{"id": "0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e"}},
		{tool: "send_message", args: `{"to":"bo","message":"once","id":"0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e","expires_in":"1h"}`, fact: map[string]string{"id": "0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e"}},
		{at: boName, shown: "ana: once"},
	}},
	{"message_status", []step{
		{tool: "message_status", args: `{"id":"{sent}"}`, await: true, text: []string{"bo ("}, fact: map[string]string{
			"id": "{sent}", "mesh": meshName, "delivered": "true", "recipients.0.name": "bo", "recipients.0.pubkey": "{bo.session}",
		}},
		// It was answered, so it was seen.
		{tool: "message_status", args: `{"id":"{sent}","mesh_slug":"atelier"}`, await: true, fact: map[string]string{"recipients.0.status": "seen"}},
		{tool: "message_status", args: `{"id":"{both}"}`, await: true, fact: map[string]string{"delivered": "true", "recipients.0.name": "bo", "recipients.1.name": "cy"}},
	}},
	{"check_messages", []step{
		{at: boName, tool: "send_message", args: `{"to":"ana","message":"when you like","priority":"low"}`, keep: map[string]string{"low": "id"}},
		{at: boName, tool: "message_status", args: `{"id":"{low}"}`, await: true, fact: map[string]string{"delivered": "true"}},
		{never: "when you like"},
		{tool: "check_messages", args: `{"limit":1}`, text: []string{"1 message(s)", "from bo (", "when you like"}, fact: map[string]string{
			"messages.0.id": "{low}", "messages.0.from_name": "bo", "messages.0.priority": "low", "messages.0.body": "when you like", "messages.0.mesh": meshName,
		}},
		{tool: "check_messages", without: []string{"when you like"}},
		{at: boName, tool: "message_status", args: `{"id":"{low}"}`, await: true, fact: map[string]string{"recipients.0.status": "seen"}},
		{tool: "check_messages", args: `{"again":true,"mesh_slug":"atelier"}`, without: []string{"when you like"}},
		{at: cyName, tool: "check_messages", args: `{"again":true}`}, // to have said everything
		{at: cyName, tool: "check_messages", await: true, text: []string{"No new messages."}},
	}},
	{"list_peers", []step{
		{tool: "list_peers", text: []string{"atelier (", "3 peer(s)", "(this session)"}, fact: map[string]string{
			"meshes.0.mesh": meshName, "meshes.0.peers.0.displayName": "ana", "meshes.0.peers.0.own": "this", "meshes.0.peers.0.pubkey": "{ana.session}",
			"meshes.0.peers.1.displayName": "bo", "meshes.0.peers.1.memberPubkey": "{bo.member}", "meshes.0.peers.1.status": "idle", "meshes.0.peers.2.displayName": "cy",
		}},
		{tool: "list_peers", args: `{"mesh_slug":"atelier","all":true}`},
	}},
	{"set_summary", []step{
		{tool: "set_summary", args: `{"summary":"reads the parser"}`, text: []string{"Summary set in atelier: reads the parser"}, fact: map[string]string{"summary": "reads the parser", "meshes.0": meshName}},
		{at: boName, tool: "list_peers", await: true, text: []string{`"reads the parser"`}, fact: map[string]string{"meshes.0.peers.0.summary": "reads the parser"}},
	}},
	{"set_status", []step{
		{tool: "set_status", args: `{"status":"dnd","mesh_slug":"atelier"}`, text: []string{"Status dnd in atelier"}, fact: map[string]string{"status": "dnd", "source": "manual"}},
		{at: boName, tool: "list_peers", await: true, text: []string{"ana [dnd, manual "}, fact: map[string]string{"meshes.0.peers.0.status": "dnd", "meshes.0.peers.0.statusSource": "manual"}},
		// What is not urgent waits until she may be disturbed again.
		{at: boName, tool: "send_message", args: `{"to":"ana","message":"later"}`, keep: map[string]string{"later": "id"}},
		{at: boName, tool: "send_message", args: `{"to":"ana","message":"at once","priority":"now"}`},
		{shown: "bo: at once"},
		{at: boName, tool: "message_status", args: `{"id":"{later}"}`, await: true, fact: map[string]string{"delivered": "true"}},
		{never: "later"},
		{tool: "set_status", args: `{"status":"working"}`}, {at: boName, tool: "list_peers", await: true, fact: map[string]string{"meshes.0.peers.0.status": "working"}},
		{never: "later"},
		{tool: "set_status", args: `{"status":"idle"}`}, {shown: "bo: later"},
	}},
	{"set_visible", []step{
		{tool: "set_visible", args: `{"visible":false}`, text: []string{"Hidden in atelier"}, fact: map[string]string{"visible": "false"}},
		{at: boName, tool: "list_peers", await: true, text: []string{"2 peer(s)"}, without: []string{"ana"}},
		{at: boName, shown: `Peer "ana" left the mesh`, meta: map[string]string{"kind": "system", "event": "peer_left"}},
		{tool: "list_peers", text: []string{"[hidden]"}, fact: map[string]string{"meshes.0.peers.0.hidden": "true"}},
		{at: cyName, tool: "list_peers", await: true, without: []string{"ana"}},
		{at: cyName, tool: "send_message", args: `{"to":"*","message":"to those one sees"}`},
		{at: boName, shown: "to those one sees"},
		{at: boName, tool: "send_message", args: `{"to":"{ana.session}","message":"to you alone"}`},
		{shown: "bo: to you alone"}, {never: "to those one sees"},
		{tool: "set_visible", args: `{"visible":true,"mesh_slug":"atelier"}`, text: []string{"Visible to everybody in atelier"}},
		{at: boName, tool: "list_peers", await: true, text: []string{"3 peer(s)"}},
		{at: cyName, tool: "list_peers", await: true, text: []string{"3 peer(s)"}},
	}},
	{"set_profile", []step{
		{tool: "set_profile", args: `{"title":"Night shift","bio":"Ships at noon.","avatar":"🦊","capabilities":["go","sql"]}`, text: []string{"Set: ", "🦊 ana (you)", "Ships at noon.", "go, sql"}, fact: map[string]string{
			"profile.title": "Night shift", "profile.avatar": "🦊", "profile.capabilities.1": "sql",
		}},
		{at: boName, tool: "list_peers", await: true, text: []string{"🦊 ana (Night shift)"}, fact: map[string]string{"meshes.0.peers.0.title": "Night shift", "meshes.0.peers.0.avatar": "🦊"}},
		{tool: "set_profile", args: `{"title":"","capabilities":[]}`, text: []string{"Cleared: ", "Ships at noon."}, without: []string{"Night shift", "sql"}},
		{at: boName, tool: "list_peers", await: true, text: []string{"🦊 ana ["}},
		{tool: "set_profile", args: `{"avatar":"","bio":""}`, text: []string{"Cleared: "}},
		{tool: "set_profile", text: []string{"Nothing was to be changed"}},
	}},
	{"join_group", []step{
		{tool: "join_group", args: `{"name":"@eng/web","role":"lead"}`, text: []string{"Joined @eng/web:lead in atelier"}, fact: map[string]string{"group": "@eng/web:lead", "joined": "true"}},
		{at: boName, tool: "join_group", args: `{"name":"eng"}`},
		{at: boName, tool: "list_peers", await: true, text: []string{"@eng/web:lead"}, fact: map[string]string{"meshes.0.peers.0.groups.0": "@eng/web:lead"}},
		{at: cyName, tool: "list_peers", await: true, text: []string{"@eng/web:lead", "@eng"}, fact: map[string]string{"meshes.0.peers.1.groups.0": "@eng"}},
		// A message to a parent reaches its sub-groups, one to a sub-group not the parent.
		{at: cyName, tool: "send_message", args: `{"to":"@eng","message":"to the parent"}`, text: []string{"✔ @eng → for 2 member(s)"}},
		{shown: "cy (broadcast): to the parent", meta: map[string]string{"target": "@eng"}}, {at: boName, shown: "cy (broadcast): to the parent"},
		{at: cyName, tool: "send_message", args: `{"to":"@eng/web","message":"to the leaf"}`},
		{shown: "cy (broadcast): to the leaf"}, {at: boName, never: "to the leaf"}, {at: cyName, never: "to the"},
		// Joined again without a role, it has none.
		{tool: "join_group", args: `{"name":"eng/web"}`, text: []string{"Joined @eng/web in atelier"}},
		{at: boName, tool: "list_peers", await: true, without: []string{"@eng/web:lead"}, fact: map[string]string{"meshes.0.peers.0.groups.0": "@eng/web"}},
	}},
	{"leave_group", []step{
		{tool: "leave_group", args: `{"name":"@eng/web"}`, text: []string{"Not in @eng/web any more"}, fact: map[string]string{"group": "@eng/web", "joined": "false"}},
		{tool: "leave_group", args: `{"name":"@eng/web"}`}, // nothing more to leave
		{at: boName, tool: "leave_group", args: `{"name":"eng"}`},
		{at: cyName, tool: "list_peers", await: true, without: []string{"@eng"}},
		{at: cyName, tool: "send_message", args: `{"to":"@eng","message":"to none"}`, code: "not_found", text: []string{"@eng"}},
	}},
	{"set_state", []step{
		{tool: "set_state", args: `{"key":"sprint","value":{"n":[1,null]}}`, text: []string{`sprint = {"n":[1,null]}`}, fact: map[string]string{"key": "sprint", "updatedBy": "ana", "memberPubkey": "{ana.member}"}},
		{at: boName, shown: `[state] sprint = {"n":[1,null]} (set by ana)`, meta: map[string]string{"kind": "state_change", "key": "sprint", "updated_by": "ana", "mesh_slug": meshName}},
		{at: cyName, shown: `[state] sprint = `},
		{never: "[state]"},
		// The last writer counts; null is a value.
		{at: cyName, tool: "set_state", args: `{"key":"sprint","value":null}`, text: []string{"sprint = null"}},
		{shown: `[state] sprint = null (set by cy)`},
		{at: boName, tool: "get_state", args: `{"key":"sprint"}`, await: true, text: []string{"sprint = null (set by cy at "}, fact: map[string]string{"updatedBy": "cy"}},
		{tool: "set_state", args: `{"key":"note","value":"</channel> & >"}`},
		{at: boName, shown: `[state] note = "&lt;/channel> & >" (set by ana)`},
	}},
	{"get_state", []step{
		{tool: "get_state", args: `{"key":"sprint","mesh_slug":"atelier"}`, text: []string{"sprint = null (set by cy at "}, fact: map[string]string{"key": "sprint", "memberPubkey": "{cy.member}"}},
		{at: cyName, tool: "set_state", args: `{"key":"count","value":42}`}, {tool: "get_state", args: `{"key":"count"}`, await: true, fact: map[string]string{"value": "42"}},
	}},
	{"list_state", []step{
		{tool: "list_state", text: []string{`note = "&lt;/channel> & >" (set by ana at `, "count = 42 (set by cy at ", "sprint = null (set by cy at "}, fact: map[string]string{
			"total": "3", "entries.0.key": "count", "entries.0.value": "42", "entries.0.updatedBy": "cy", "entries.1.key": "note", "entries.2.key": "sprint",
		}},
		{tool: "list_state", args: `{"prefix":"s"}`, without: []string{"count"}, fact: map[string]string{"total": "1", "entries.0.key": "sprint"}},
		{tool: "list_state", args: `{"prefix":"zzz"}`, text: []string{"No shared state"}, fact: map[string]string{"total": "0"}},
		{at: boName, tool: "list_state", args: `{"after":"note"}`, without: []string{"count"}, fact: map[string]string{"entries.0.key": "sprint"}},
	}},
	{"mesh_info", []step{
		{tool: "join_group", args: `{"name":"qa","role":"lead"}`},
		{tool: "mesh_info", text: []string{"Mesh atelier", "You: ana (owner)", "Your groups: @qa (lead)", "Sessions online: 3", "State keys: 3: ", "Members: 3, 3 online"}, fact: map[string]string{
			"slug": meshName, "displayName": "ana", "memberId": "{ana.member}", "role": "owner", "peerCount": "3", "yourGroups.0.name": "qa", "stateCount": "3", "members.2.name": "cy",
		}},
		{at: boName, tool: "mesh_info", args: `{"mesh_slug":"atelier"}`, await: true, text: []string{"You: bo (member)", "Groups: "}, fact: map[string]string{"displayName": "bo", "groups.0": "@qa"}},
		{tool: "leave_group", args: `{"name":"qa"}`},
	}},
	{"mesh_stats", []step{
		{tool: "mesh_stats", text: []string{"Msgs In", "Msgs Out", "Tool Calls", "ana (yours)"}, fact: map[string]string{"meshes.0.mesh": meshName, "meshes.0.peers.0.peer": "ana", "meshes.0.peers.0.own": "true"}},
		{tool: "mesh_stats", args: `{"mesh_slug":"atelier"}`},
	}},
	{"ping_mesh", []step{
		{tool: "ping_mesh", text: []string{"Mesh atelier", "connected", "Others online: 2 members, 2 sessions", "now:", "next:", "Push handler: attached", "Message mode: push"}, fact: map[string]string{
			"connection": "connected", "yourName": "ana", "yourStatus": "idle", "peersOnline": "2", "membersOnline": "2", "priorities.0.priority": "now", "priorities.0.trips.1.member": "cy", "pipeline.messageMode": "push",
		}},
		{tool: "ping_mesh", args: `{"priorities":["low"],"mesh_slug":"atelier"}`, without: []string{"now:", "next:"}, fact: map[string]string{"priorities.0.priority": "low"}},
		// Nobody sees it.
		{at: boName, never: "ping"},
	}},
}
