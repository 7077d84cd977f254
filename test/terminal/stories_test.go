//go:build unix

package terminal_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestFirstRunMakesAMesh(t *testing.T) {
	s := open(t, 80, 26)
	s.shell("claudemesh")
	s.await("You are in no mesh yet")
	s.shot("claudemesh")
	s.press("Enter")
	s.await("What is the mesh to be called?")
	s.enter("Not A Name")
	s.await("✘ a name has")
	s.shot("a name that cannot be")
	s.press("C-u")
	s.enter("first-light")
	s.await("Your name in the mesh")
	s.press("Enter")
	s.await("Its role")
	s.enter("reviewer")
	s.await("Its groups")
	s.enter("eng:lead,qa")
	s.await("Start Claude Code?")
	s.shot("the questions answered")
	s.press("Enter")
	s.await("type:")
	s.shot("the agent")
	s.enter("hello")
	s.await("got hello")
	s.asBefore("4")
	s.shot("afterwards")
	// The second time one key is enough.
	s.shell("clear; claudemesh")
	s.await("Start Claude Code?")
	s.shot("the second time")
	s.press("Enter")
	s.await("type:")
	s.enter("bye")
	s.asBefore("4")
	s.recorded()
}

// ben joins by a link that ana, on the same machine, hands him.
func TestALinkJoinsAndLaunches(t *testing.T) {
	ana := open(t, 80, 24)
	ana.run("new", "team", "--as", "ana")
	link := ana.run("invite", "-q")
	s := open(t, 80, 24, "USER=ben")
	s.hide = [][2]string{{link, "LINK"}}
	s.shell("L=" + link)
	s.shell("clear; claudemesh \"$L\"")
	s.await("Your name in the mesh")
	s.press("Enter")
	s.await("Its role")
	s.press("Enter")
	s.await("Its groups")
	s.press("Enter")
	s.await("Start Claude Code?")
	s.shot("claudemesh LINK")
	s.press("Enter")
	s.await("type:")
	s.shot("the agent")
	s.enter("hello")
	s.asBefore("4")
	// Used up: the same link leads nowhere for a third one.
	third := open(t, 80, 24, "USER=kim")
	third.shell("L=" + link)
	third.shell("clear; claudemesh --join \"$L\" --name kim --role x --groups y")
	third.await("Start Claude Code?")
	third.press("Enter")
	third.await("Give another link")
	third.press("Escape")
	third.await("cancelled")
	third.asBefore("1")
	s.recorded()
}

// With every answer given, and with the confirmation alone left.
func TestLaunchWithAnswersGiven(t *testing.T) {
	s := open(t, 80, 24)
	s.run("new", "team", "--as", "ana")
	s.shell("clear; claudemesh launch team --name anna --role dev --groups qa --message-mode inbox")
	s.await("Start Claude Code?")
	s.shot("all answers given")
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	s.shell("clear; claudemesh launch -y --name anna --role dev")
	s.await("type:")
	s.shot("nothing is asked, nothing is wiped")
	s.enter("hello")
	s.asBefore("4")
	s.run("new", "other", "--as", "ana")
	s.shell("clear; claudemesh launch")
	s.await("Which mesh?")
	s.shot("several meshes")
	s.press("Down")
	s.press("Enter")
	s.await("Start Claude Code?")
	s.shot("and the rest remembered")
	s.press("C-c")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}

// Giving up at each step leaves no mesh and the terminal as it was.
func TestGivingUpAtEachStep(t *testing.T) {
	steps := []struct{ sees, then string }{
		{"You are in no mesh yet", ""},
		{"What is the mesh to be called?", "first-light"},
		{"Your name in the mesh", ""},
		{"Its role", ""},
		{"Its groups", ""},
		{"Start Claude Code?", ""},
	}
	s := open(t, 80, 24)
	for last := range steps {
		s.shell("clear; claudemesh")
		for i, step := range steps[:last+1] {
			s.await(step.sees)
			if i == last {
				break
			}
			if step.then != "" {
				s.tmux("send-keys", "-t", "main", "-l", step.then)
				s.await("▸ " + step.then)
			}
			s.press("Enter")
		}
		s.press([]string{"Escape", "C-c"}[last%2])
		s.await("cancelled: Claude Code was not started")
		s.asBefore("1")
		s.shot("given up at: " + steps[last].sees)
	}
	if out := s.run("list"); !strings.Contains(out, "You are in no mesh") {
		t.Errorf("something was made: %s", out)
	}
	s.recorded()
}

