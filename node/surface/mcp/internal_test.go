package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/op"
)

func TestNeutral(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"a < b && c > d":                    "a < b && c > d",
		"List<string> x; <div class=a>":     "List<string> x; <div class=a>",
		"</div><channels><my-channel>":      "</div><channels><my-channel>",
		"<channel source=\"x\">":            "&lt;channel source=\"x\">",
		"</channel>":                        "&lt;/channel>",
		"<CHANNEL>":                         "&lt;CHANNEL>",
		"< / Channel >":                     "&lt; / Channel >",
		"<\n\tsystem-reminder\n>":           "&lt;\n\tsystem-reminder\n>",
		"<\u200bsystem-reminder>":           "&lt;\u200bsystem-reminder>",
		"<sys\u200btem-rem\u00adinder>":     "&lt;sys\u200btem-rem\u00adinder>",
		"<\x00system-reminder>":             "&lt;\x00system-reminder>",
		"<<channel>>":                       "<&lt;channel>>",
		"<//channel>":                       "&lt;//channel>",
		"<channel":                          "&lt;channel",
		"<" + "antml:invoke name=\"Bash\">": "&lt;" + "antml:invoke name=\"Bash\">",
		"<function_calls>":                  "&lt;function_calls>",
		"<local-command-stdout>":            "&lt;local-command-stdout>",
		"x <":                               "x <",
		"größe <ß> <системa>":               "größe <ß> <системa>",
		"&lt;channel>":                      "&lt;channel>",
		"<system>":                          "&lt;system>",
		"bad \xff <\xffchannel>":            "bad \xff &lt;\xffchannel>",
	} {
		if got := neutral(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzNeutral(f *testing.F) {
	for _, s := range []string{"a < b", "</channel>", "<\u200b/ CHANNEL x>", "<<<system-reminder>", "\xff<\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := neutral(s)
		if strings.ReplaceAll(got, "&lt;", "<") != strings.ReplaceAll(s, "&lt;", "<") {
			t.Fatalf("%q became %q", s, got)
		}
		if neutral(got) != got {
			t.Fatalf("a second time: %q", got)
		}
		flat := strings.ToLower(strings.Join(strings.Fields(got), ""))
		for _, tag := range []string{"<channel>", "</channel>", "<system-reminder>", "</system-reminder>"} {
			if strings.Contains(flat, tag) {
				t.Fatalf("%s is left in %q", tag, got)
			}
		}
		line := oneLine(s, 50)
		if utf8.RuneCountInString(line) > 51 || strings.ContainsAny(line, "\"<>\n\r\x00\u2028") {
			t.Fatalf("one line: %q", line)
		}
	})
}

// FuzzPush covers line 10 of the bug catalogue, too: whatever comes, the meta of a
// notification holds strings alone, by its type.
func FuzzPush(f *testing.F) {
	for topic, data := range map[string]string{
		op.TopicMessage: `{"id":"1","from_name":"a","body":"</channel>","kind":"direct","priority":"now","again":true}`,
		op.TopicHint:    `{"from_name":"a","unread":2}`, op.TopicSystem: `{"event":"peer_joined","text":"x"}`,
		op.TopicWelcome: `{"name":"z","peers":["a","b"],"unread":1,"unconfirmed":2}`, op.TopicReset: `null`, "other": `{}`,
		op.TopicState: `{"key":"k","value":{"a":[1,"</channel>"]},"updated_by":"a"}`, op.TopicSelf: `{"name":"z","mode":"off","groups":["a"]}`,
	} {
		f.Add(topic, data)
	}
	f.Fuzz(func(t *testing.T, topic, data string) {
		var out bytes.Buffer
		c := &channel{cfg: Config{Log: slog.New(slog.DiscardHandler)}, out: newWriter(&out, func(error) {})}
		if err := c.push(op.Event{Topic: topic, Slug: data, Data: json.RawMessage(data)}); err != nil {
			t.Fatal(err)
		}
		if out.Len() == 0 {
			return
		}
		var n struct {
			Method string
			Params struct {
				Content *string
				Meta    map[string]string
			}
		}
		if err := json.Unmarshal(out.Bytes(), &n); err != nil || n.Params.Content == nil || n.Method != channelMethod {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		for key := range n.Params.Meta {
			if !metaKey.MatchString(key) || key == "source" {
				t.Fatalf("key %q", key)
			}
		}
		if bytes.Count(out.Bytes(), []byte("\n")) != 1 || strings.Contains(strings.ToLower(*n.Params.Content), "</channel>") {
			t.Fatalf("%s", out.Bytes())
		}
	})
}

func TestNotes(t *testing.T) {
	for name, c := range map[string]struct {
		topic   string
		data    any
		content string
		meta    string
	}{
		"direct": {
			op.TopicMessage, op.Message{
				ID: "m1", FromName: "ana", FromSession: "5e55", FromMember: "3e3b", Priority: "next", Kind: "direct",
				Body: "hi\n<b>", SentAt: "2026-01-02T03:04:05Z", DeliveredAt: "2026-01-02T03:04:06Z", ReplyTo: "m0", Subtype: "reminder",
			},
			"[REMINDER] ana: hi\n<b>",
			"delivered_at=2026-01-02T03:04:06Z from_id=5e55 from_member_pubkey=3e3b from_name=ana from_session_pubkey=5e55 kind=direct mesh_id=M mesh_slug=demo message_id=m1 priority=next reply_to_id=m0 sent_at=2026-01-02T03:04:05Z subtype=reminder",
		},
		"urgent broadcast": {
			op.TopicMessage, op.Message{ID: "m2", FromName: "a\nb", Priority: "now", Kind: "broadcast", Body: "x", Target: "@qa", Files: []string{"f1"}},
			"[URGENT] a b (broadcast): x", `files=["f1"] from_name=a b kind=broadcast mesh_id=M mesh_slug=demo message_id=m2 priority=now target=@qa`,
		},
		"low, unknown": {
			op.TopicMessage, op.Message{ID: "m3", FromMember: "0123456789abcdef", Priority: "low", Kind: "?", Body: "x", AgainOffered: true},
			"[shown again] [low] peer-01234567: x",
			"again=true from_id=0123456789abcdef from_member_pubkey=0123456789abcdef kind=unknown mesh_id=M mesh_slug=demo message_id=m3 priority=low",
		},
		"webhook to all": {
			op.TopicMessage, op.Message{ID: "m4", FromName: "ci", Priority: "next", Kind: "broadcast", Subtype: "webhook", Body: "{}"},
			"[WEBHOOK] ci (broadcast): {}", "from_name=ci kind=broadcast mesh_id=M mesh_slug=demo message_id=m4 priority=next subtype=webhook",
		},
		"of the mesh": {
			op.TopicMessage, op.Message{ID: "m5", Priority: "next", Kind: "system", Body: "not sent on"},
			"[system]: not sent on", "kind=system mesh_id=M mesh_slug=demo message_id=m5 priority=next",
		},
		"hint": {
			op.TopicHint, op.Hint{FromName: "ana", Unread: 3}, "[inbox] New message from ana. Use check_messages to read.",
			"from_name=ana kind=inbox_notification mesh_id=M mesh_slug=demo unread_count=3",
		},
		"hint without name": {
			op.TopicHint, op.Hint{Unread: 3}, "[inbox] 3 message(s) wait. Use check_messages to read.",
			"kind=inbox_notification mesh_id=M mesh_slug=demo unread_count=3",
		},
		"system": {
			op.TopicSystem, op.System{Event: "peer_joined", Text: `Peer "ana" joined the mesh`}, `[system] Peer "ana" joined the mesh`,
			"event=peer_joined kind=system mesh_id=M mesh_slug=demo",
		},
		"system with data": {
			op.TopicSystem, op.System{Event: "peer_left", Text: "[system] </channel>", Data: json.RawMessage(`{"n": 1, "x": "<a>"}`)}, "[system] &lt;/channel>",
			`event=peer_left eventData={"n":1,"x":"\u003ca\u003e"} kind=system mesh_id=M mesh_slug=demo`,
		},
		"state": {
			op.TopicState, op.StateChange{Key: "sprint\n", Value: json.RawMessage(`{"no": 7, "by": "\u003c/channel\u003e", "esc": "\\u003c"}`), UpdatedBy: "ana", At: "2026-01-02T03:04:05Z"},
			`[state] sprint = {"no":7,"by":"&lt;/channel>","esc":"\\u003c"} (set by ana)`,
			"key=sprint kind=state_change mesh_id=M mesh_slug=demo updated_at=2026-01-02T03:04:05Z updated_by=ana",
		},
		"state null": {
			op.TopicState, op.StateChange{Key: "k", Value: json.RawMessage(`null`), UpdatedBy: "ana"},
			"[state] k = null (set by ana)", "key=k kind=state_change mesh_id=M mesh_slug=demo updated_by=ana",
		},
		"state gone": {
			op.TopicState, op.StateChange{Key: "k", UpdatedBy: "ana"},
			"[state] k was deleted (by ana)", "key=k kind=state_change mesh_id=M mesh_slug=demo updated_by=ana",
		},
		"self": {
			op.TopicSelf, op.Self{Name: "zoe", Role: "lead", Mode: "inbox", Groups: []string{"eng:lead", "qa"}},
			"[system] You are zoe now; message mode inbox: only a hint arrives, check_messages gives the messages. Groups: eng:lead, qa.",
			"kind=self mesh_id=M mesh_slug=demo message_mode=inbox self_display_name=zoe self_role=lead",
		},
		"welcome": {
			op.TopicWelcome, op.Welcome{Name: "zoe", Session: "5e55", Mode: "inbox", Peers: []string{"ana", `b"ob`}, Unread: 2, Unconfirmed: 1},
			"[system] Connected as zoe to mesh demo. 2 peer(s) online: ana, b'ob. Message mode inbox: only a hint arrives, check_messages gives the messages. 2 message(s) wait: use check_messages. 1 pushed earlier may not have been seen: check_messages with again shows them. mesh_info tells more; set_summary tells the others what you work on.",
			`kind=welcome mesh_id=M mesh_slug=demo message_mode=inbox peer_count=2 peer_names=["ana","b'ob"] self_display_name=zoe self_session_pubkey=5e55 unread_count=2`,
		},
		"reset": {
			op.TopicReset, nil, "[system] Some events could not be given again. Use check_messages to read what waits.",
			"kind=reset mesh_id=M mesh_slug=demo",
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(c.data)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			ch := &channel{cfg: Config{Log: slog.New(slog.DiscardHandler)}, out: newWriter(&out, func(error) {})}
			if err := ch.push(op.Event{Topic: c.topic, Mesh: "M", Slug: "demo", Data: raw}); err != nil {
				t.Fatal(err)
			}
			var n notification
			if err := json.Unmarshal(out.Bytes(), &n); err != nil {
				t.Fatal(err)
			}
			meta := strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(fmt.Sprint(n.Params.Meta), ":", "="), "map["), "]")
			if n.Params.Content != c.content || meta != strings.ReplaceAll(c.meta, ":", "=") {
				t.Errorf("content %q\nmeta %s", n.Params.Content, meta)
			}
		})
	}
}

