package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// envFake has the test binary play the program.
const envFake = "CLAUDEMESH_HARNESS_FAKE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(envFake); mode != "" {
		fake(mode)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fake is a small MCP server, good but for what mode says.
func fake(mode string) {
	if mode == "parent" {
		child := exec.Command("sleep", "600")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			os.Exit(3)
		}
		fmt.Println("two")
		_ = child.Wait()
		return
	}
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			os.Exit(4)
		}
		answer := func(result string) { say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result) }
		switch m.Method {
		case "server/discover":
			if mode == "modern" {
				answer(`{"supportedVersions":["2026-07-28","2025-11-25"]}`)
			} else {
				say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, m.ID)
			}
		case "initialize":
			if mode == "early" {
				say(`{"jsonrpc":"2.0","method":"notifications/claude/channel","params":{"content":"x"}}`)
			}
			answer(
				`{"protocolVersion":"2025-11-25","serverInfo":{"name":"claudemesh","version":"0"},"capabilities":{"tools":{},"experimental":{"claude/channel":{}}}}`)
		case "tools/list":
			answer(`{"tools":[{"name":"echo"}]}`)
		case "tools/call":
			fakeTool(mode, say, answer)
		}
	}
}

// fakeTool pushes and answers, in that order, and dies where that is its part.
func fakeTool(mode string, say func(string, ...any), answer func(string)) {
	push := func(meta string) {
		say(`{"jsonrpc":"2.0","method":"notifications/claude/channel","params":{"content":"hello","meta":%s}}`, meta)
	}
	switch mode {
	case "number":
		push(`{"message_id":7}`)
	case "source":
		push(`{"source":"x"}`)
	case "noise":
		say("log line on stdout")
	default:
		push(`{"message_id":"m1","kind":"direct"}`)
	}
	if mode == "dies" {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			panic(err)
		}
		_ = self.Kill()
	}
	if mode == "refuses" {
		answer(`{"isError":true,"content":[{"type":"text","text":"no"}]}`)
		return
	}
	answer(`{"content":[{"type":"text","text":"done"}],"structuredContent":{"n":1}}`)
}

// fakeAgent starts an agent on a fake server.
func fakeAgent(t *testing.T, mode string) (*Agent, error) {
	t.Helper()
	w, err := New(Config{Bin: os.Args[0], Env: []string{envFake + "=" + mode}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := w.Home("ana")
	if err != nil {
		t.Fatal(err)
	}
	return h.Agent(soon(t), AgentConfig{Session: "s"})
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAgentCallsAndHears(t *testing.T) {
	a, err := fakeAgent(t, "good")
	if err != nil {
		t.Fatal(err)
	}
	type out struct{ N int }
	got, err := Tool[out](soon(t), a, "echo", nil)
	if err != nil || got.N != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	c, err := a.AwaitMessage(soon(t), "m1")
	if err != nil || c.Content != "hello" || c.Kind() != "direct" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := a.EOF(); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Await(soon(t), 1, func(Channel) bool { return true }); !errors.Is(err, ErrGone) {
		t.Errorf("waiting for more from a server that ended: %v", err)
	}
	if _, err := a.CallTool(soon(t), "echo", nil); !errors.Is(err, ErrGone) {
		t.Errorf("asking a server that ended: %v", err)
	}
}

func TestWhatClientsDropIsABreach(t *testing.T) {
	for mode, want := range map[string]string{
		"number": "clients drop", "source": `key "source"`, "noise": "no JSON-RPC",
	} {
		t.Run(mode, func(t *testing.T) {
			a, err := fakeAgent(t, mode)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.CallTool(soon(t), "echo", nil); err != nil {
				t.Fatal(err)
			}
			if err := a.Breach(); err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v", err)
			}
			if _, err := a.AwaitMessage(soon(t), "none"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("waiting did not tell: %v", err)
			}
		})
	}
}

func TestServersThatWouldLoseChannelsAreRefused(t *testing.T) {
	if _, err := fakeAgent(t, "modern"); err == nil || !strings.Contains(err.Error(), "2026-07-28") {
		t.Errorf("modern: %v", err)
	}
	a, err := fakeAgent(t, "early")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Breach(); err == nil || !strings.Contains(err.Error(), "before initialized") {
		t.Errorf("early: %v", err)
	}
}

func TestLastWordsOfAKilledServerAreHeard(t *testing.T) {
	a, err := fakeAgent(t, "dies")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CallTool(soon(t), "echo", nil); !errors.Is(err, ErrGone) {
		t.Fatalf("got %v", err)
	}
	if _, err := a.AwaitMessage(soon(t), "m1"); err != nil {
		t.Error(err)
	}
}

func TestToolErrors(t *testing.T) {
	a, err := fakeAgent(t, "refuses")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Tool[struct{}](soon(t), a, "echo", nil)
	var refusal *ToolError
	if !errors.As(err, &refusal) || refusal.Text != "no" {
		t.Fatalf("got %v", err)
	}
}

func TestCloseKillsWholeGroups(t *testing.T) {
	w, err := New(Config{Bin: os.Args[0], Env: []string{envFake + "=parent"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h, err := w.Home("ana")
	if err != nil {
		t.Fatal(err)
	}
	// Both processes hold the pipe: it ends when both are gone.
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, err = w.start(launch{name: "parent", env: h.env, dir: h.work, stdout: in})
	if err := errors.Join(err, in.Close(), out.SetReadDeadline(time.Now().Add(2*time.Minute))); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "two\n" {
		t.Fatalf("the parent said %q, %v", line, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the child is still there: %v", err)
	}
}

func TestFaultsAreFoundInLogs(t *testing.T) {
	w, err := New(Config{Bin: os.Args[0]})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.logPath("node"), []byte("fine\npanic: oh no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "oh no") {
		t.Errorf("got %v", err)
	}
}