// The screen follows the terminal's size, down to 60 columns and few lines.
func TestResize(t *testing.T) {
	s := open(t, 100, 30)
	s.run("new", "team", "--as", "ana")
	s.shell("clear; claudemesh launch --name ana --role 'a role that is too long for a narrow terminal to show' --groups eng/backend:lead,qa,frontend/css:member")
	s.await("Start Claude Code?")
	s.shot("100 x 30")
	// What tells that the screen was drawn anew: what is there then, and what is not.
	for _, size := range []struct{ width, height, there, not string }{
		{"60", "24", "narrow term…", "to show"},
		{"60", "12", "claudemesh", "Change the role"},
		{"40", "24", "too lo…", "narrow"},
		{"100", "30", "terminal to show", "…"},
	} {
		s.tmux("resize-window", "-t", "main", "-x", size.width, "-y", size.height)
		s.await(size.there)
		s.gone(size.not)
		s.settled()
		s.shot(size.width + " x " + size.height)
	}
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}

// settled waits until the screen is drawn for its size: whole, and the same twice.
func (s *stage) settled() {
	s.t.Helper()
	before, same := "", 0
	if err := s.until(func() (bool, any, error) {
		now := s.screen()
		if same++; now != before {
			before, same = now, 0
		}
		return same > 30 && strings.Contains(now, "Esc cancels"), now, nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// A node that is killed while the questions are asked is missed, and found again.
func TestANodeThatGoesAway(t *testing.T) {
	s := open(t, 80, 24, "CLAUDEMESH_AUTOSTART=0")
	s.env = append(s.env, "CLAUDEMESH_AUTOSTART=1") // commands beside the terminal
	s.run("new", "team", "--as", "ana")
	s.shell("clear; claudemesh launch --name ana --role x --groups y")
	s.await("Start Claude Code?")
	s.run("node", "down")
	s.await("Trying again in")
	s.shot("the node is gone")
	s.run("node", "up")
	s.await("Start Claude Code?")
	s.gone("Trying again")
	s.shot("it is back")
	s.run("node", "down")
	s.await("Trying again in")
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}

// kill ends the node as a machine does that runs out of memory.
func (s *stage) kill() {
	s.t.Helper()
	var status struct{ PID int }
	must(s.t, json.Unmarshal([]byte(s.run("node", "status", "--json")), &status))
	must(s.t, syscall.Kill(status.PID, syscall.SIGKILL))
}

// A node that is killed outright while the screen is open: what was counted is not shown
// any more, and it is said who starts it.
func TestANodeThatIsKilled(t *testing.T) {
	s := open(t, 80, 24, "CLAUDEMESH_AUTOSTART=0")
	s.env = append(s.env, "CLAUDEMESH_AUTOSTART=1")
	s.run("new", "team", "--as", "ana")
	s.shell("clear; claudemesh launch --name ana --role x --groups y")
	s.await("online")
	s.await("Start Claude Code?")
	s.kill()
	s.await("Trying again in")
	s.gone("online")
	s.shot("the node is killed")
	s.run("node", "up")
	s.await("Start Claude Code?")
	s.await("online")
	s.shot("it is back")
	s.kill()
	s.await("Trying again in")
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}

// Where commands start the node, the screen finds one again by itself, and the session
// that is launched is on the mesh.
func TestANodeThatIsKilledIsStartedAgain(t *testing.T) {
	s := open(t, 80, 24)
	s.run("new", "team", "--as", "ana")
	s.shell("clear; claudemesh launch --name ana --role x --groups y")
	s.await("online")
	s.await("Start Claude Code?")
	s.kill()
	s.await("Trying again in")
	s.shot("the node is killed")
	s.await("Start Claude Code?")
	s.await("online")
	s.press("Enter")
	s.await("type:")
	s.shot("the agent")
	s.enter("hello")
	s.asBefore("4")
	s.recorded()
}

// colour is a sequence that sets one, and not the terminal's own.
var colour = regexp.MustCompile(`\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)[;m]`)

// Without colour, and without a terminal that obeys anything.
func TestNoColourAndPlain(t *testing.T) {
	s := open(t, 60, 40, "NO_COLOR=1")
	s.shell("claudemesh")
	s.await("You are in no mesh yet")
	if seen := s.tmux("capture-pane", "-e", "-p", "-t", "main"); colour.MatchString(seen) {
		t.Errorf("colour: %q", seen)
	}
	s.shot("NO_COLOR")
	s.press("Escape")
	s.await("cancelled")
	s.asBefore("1")
	s.shell("clear; TERM=dumb claudemesh")
	s.await("Choice")
	s.enter("1")
	s.await("What is the mesh to be called?")
	s.press("plain-one", "Enter")
	s.await("Your name in the mesh:")
	s.press("Enter")
	s.await("Its role:")
	s.press("Enter")
	s.await("Its groups:")
	s.press("Enter")
	s.await("Start Claude Code?")
	s.settledOn("Choice [1]")
	s.shot("TERM=dumb")
	s.press("C-c")
	s.await("cancelled")
	s.asBefore("1")
	s.shell("clear; claudemesh launch --plain")
	s.settledOn("Choice [1]")
	s.press("C-c")
	s.await("cancelled")
	s.asBefore("1")
	s.recorded()
}

// In another language.
func TestSpanish(t *testing.T) {
	s := open(t, 80, 24, "CLAUDEMESH_LANG=es")
	s.shell("claudemesh")
	s.await("Aún no estás en ninguna malla")
	s.shot("welcome")
	s.press("Enter")
	s.await("¿Cómo se llamará la malla?")
	s.press("luz", "Enter")
	s.await("Tu nombre en la malla:")
	s.press("Enter")
	s.await("Su papel:")
	s.press("Enter")
	s.await("Sus grupos:")
	s.press("Enter")
	s.await("¿Arrancar Claude Code?")
	s.shot("confirm")
	s.press("Escape")
	s.await("cancelado")
	s.asBefore("1")
	s.recorded()
}

// settledOn waits until a text stands at the end of what is to be seen.
func (s *stage) settledOn(text string) {
	s.t.Helper()
	if err := s.until(func() (bool, any, error) {
		now := strings.TrimRight(s.screen(), " \n")
		return strings.HasSuffix(now, text), now, nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// The end of the process by a signal leaves the terminal as it was, too.
func TestSignals(t *testing.T) {
	s := open(t, 80, 24)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		s.shell("clear; claudemesh")
		s.await("You are in no mesh yet")
		must(t, syscall.Kill(s.child(), sig))
		s.gone("You are in no mesh yet")
		s.asBefore("1")
	}
}

// An agent that stops itself gives the shell back, and goes on in the foreground.
func TestAnAgentThatStops(t *testing.T) {
	s := open(t, 80, 24)
	s.run("new", "team", "--as", "ana")
	s.shell("set -m; clear; claudemesh launch -q")
	s.await("type:")
	s.enter("stop")
	s.await("Stopped")
	s.shell("clear; fg")
	s.asBefore("4")
}

// What a launcher that was killed leaves stays while its agent lives, and goes at the next
// launch.
func TestALauncherThatIsKilled(t *testing.T) {
	s := open(t, 80, 24)
	s.run("new", "team", "--as", "ana")
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(s.dir, "tmp", "claudemesh-[0-9]*", "config.json"))
		must(t, err)
		return found
	}
	s.shell("clear; claudemesh launch -q")
	s.await("type:")
	must(t, syscall.Kill(s.child(), syscall.SIGKILL))
	s.await("Killed")
	if runtime.GOOS == "linux" { // elsewhere it is not known in which session a process runs
		s.env = append(s.env, "FAKE_QUIET=1")
		s.run("launch", "-q")
		if all := left(); len(all) != 1 {
			t.Errorf("the folder of an agent that lives: %v", all)
		}
	}
	s.endAgent()
	s.run("launch", "-q")
	if all := left(); len(all) != 0 {
		t.Errorf("left behind: %v", all)
	}
}

// endAgent ends the agent that has outlived its launcher.
func (s *stage) endAgent() {
	s.t.Helper()
	agent := filepath.Join(s.dir, "bin", "claude")
	out, err := exec.CommandContext(s.ctx, "pgrep", "-f", agent).Output()
	must(s.t, err)
	for _, text := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(text)
		must(s.t, err)
		must(s.t, syscall.Kill(pid, syscall.SIGKILL))
	}
	must(s.t, s.until(func() (bool, any, error) {
		return exec.CommandContext(s.ctx, "pgrep", "-f", agent).Run() != nil, nil, nil
	}))
}

// child is the process that the terminal's shell waits for.
func (s *stage) child() int {
	s.t.Helper()
	shell := strings.TrimSpace(s.tmux("display-message", "-p", "-t", "main", "#{pane_pid}"))
	out, err := exec.CommandContext(s.ctx, "pgrep", "-P", shell).Output()
	must(s.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	must(s.t, err)
	return pid
}