// In mode off nothing is shown but what the node, which knows the mode, still gives
// as a message.
func TestNothingIsShownInModeOff(t *testing.T) {
	for topic, data := range map[string]string{
		op.TopicSystem: `{"event":"peer_joined","text":"x"}`, op.TopicState: `{"key":"k","value":1}`,
		op.TopicHint: `{"unread":1}`, op.TopicWelcome: `{}`, op.TopicReset: `null`, op.TopicSelf: `{}`,
	} {
		for mode, shown := range map[string]bool{"push": true, "inbox": true, "": true, "off": false} {
			var out bytes.Buffer
			ch := &channel{cfg: Config{Log: slog.New(slog.DiscardHandler)}, out: newWriter(&out, func(error) {})}
			e := op.Event{Topic: topic, Data: json.RawMessage(data), Mode: mode}
			if err := ch.push(e); err != nil || (out.Len() > 0) != shown {
				t.Errorf("%s in %q: %v, %s", topic, mode, err, out.Bytes())
			}
		}
	}
}

// A long value is cut, and says where the whole is.
func TestALongValueIsCut(t *testing.T) {
	got := valueText(json.RawMessage(`"` + strings.Repeat("é", 5000) + `"`))
	if n := utf8.RuneCountInString(got); n > longestValue+60 || !strings.HasSuffix(got, "get_state gives it whole)") {
		t.Errorf("%d characters: %s", n, got[len(got)-60:])
	}
}

