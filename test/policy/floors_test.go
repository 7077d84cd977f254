package policy_test

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// floors is the whole lattice. A line says: the packages left of "<" may import the
// packages of ours right of it; "!" forbids imports from outside this module that
// begin so; the text behind "#" says what the package is for, so that code which
// needs more can find its place. The first line that matches a package counts.
// "x/*" is every package directly below x, "x/..." also x itself and all deeper.
const floors = `
cmd/release             < cli/upgrade/release                           # what makes a folder of programs a release
cmd/*                   < cli                                           # mains: build a config, call Main
cli                     < cli/commands/* cli/run cli/lang cli/manual cli/term node node/mesh node/op  !github.com/libp2p  # what a person types: the tree of commands, and what is published of it
cli/commands/*          < cli/* cli/doctor/* cli/launch/* cli/upgrade/* node node/backup node/op node/policy node/mesh node/feature/* node/surface/* store/file  !github.com/libp2p  # the commands of one subject: fill a request, call the operation, print; knows no other subject
cli/run                 < cli/agent cli/daemon cli/manual cli/settings cli/setup cli/term cli/upgrade cli/upgrade/* node node/op node/policy node/mesh node/feature/presence node/surface/local store store/file  !github.com/libp2p  # what every command does alike; knows no command
cli/launch/flow         < node/op                              !os !net !charm.land  # what is still to be asked before an agent starts; reads no keys, draws nothing
cli/launch/screen       < cli/launch/flow cli/term node/op              # a flow full-screen
cli/launch/plain        < cli/launch/flow cli/term node/op              # a flow line by line
cli/launch/claude       < cli/agent store/file                          # starting Claude Code and waiting for it
cli/launch              < cli/launch/* cli/agent cli/term               # from questions to a running agent
cli/term                <                                               # printing, and nothing but printing
cli/lang                <                                               # the languages it speaks to people
cli/settings            < store/file                                    # the folder, config.json, environment and flags
cli/scheme              < store/file                                    # what a desktop is told of our links, and which links may be opened
cli/upgrade/*           <                                               # what a release consists of; knows neither disk nor network
cli/upgrade             < cli/upgrade/* store/file                      # replacing this program by a newer release
cli/daemon              < store/file                                    # finding, starting and ending the node's process
cli/setup/*             <                                               # editing settings files in place
cli/setup               < cli/setup/* store/file                        # what is written into the settings of agents
cli/manual              <                                      !github.com/libp2p !net !os  # the table of commands as pages
cli/form                <                                      !github.com/libp2p !net !os  # requests as people type them: words and flags from a schema, a schema's request from words and flags
cli/doctor/probe        < node/op node/surface/local store store/file   # what a doctor may ask of the system
cli/doctor              < cli/doctor/* cli/agent cli/setup cli/settings node/op node/mesh node/feature/* node/surface/local overlay/ident store store/file  !github.com/libp2p  # whether everything works: a table of checks
cli/hook                < cli/agent node/op node/feature/* node/surface/*  # what a hook of an agent does
cli/agent               < node/op node/feature/health node/feature/presence store/file      # an agent's session and its token
node                    < node/... overlay/... store store/file         # what joins the parts of a node: adapters, the list of features, the order of life
node/surface/*          < node/op                              !github.com/libp2p  # how clients ask: a transport for operations and the feed, knowing no feature
node/feature/*/*        < node/feature/*/* node/allowance node/op node/record overlay/ident store  !github.com/libp2p !net !os  # a part of one feature: its core, without operations and sockets
node/feature/*          < node/feature/*/* node/allowance node/op node/record overlay/ident store  !github.com/libp2p !net !os  # one ability: its operations and its data; what it needs of others is an interface it declares
node/mesh/*             < node/op overlay/ident overlay/trust  !github.com/libp2p !net !os  # what people read in an admin log: a function of the log
node/backup             < node/op store store/file             !github.com/libp2p !net  # the file of a backup: its seal, its content; knows no mesh
node/mesh               < node/backup node/op node/mesh/* overlay/host overlay/ident overlay/join overlay/join/code overlay/seal overlay/trust overlay/trust/invite overlay/wire store store/file  # this node's meshes: keys, admin logs, invites, proofs
node/nodetest           < node node/... overlay/... store               # a world of nodes for tests
node/record             < node/allowance node/op overlay/ident overlay/replica overlay/seal overlay/trust overlay/wire store store/records  !github.com/libp2p !net !os  # shared data as features see it: kinds, encryption, judging, folding; knows no network
node/policy             < node/op store/file                  !github.com/libp2p !net  # rules about what may be asked of a node here
node/op/optest          < node/op                                       # operations performed by tests as surfaces do
node/allowance          <                                      !github.com/libp2p !net !os  # how often each of some may do something; knows nobody by name
node/op                 <                                      !github.com/libp2p !net !os  # what an operation is; knows nobody
overlay/overlaytest     < overlay/...                                   # an in-memory network for tests
overlay/gossip          < overlay/host overlay/ident overlay/wire       # the verb shout
overlay/find            < overlay/host overlay/ident overlay/wire       # finding peers
overlay/replica         < overlay/ident overlay/wire          !github.com/libp2p !net !os  # the replicated records: logs, digests, exchange, repair; its tables are an interface
overlay/post            < overlay/host overlay/ident overlay/seal overlay/trust overlay/wire  # the verb post
overlay/ask             < overlay/host overlay/ident overlay/wire       # the verb ask
overlay/join/code       < overlay/ident overlay/trust/invite overlay/wire  !github.com/libp2p !os  # invites that are spoken: codes, their key exchange, their rules
overlay/join            < overlay/join/code overlay/host overlay/ident overlay/seal overlay/trust overlay/trust/invite overlay/wire  # the exchange by which one joins
overlay/host/*          < overlay/ident overlay/wire                    # what host is made of: what it takes from libp2p
overlay/host            < overlay/host/* overlay/ident overlay/wire     # libp2p and the mesh handshake; asks about membership through an interface
overlay/wire            < overlay/ident                        !github.com/libp2p !net !os  # frames
overlay/trust/internal/* < overlay/ident                       !github.com/libp2p !net !os  # what only trust needs
overlay/trust/*         < overlay/trust overlay/ident overlay/seal  !github.com/libp2p !net !os  # statements that trust does not order itself
overlay/trust           < overlay/ident overlay/seal overlay/trust/internal/*  !github.com/libp2p !net !os  # who is a member: statements and their order; no I/O, no clock
overlay/seal            < overlay/ident                        !github.com/libp2p !net !os  # envelopes
overlay/ident           <                                      !github.com/libp2p !net !os  # keys, ids, signed statements
store/records/*         < store store/records                  !github.com/libp2p !net  # what all tables of records must do
store/records           < store                                !github.com/libp2p !net  # the tables of replicated records; knows no record
store/storetest         < store                                         # stores for tests
store/*                 <                              !github.com/libp2p !net  # what the store is made of, and the files beside it
store                   < store/*                              !github.com/libp2p !net  # what a machine remembers; knows neither network nor meshes
test/...                < cli/... node/... overlay/... store/... test/...  # what crosses packages; nothing imports it
`

