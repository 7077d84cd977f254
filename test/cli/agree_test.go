//go:build unix

package cli_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/test/harness"
)

// onlyJSON are the keys that text leaves out or shows in another form: times, whole
// keys and ids, what whoami tells, and what was typed.
var onlyJSON = map[string]bool{
	"schema_version": true, "mesh_id": true, "mesh_slug": true, "meshId": true, "memberId": true, "memberPubkey": true,
	"updatedAt": true, "connectedAt": true, "lastSeen": true, "statusAge": true, "rtt": true, "own": true,
	"joined_at": true, "member_key": true, "bytes": true, "total": true, "boot": true, "uptime_ms": true, "connection": true, "node": true, "state": true, "memberState": true,
}

// Line 28 of the bug catalogue: what the table shows and what JSON holds are one.
func TestTextAndJSONAgree(t *testing.T) {
	ctx := limited(t)
	h, robin, _ := twoAgents(t)
	for tool, args := range map[string]string{
		"set_summary": `{"summary":"reads the parser"}`, "set_status": `{"status":"dnd"}`,
		"join_group": `{"name":"eng/web","role":"lead"}`, "set_state": `{"key":"sprint","value":42}`,
	} {
		if r, err := robin.CallTool(ctx, tool, json.RawMessage(args)); err != nil || r.IsError {
			t.Fatalf("%s: %+v, %v", tool, r, err)
		}
	}
	run(t, h, "profile", "--title", "Night shift", "--bio", "Ships at noon.", "--groups", "qa:lead", "--capabilities", "go,sql")
	for _, words := range [][]string{
		{"peers"}, {"peers", "--all"}, {"info"}, {"stats"}, {"group", "list"}, {"state", "list"}, {"state", "get", "sprint"},
		{"state", "writers"}, {"profile"}, {"config"}, {"config", "get", "messageMode"}, {"list"}, {"status"},
	} {
		text := run(t, h, words...)
		var doc any
		if err := json.Unmarshal([]byte(run(t, h, append(words, "--json")...)), &doc); err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		for _, leaf := range leaves(doc, "") {
			if !slices.Contains(words, leaf.text) && !strings.Contains(text, leaf.text) {
				t.Errorf("%v: JSON has %s %q, the text does not:\n%s", words, leaf.key, leaf.text, text)
			}
		}
	}
}

// Where two users do the same, one reading text and the other documents, both are told
// the same: what is in the document of any command is in its text, but for what differs
// from run to run, such as how many nodes could be told at once.
func TestEveryCommandTellsTheSameInBothForms(t *testing.T) {
	text, docs := newStage(t), newStage(t)
	for _, c := range samples {
		of := func(s *stage) *harness.Home {
			if c.ben {
				return s.ben
			}
			return s.ana
		}
		doc := docs.until(t, of(docs), c.status, c.right+" --json")
		said := text.until(t, of(text), c.status, c.right)
		if name, key, ok := strings.Cut(c.kept, "="); ok {
			docs.keep(name, doc.Stdout, strings.Split(key, ".")...)
			text.vars[name] = uuid.FindString(said.Stdout + said.Stderr)
		}
		var tree any
		if err := json.Unmarshal([]byte(doc.Stdout), &tree); err != nil {
			t.Errorf("%s: %v", c.right, err)
			continue
		}
		all := said.Stdout + said.Stderr
		for _, l := range leaves(tree, "") {
			if l.key == "pid" || l.key == "told" || slices.Contains(strings.Fields(c.json), l.key) || passing.MatchString(l.text) || strings.Contains(c.right, l.text) ||
				strings.Contains(l.text, "/cmesh-") || strings.Contains(all, l.text) {
				continue
			}
			t.Errorf("%s: the document has %s %q, the text does not:\n%s", c.right, l.key, l.text, all)
		}
	}
}

// uuid is the id of a message.
var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// passing are values that differ from run to run: keys, ids, times, durations, addresses.
var passing = regexp.MustCompile(`^([0-9a-f]{16,}|[a-z2-7]{26,}|[A-Za-z0-9_-]{40,}|claudemesh://.*|.*[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9.]+ ?(ms|s|m)|/ip4/.*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|12D3.*)$`)

// run runs a command that must succeed and returns what it printed.
func run(t *testing.T, h *harness.Home, words ...string) string {
	t.Helper()
	out, err := h.Command(limited(t), words...)
	if err != nil || out.Status != 0 {
		t.Fatalf("%v: %+v, %v", words, out, err)
	}
	return out.Stdout
}

// leaf is a value in a document.
type leaf struct{ key, text string }

// leaves are the texts and numbers of a document that text must show, keys at most
// to the length that lists show.
func leaves(v any, key string) []leaf {
	if onlyJSON[key] {
		return nil
	}
	var out []leaf
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			out = append(out, leaves(inner, k)...)
		}
	case []any:
		for _, inner := range v {
			out = append(out, leaves(inner, key)...)
		}
	case string:
		if len(v) == 64 && !strings.Contains(v, " ") {
			v = v[:16]
		}
		out = append(out, leaf{key, v})
	case float64:
		out = append(out, leaf{key, fmt.Sprint(v)})
	}
	return out
}
