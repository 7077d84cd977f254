//go:build agents

package agents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	// mostCommands is how many commands each person needs until the first message.
	mostCommands = 3
	// firstMessage is how long that takes, without the build.
	firstMessage = time.Minute
)

var (
	transcript = regexp.MustCompile("(?s)```console\n(ana\\$ git clone .*?)```")
	prompted   = regexp.MustCompile(`^(\w+)\$ (.*)$`)
	joinLink   = regexp.MustCompile(`claudemesh://join/[A-Za-z0-9_-]+`)
)

// beginning is what README.md tells each of two people to type.
func beginning(t *testing.T) map[string][]string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	must(t, err)
	block := transcript.FindSubmatch(readme)
	if block == nil {
		t.Fatal("README.md does not tell how to begin")
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(block[1])) {
		if m := prompted.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out[m[1]] = append(out[m[1]], m[2])
		}
	}
	return out
}

// person is somebody with an empty home, apart from a Claude Code that was used before.
type person struct {
	*claude
	name  string
	built string // a file with how long each call of go took, in nanoseconds
}

func newPerson(ctx context.Context, t *testing.T, name string, model modelapi.Model) *person {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmr-")
	must(t, err)
	api, err := modelapi.New(model)
	must(t, err)
	p := &person{&claude{t: t, api: api, home: dir, work: filepath.Join(dir, "code")}, name, filepath.Join(dir, "built")}
	programs := filepath.Join(dir, "programs")
	must(t, os.Mkdir(p.work, 0o700))
	must(t, os.Mkdir(programs, 0o700))
	must(t, os.Symlink(claudeBin, filepath.Join(programs, "claude")))
	real, err := exec.LookPath("go")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(programs, "go"), []byte(fmt.Sprintf("#!/bin/sh\nbegan=$(date +%%s%%N)\n'%s' \"$@\"\nstatus=$?\n"+
		"echo $(($(date +%%s%%N) - began)) >> '%s'\nexit $status\n", real, p.built)), 0o700))
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	p.env = []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + dir, "USER=" + name, "LANG=C.UTF-8", "TERM=xterm-256color",
		"ANTHROPIC_BASE_URL=" + api.URL(), "ANTHROPIC_API_KEY=" + apiKey, "DISABLE_AUTOUPDATER=1",
		// What is not on loopback is not reached: the clone comes from here.
		"HTTP_PROXY=" + api.URL(), "HTTPS_PROXY=" + api.URL(), "NO_PROXY=127.0.0.1,localhost", "GOPROXY=off", "GOTOOLCHAIN=local",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=url." + repository + ".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/claudemesh/claudemesh",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
		"CLAUDEMESH_LISTEN=127.0.0.1:0", "CLAUDEMESH_MDNS=0", "CLAUDEMESH_PORTMAP=0",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		value, err := exec.CommandContext(ctx, "go", "env", name).Output()
		must(t, err)
		p.env = append(p.env, name+"="+strings.TrimSpace(string(value)))
	}
	p.configure()
	t.Cleanup(p.end)
	return p
}

// end stops the person's node.
func (p *person) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if program := filepath.Join(p.home, ".local", "bin", "claudemesh"); exists(program) {
		if out := execute(ctx, p.t, p.env, p.work, program, "node", "down"); out.Status != 0 {
			p.t.Errorf("the node of %s outlives its test: %+v", p.name, out)
		}
	}
	if err := p.api.Close(); err != nil {
		p.t.Error(err)
	}
	must(p.t, os.RemoveAll(p.home))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// types types commands but the last, and returns what was shown.
func (p *person) types(ctx context.Context, commands []string) string {
	p.t.Helper()
	var shown strings.Builder
	for _, c := range commands[:len(commands)-1] {
		out := execute(ctx, p.t, p.env, p.work, "bash", "-c", c)
		if out.Status != 0 {
			p.t.Fatalf("%s$ %s\nstatus %d\n%s%s", p.name, c, out.Status, out.Stdout, out.Stderr)
		}
		p.t.Logf("%s$ %s\n%s", p.name, c, out.Stdout)
		shown.WriteString(out.Stdout)
	}
	return shown.String()
}