type floor struct {
	pattern string
	ours    []string
	not     []string
	use     string
}

func lattice(t *testing.T) []floor {
	t.Helper()
	var out []floor
	for line := range strings.Lines(strings.TrimSpace(floors)) {
		rule, use, ok := strings.Cut(line, "#")
		pattern, allowed, ok2 := strings.Cut(rule, "<")
		if !ok || !ok2 {
			t.Fatalf("a line without < or #: %q", line)
		}
		f := floor{pattern: strings.TrimSpace(pattern), use: strings.TrimSpace(use)}
		for _, w := range strings.Fields(allowed) {
			if no, found := strings.CutPrefix(w, "!"); found {
				f.not = append(f.not, no)
			} else {
				f.ours = append(f.ours, w)
			}
		}
		out = append(out, f)
	}
	return out
}

// covers tells whether a pattern of the lattice matches a package path.
func covers(pattern, pkg string) bool {
	if root, deep := strings.CutSuffix(pattern, "/..."); deep {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return err == nil && ok
}

// under tells whether an import is the package named or one below it.
func under(imp, root string) bool { return imp == root || strings.HasPrefix(imp, root+"/") }

func TestImportsGoDown(t *testing.T) {
	rules := lattice(t)
	for _, p := range packages(t) {
		i := slices.IndexFunc(rules, func(f floor) bool { return covers(f.pattern, p.path) })
		if i < 0 {
			t.Errorf("%s stands on no floor: add a line to floors, below all it may not know", p.path)
			continue
		}
		checkImports(t, p, rules[i], rules)
	}
}

func checkImports(t *testing.T, p pkg, f floor, rules []floor) {
	t.Helper()
	for imp, file := range p.imports {
		own, ours := strings.CutPrefix(imp, module+"/")
		if !ours {
			for _, no := range f.not {
				if under(imp, no) {
					t.Errorf("%s imports %s, but %s is %s: this code belongs on a floor that may (see floors)", file, imp, p.path, f.use)
				}
			}
			continue
		}
		if own == p.path || slices.ContainsFunc(f.ours, func(a string) bool { return covers(a, own) }) {
			continue
		}
		t.Errorf("%s imports %s, which is not below %s.\n\t%s is: %s.\n\t%s is: %s.\n"+
			"\tMove the code up to a package that may know both, or declare an interface of up to three methods here and have the package above fill it.",
			file, own, p.path, p.path, f.use, own, useOf(own, rules))
	}
}

func useOf(pkg string, rules []floor) string {
	for _, f := range rules {
		if covers(f.pattern, pkg) {
			return f.use
		}
	}
	return "on no floor"
}

// Features never know each other: what the lattice says of parts of features holds
// within one.
func TestFeaturesDoNotKnowEachOther(t *testing.T) {
	for _, p := range packages(t) {
		name, ok := feature(p.path)
		if !ok {
			continue
		}
		for imp, file := range p.imports {
			other, is := feature(strings.TrimPrefix(imp, module+"/"))
			if is && other != name {
				t.Errorf("%s imports the feature %s: declare what is needed of it as an interface in %s, and let node fill it", file, other, name)
			}
		}
	}
}

func feature(pkg string) (string, bool) {
	rest, ok := strings.CutPrefix(pkg, "node/feature/")
	name, _, _ := strings.Cut(rest, "/")
	return name, ok
}
