//go:build unix

package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/manual"
)

// sample is a command as it is run with --json, as it should be and as it should not.
//
// Whoever adds a command adds a line: the words, in an order in which they can follow
// each other, and wrong words with the status that they end with. $LINK, $WORK, $ID and
// $CODE stand for what came before. What the document must be like follows from the
// tables in cli/commands.
type sample struct {
	right string
	// status is that of the right words, or whatever.
	status int
	// wrong must fail with wrongStatus.
	wrong       string
	wrongStatus int
	// ben runs it instead of ana.
	ben bool
	// kept names what is kept of the document, as NAME=key.key.
	kept string
	// json are keys of the document that the text of this command need not show.
	json string
}

// whatever is the status of a command that depends on the machine.
const whatever = -1

var samples = []sample{
	{right: "--version", wrong: "--versoin", wrongStatus: 3},
	{right: "list", wrong: "list all", wrongStatus: 3},
	{right: "new spare --as ana", json: "members", wrong: "new team", wrongStatus: 6},
	{right: "new other --as ana", json: "members"},
	{right: "rename spare plain --mesh spare", wrong: "rename nowhere xy", wrongStatus: 5},
	{right: "delete other -y", json: "where", wrong: "delete nowhere -y", wrongStatus: 5},
	{right: "leave plain --force", wrong: "leave nowhere", wrongStatus: 5},
	{right: "invite --uses 3 --mesh team", wrong: "invite --uses 0", wrongStatus: 3},
	{right: "invite --code --mesh team -q", json: "code nameplate mesh role", wrong: "invite bob", wrongStatus: 3},
	{right: "invites --all", json: "mesh", wrong: "invites open", wrongStatus: 3},
	{right: "join $LINK", json: "role members invited_by", ben: true, wrong: "join nonsense", wrongStatus: 3},
	{right: "members", wrong: "members bob", wrongStatus: 3},
	{right: "peers --all", wrong: "peers --mesh nowhere", wrongStatus: 5},
	{right: "info", wrong: "info --mesh nowhere", wrongStatus: 5},
	{right: "stats", wrong: "stats --mesh nowhere", wrongStatus: 5},
	{right: "ping", json: "ms", wrong: "ping --priority soon", wrongStatus: 3},
	{right: "status", wrong: "status --mesh nowhere", wrongStatus: 5},
	{right: "doctor", status: whatever, wrong: "doctor now", wrongStatus: 3, json: "status detail version"},
	{right: "whoami", wrong: "whoami ana", wrongStatus: 3},
	{right: "profile set --title Sailor", wrong: "profile set --mesh nowhere", wrongStatus: 5},
	{right: "profile --bio Sails. --groups qa:lead --capabilities go,sql", wrong: "profile --member zoe", wrongStatus: 5},
	{right: "state set sprint 42", json: "updatedBy", wrong: "state set sprint", wrongStatus: 3},
	{right: "state get sprint", wrong: "state get nothing", wrongStatus: 5},
	{right: "state list", wrong: "state list all", wrongStatus: 3},
	{right: "state writers everyone", wrong: "state writers zoe", wrongStatus: 5},
	{right: "group join eng/css --role lead --session robin", wrong: "group join all --session robin", wrongStatus: 3},
	{right: "group list", wrong: "group list eng", wrongStatus: 3},
	{right: "group leave eng/css --session robin", wrong: "group leave", wrongStatus: 3},
	{right: "status set dnd --session robin", json: "source", wrong: "status set busy", wrongStatus: 3},
	{right: "visible off --session merle", wrong: "visible maybe", wrongStatus: 3},
	{right: "summary 'reads the parser' --session robin", wrong: "summary", wrongStatus: 3},
	{right: "send ben hello", kept: "ID=id", wrong: "send zoe hello", wrongStatus: 5},
	{right: "msg-status $ID", wrong: "msg-status 01890a5d-0000-7000-8000-000000000000", wrongStatus: 5},
	{right: "inbox --wait 10", ben: true, json: "priority", wrong: "inbox --limit 0", wrongStatus: 3},
	{right: "verify ben", json: "safetyNumber", wrong: "verify zoe", wrongStatus: 5},
	{right: "grant ben file-read", json: "stateWrites", wrong: "grant ben fly", wrongStatus: 3},
	{right: "revoke ben broadcast", json: "stateWrites", wrong: "revoke zoe dm", wrongStatus: 5},
	{right: "grants", json: "stateWrites", wrong: "grants ben", wrongStatus: 3},
	{right: "block ben", json: "stateWrites", wrong: "block zoe", wrongStatus: 5},
	{right: "unblock ben", json: "stateWrites", wrong: "unblock zoe", wrongStatus: 5},
	{right: "promote ben", wrong: "promote zoe", wrongStatus: 5},
	{right: "demote ben", wrong: "demote zoe", wrongStatus: 5},
	{right: "kick ben", json: "mesh", wrong: "kick zoe", wrongStatus: 5},
	{right: "uninvite --all", wrong: "uninvite 0123456789abcdef", wrongStatus: 5},
	{right: "ban ben --yes", wrong: "ban zoe --yes", wrongStatus: 5},
	{right: "bans", json: "mesh", wrong: "bans ben", wrongStatus: 3},
	{right: "unban ben", wrong: "unban zoe", wrongStatus: 5},
	{right: "audit --kind member_removed", wrong: "audit --since yesterday", wrongStatus: 3},
	{right: "audit verify", json: "mesh chain entries", wrong: "audit verify all", wrongStatus: 3},
	{right: "log --no-follow --lines 1", json: "at data seq i event chain", wrong: "log --lines 0", wrongStatus: 3},
	{right: "upgrade --check", status: whatever, wrong: "upgrade now", wrongStatus: 3},
	{right: "policy show", wrong: "policy show all", wrongStatus: 3},
	{right: "policy set mesh.ban allow --yes", wrong: "policy set mesh.ban maybe --yes", wrongStatus: 3},
	{right: "policy test mesh.ban", wrong: "policy test mesh.bna", wrongStatus: 5},
	{right: "config", wrong: "config all", wrongStatus: 3},
	{right: "config set role lead", wrong: "config set mcp.tools all", wrongStatus: 3},
	{right: "config get role", wrong: "config get nothing", wrongStatus: 5},
	{right: "config unset role", wrong: "config unset nothing", wrongStatus: 5},
	{right: "telemetry status", wrong: "telemetry maybe", wrongStatus: 3},
	{right: "telemetry on", wrong: "telemetry on now", wrongStatus: 3},
	{right: "telemetry off", wrong: "telemetry off now", wrongStatus: 3},
	{right: "call --list", json: "cli tool needs place doc", wrong: "call", wrongStatus: 3},
	{right: "call state.get '{\"key\":\"sprint\",\"mesh_slug\":\"team\"}'", wrong: "call state.gte", wrongStatus: 5},
	{right: "completions bash", wrong: "completions tcsh", wrongStatus: 3},
	{right: "backup $WORK/ana.cmb --passphrase-file $WORK/phrase --yes", json: "size meshes file", wrong: "backup --passphrase-file $WORK/empty", wrongStatus: 3},
	{right: "restore $WORK/ana.cmb --passphrase-file $WORK/phrase --yes", wrong: "restore $WORK/none", wrongStatus: 5},
	{right: "install --agent claude", json: "program", wrong: "install --agent emacs", wrongStatus: 3},
	{right: "uninstall --agent claude", json: "program", wrong: "uninstall --agent emacs", wrongStatus: 3},
	{right: "url-handler", wrong: "url-handler remove", wrongStatus: 3},
	{right: "url-handler install", wrong: "url-handler install now", wrongStatus: 3},
	{right: "url-handler uninstall", wrong: "url-handler uninstall now", wrongStatus: 3},
	{right: "node status", json: "value source", wrong: "node status all", wrongStatus: 3},
	{right: "node up", json: "version", wrong: "node up now", wrongStatus: 3},
	{right: "node logs", wrong: "node logs all", wrongStatus: 3},
	{right: "node down", wrong: "node down now", wrongStatus: 3},
	{right: "status-line", json: "line"},
}