// starts types the last command, which starts Claude Code.
func (p *person) starts(ctx context.Context, commands []string) *terminal {
	p.t.Helper()
	last := commands[len(commands)-1]
	if !strings.HasPrefix(last, "claude ") {
		p.t.Fatalf("the last command of %s is %s", p.name, last)
	}
	p.t.Logf("%s$ %s", p.name, last)
	tm := newTerminal(ctx, p.t, p.env, p.work, "tmux", "sh", "-c", "exec "+last)
	tm.await(ctx, "I am using this for local development")
	tm.press(ctx, "Enter")
	tm.await(ctx, belowPrompt)
	return tm
}

// building is how long go took.
func (p *person) building() time.Duration {
	p.t.Helper()
	text, err := os.ReadFile(p.built)
	must(p.t, err)
	var sum time.Duration
	for _, field := range strings.Fields(string(text)) {
		n, err := strconv.ParseInt(field, 10, 64)
		must(p.t, err)
		sum += time.Duration(n)
	}
	return sum
}

// teller is a model that tells somebody something when it is asked to: it looks who is
// there until it finds a name that begins so.
func teller(t *testing.T, asked, name, text string) modelapi.Model {
	return func(r modelapi.Request) modelapi.Reply {
		if len(r.Tools) == 0 || !strings.Contains(r.User(), asked) || len(of("send_message", r.Results())) > 0 {
			return modelapi.Say("ok")
		}
		looked := of("list_peers", r.Results())
		if len(looked) > 0 {
			for _, m := range decode[presence.PeersResponse](t, looked[len(looked)-1]).Meshes {
				for _, peer := range m.Peers {
					if strings.HasPrefix(peer.Name, name) && peer.Session != "" {
						return modelapi.Use(prefix+"send_message", map[string]string{"to": peer.Name, "message": text})
					}
				}
			}
		}
		return modelapi.Use(prefix+"list_peers", struct{}{})
	}
}

// From `git clone` to the first message between two sessions of Claude Code, exactly as
// README.md tells it: a few commands, and a minute without the build.
func TestTheBeginningOfTheReadme(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	commands := beginning(t)
	for _, name := range []string{"ana", "ben"} {
		if n := len(commands[name]); n == 0 || n > mostCommands {
			t.Fatalf("%s types %d commands: %q", name, n, commands[name])
		}
	}
	const asked, text = "tell ben that the parser is green", "the parser is green"
	ana := newPerson(ctx, t, "ana", teller(t, asked, "ben", text))
	ben := newPerson(ctx, t, "ben", silent)

	began := time.Now()
	link := joinLink.FindString(ana.types(ctx, commands["ana"]))
	if link == "" {
		t.Fatal("ana is shown no link")
	}
	for i, c := range commands["ben"] {
		commands["ben"][i] = strings.ReplaceAll(c, "claudemesh://join/AQ…", link)
	}
	ben.types(ctx, commands["ben"])
	first := ana.starts(ctx, commands["ana"])
	ben.starts(ctx, commands["ben"])
	awaitShown(ctx, t, ben.api, welcome)
	first.enter(ctx, asked)
	got, request := awaitShown(ctx, t, ben.api, func(s shown) bool { return strings.Contains(s.text, text) })
	took := request.At.Sub(began)
	built := ana.building() + ben.building()
	t.Logf("from git clone to the first message: %v, of which go took %v", took.Round(time.Millisecond), built.Round(time.Millisecond))
	if took-built > firstMessage {
		t.Errorf("without the build it took %v", took-built)
	}
	if !strings.HasPrefix(got.attrs["from_name"], "ana") || got.attrs["mesh_slug"] != "first-light" {
		t.Errorf("ben's model was shown %+v", got)
	}
	must(t, harness.Until(ctx, func() (bool, any, error) { // the turn of ana's is over
		done := of("send_message", lastResults(t, ana.api))
		return len(done) == 1 && !done[0].IsError, done, nil
	}))
}