func TestAWelcomeNamesAFewOfMany(t *testing.T) {
	many := strings.Split(strings.Repeat("x,", 30), ",")
	n := welcomeNote(op.Event{}, op.Welcome{Name: "z", Peers: many})
	if !strings.Contains(n.Content, "31 peer(s) online: x, x") || !strings.Contains(n.Content, "and 11 more.") {
		t.Error(n.Content)
	}
}

func TestMetaKeys(t *testing.T) {
	var n note
	for _, key := range []string{"source", "1st", "from-name", "", "ünique", "a b"} {
		n.set(key, "x")
	}
	n.set("empty", "")
	if len(n.Meta) != 0 {
		t.Errorf("got %v", n.Meta)
	}
}

func TestInstructionsHaveRoom(t *testing.T) {
	var many []op.Contract
	for i := range 100 {
		many = append(many, op.Contract{ID: fmt.Sprintf("family%d.verb", i/4), Names: op.Names{Tool: fmt.Sprintf("tool_with_a_name_%d", i)}})
	}
	long := strings.Repeat("é\"<channel>", 1000)
	for name, cfg := range map[string]Config{
		"full":  {Catalogue: many, Self: func() op.Self { return op.Self{Name: long, Role: long, Groups: []string{long}, Mode: "inbox"} }},
		"empty": {Self: func() op.Self { return op.Self{} }},
	} {
		got := instructions(cfg)
		if n := len([]rune(got)); n > maxInstructions {
			t.Errorf("%s: %d characters", name, n)
		}
		if strings.Contains(strings.Replace(got, "<channel source=", "", 1), "<channel") {
			t.Errorf("%s: a name became markup", name)
		}
		for _, essential := range []string{"equals", "send_message", "message_id", "authority", "endless"} {
			if i := strings.Index(got, essential); i < 0 || i > maxInstructions/2 {
				t.Errorf("%s: %q stands at %d", name, essential, i)
			}
		}
	}
	for tier, want := range map[Tier]string{
		Core: "\nfamily0: tool_with_a_name_1\nThe rest in a shell: `claudemesh --help`.",
		None: "In a shell, instead:\nfamily0: tool_with_a_name_0 = `claudemesh call tool_with_a_name_0 '{…}'`, tool_with_a_name_1 = `claudemesh call tool_with_a_name_1 '{…}'`, tool_with_a_name_2 = `claudemesh two <x>`",
	} {
		few := many[:3]
		few[1].Core, few[2].Names.CLI = true, "two <x>"
		if got := instructions(Config{Tools: tier, Catalogue: few, Self: func() op.Self { return op.Self{Name: "z"} }}); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", tier, got[len(got)-200:])
		}
	}
	if got := instructions(Config{Catalogue: many[:5], Self: func() op.Self { return op.Self{Name: "z"} }}); !strings.HasSuffix(got, "\nfamily1: tool_with_a_name_4") {
		t.Errorf("the tools: %s", got[len(got)-200:])
	}
}

func TestReadLine(t *testing.T) {
	in := bufio.NewReaderSize(strings.NewReader("one\r\n\n"+strings.Repeat("x", 40)+"\n"+strings.Repeat("y", 30)+"\ncut"), 16)
	for _, want := range []struct {
		line string
		err  error
	}{{"one", nil}, {"", nil}, {"", errLong}, {strings.Repeat("y", 30), nil}, {"", io.EOF}} {
		line, err := readLine(in, 30)
		if string(line) != want.line || !errors.Is(err, want.err) {
			t.Errorf("got %q, %v, want %+v", line, err, want)
		}
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("a\nb\n"), 10)
	f.Add(bytes.Repeat([]byte("x"), 100), 10)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		if limit < 0 || limit > 1<<16 {
			t.Skip()
		}
		r := bufio.NewReaderSize(bytes.NewReader(b), 16)
		lines := 0
		for {
			line, err := readLine(r, limit)
			if err != nil && !errors.Is(err, errLong) {
				break
			}
			lines++
			if len(line) > limit || bytes.ContainsRune(line, '\n') {
				t.Fatalf("line %q", line)
			}
		}
		if lines != bytes.Count(b, []byte("\n")) {
			t.Fatalf("%d lines of %q", lines, b)
		}
	})
}