// noDocument are the commands that print none when all is well, and why.
var noDocument = map[string]string{
	"launch":    "it becomes Claude Code",
	"mcp":       "stdout is the protocol",
	"open-link": "it takes no flags, since web pages choose its words: links.txtar has it",
	"hook":      "what it prints is for an agent",
	"node run":  "it runs; its failure is a document, as node.txtar shows",
	"help":      "it is what --help prints, which is looked at for every command",
	"void":      "needs a chain of events: admin.txtar has it",
}

// Every document that a command prints with --json begins with its version, and is as
// the schema in docs/schema says, to the last key; a failure, too.
func TestDocumentsAreAsPublished(t *testing.T) {
	s := newStage(t)
	seen := map[string]bool{}
	for _, c := range samples {
		h := s.ana
		if c.ben {
			h = s.ben
		}
		cmd := commandOf(t, s.words(c.right))
		seen[cmd.CommandPath()] = true
		out := s.until(t, h, c.status, c.right+" --json")
		conforms(t, c.right, cli.SchemaOf(cmd), s.words(c.right), out.Stdout)
		if name, key, ok := strings.Cut(c.kept, "="); ok {
			s.keep(name, out.Stdout, strings.Split(key, ".")...)
		}
		if c.wrong == "" {
			continue
		}
		if other := commandOf(t, s.words(c.wrong)); !strings.HasPrefix(cmd.CommandPath(), other.CommandPath()) {
			t.Errorf("%q is no wrong form of %q", c.wrong, c.right)
		}
		out = s.run(t, h, c.wrong+" --json")
		if out.Status != c.wrongStatus {
			t.Errorf("%s: status %d, not %d: %s", c.wrong, out.Status, c.wrongStatus, out.Stdout)
		}
		fails(t, c.wrong, out.Stdout)
		if out.Stderr != "" && !strings.Contains(out.Stderr, "→") {
			t.Errorf("%s: beside its document: %q", c.wrong, out.Stderr)
		}
	}
	for _, cmd := range every(cli.Commands()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "claudemesh ")
		twin := cmd.Annotations[manual.Also]
		excused := noDocument[name] + noDocument[strings.TrimPrefix(twin, "claudemesh ")]
		if !seen[cmd.CommandPath()] && !seen[twin] && excused == "" && cmd.Annotations[manual.Holds] == "" {
			t.Errorf("no sample runs `%s`: add a line to samples", cmd.CommandPath())
		}
	}
}

// --help and every unknown flag are documents, too, of every command.
func TestHelpAndFlagsOfEveryCommandAreDocuments(t *testing.T) {
	h := newHome(t)
	for _, cmd := range every(cli.Commands()) {
		if cmd.DisableFlagParsing {
			continue // no flag means anything there
		}
		words := strings.Fields(cmd.CommandPath())[1:]
		out, err := h.Command(limited(t), append(slices.Clone(words), "--help", "--json")...)
		if err != nil || out.Status != 0 {
			t.Errorf("%v: %+v, %v", words, out, err)
		}
		conforms(t, strings.Join(words, " ")+" --help", "help", nil, out.Stdout)
		if cmd.Name() == "hook" || cmd.Name() == "status-line" {
			continue // they never fail
		}
		out, err = h.Command(limited(t), append(slices.Clone(words), "--jsn", "--json")...)
		if err != nil || out.Status != 3 || !strings.Contains(out.Stdout, "did you mean --json?") {
			t.Errorf("%v: %+v, %v", words, out, err)
		}
		fails(t, strings.Join(words, " ")+" --jsn", out.Stdout)
	}
}

// every lists a command and all below it.
func every(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		out = append(out, every(sub)...)
	}
	return out
}

func commandOf(t *testing.T, words []string) *cobra.Command {
	t.Helper()
	cmd, _, err := cli.Commands().Find(words)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return cmd
}

// begins is how every document begins; log writes each in a line.
var begins = regexp.MustCompile(`^\{(\n  )?"schema_version": ?"1.0"`)

// conforms holds a document against a published schema, which for call is that of the
// operation.
func conforms(t *testing.T, what, schema string, words []string, text string) {
	t.Helper()
	if !begins.MatchString(text) {
		t.Errorf("%s: no document: %q", what, text)
		return
	}
	if schema == "" {
		t.Errorf("%s prints a document that is not published: add its type to the Documents of its package in cli/commands", what)
		return
	}
	if schema == "call" {
		if schema = "call-list"; words[1] != "--list" {
			schema = "call/" + words[1]
		}
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", filepath.FromSlash(schema)+".json"))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	var s jsonschema.Schema
	var doc any
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, strict := range []bool{false, true} {
		if strict {
			closed(&s)
		}
		checked, err := s.CloneSchemas().Resolve(nil)
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		if err := checked.Validate(doc); err != nil {
			t.Errorf("%s is not as docs/schema/%s.json says (every key known: %v): %v\n%s", what, schema, strict, err, text)
			return
		}
	}
}

// closed refuses keys that a schema does not name.
func closed(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	for _, p := range s.Properties {
		closed(p)
	}
	for _, p := range slices.Concat(s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Items, s.AdditionalProperties}) {
		closed(p)
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	}
}

// fails holds the document of a failure against its schema. A key that is not set is an
// answer as well, with a schema of its own.
func fails(t *testing.T, what, text string) {
	t.Helper()
	if what == "state get nothing" {
		conforms(t, what, "state-get", nil, text)
		return
	}
	conforms(t, what, "failure", nil, text)
	var doc struct {
		OK    bool
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.OK || doc.Error.Code == "" || doc.Error.Message == "" || doc.Error.Hint == "" {
		t.Errorf("%s: not a code, what is wrong and what to do: %s", what, text)
	}
}
