package setup_test

import (
	"strings"
	"testing"
)

const codexFile = ".codex/config.toml"

func TestCodex(t *testing.T) {
	block := "[mcp_servers.claudemesh]\ncommand = \"" + program + "\"\nargs = [\"mcp\"]\ndefault_tools_approval_mode = \"approve\"\n"
	for name, tt := range map[string]struct{ in, want string }{
		"empty":        {"", block},
		"usual":        {"model = \"x\"\n", "model = \"x\"\n\n" + block},
		"no line end":  {"model = \"x\"", "model = \"x\"\n\n" + block},
		"crlf":         {"a = 1\r\n", "a = 1\r\n" + strings.ReplaceAll("\n"+block, "\n", "\r\n")},
		"other tables": {"# mine\n[mcp_servers.other] # x\ncommand = 'y'\n[[list]]\nz = { a = [1, # c\n 2] }\n", "# mine\n[mcp_servers.other] # x\ncommand = 'y'\n[[list]]\nz = { a = [1, # c\n 2] }\n\n" + block},
		"long strings": {"a = \"\"\"\n[mcp_servers.claudemesh]\n\\\"\"\"\"\nb = '''\nx = '''\n", "a = \"\"\"\n[mcp_servers.claudemesh]\n\\\"\"\"\"\nb = '''\nx = '''\n\n" + block},
		"ours, elsewhere": {"[mcp_servers.claudemesh]\ncommand = \"/old/claudemesh\" # it\nargs = [\"mcp\", \"--tools\", \"core\"]\n[b]\n",
			"[mcp_servers.claudemesh]\ncommand = \"" + program + "\" # it\nargs = [\"mcp\", \"--tools\", \"core\"]\n[b]\n"},
		"ours, as it is": {"[mcp_servers.claudemesh]\nargs = [ 'mcp' ]\ncommand = '" + program + "'\n", "[mcp_servers.claudemesh]\nargs = [ 'mcp' ]\ncommand = '" + program + "'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.write(codexFile, tt.in)
			u.check("codex", codexFile, u.install("codex"), false)
			if got := u.read(codexFile); got != tt.want {
				t.Fatalf("%q\nnot %q", got, tt.want)
			}
			u.unchanged(u.install("codex"))
			u.uninstall("codex")
			switch got := u.read(codexFile); name {
			case "ours, elsewhere":
				if got != "[b]\n" {
					t.Errorf("uninstalled: %q", got)
				}
			case "ours, as it is":
				if got != "" {
					t.Errorf("uninstalled: %q", got)
				}
			default:
				if got != tt.in {
					t.Errorf("uninstalled: %q", got)
				}
			}
		})
	}
}

// What stands in our place and starts something else gives way as a whole.
func TestCodexReplacesWhatIsNotOurs(t *testing.T) {
	for _, in := range []string{
		"[mcp_servers.claudemesh]\ncommand = \"npx\"\nargs = [\"-y\", \"claudemesh\", \"mcp\"]\n",
		"[mcp_servers.claudemesh]\ncommand = \"claudemesh\"\nargs = [\"serve\"]\nenv = { A = \"b\" }\n",
		"[mcp_servers.claudemesh]\nurl = \"http://localhost\"\n[mcp_servers.claudemesh.env]\nA = \"b\"\n",
		"[mcp_servers.claudemesh]\ncommand = \"\"\"npx\"\"\"\nargs = []\n", "[[mcp_servers.claudemesh]]\na = 1\n", "[mcp_servers.claudemesh]\n",
	} {
		u := newUser(t)
		u.write(codexFile, "a = 1\n"+in+"[b]\nc = 2\n")
		u.check("codex", codexFile, u.install("codex"), false)
		const want = "a = 1\n[b]\nc = 2\n\n[mcp_servers.claudemesh]\ncommand = \"" + program + "\"\nargs = [\"mcp\"]\ndefault_tools_approval_mode = \"approve\"\n"
		if got := u.read(codexFile); got != want {
			t.Errorf("%q", got)
		}
	}
}

func TestCodexTakenOutOfAChangedFile(t *testing.T) {
	u := newUser(t)
	u.write(codexFile, "a = 1\n")
	u.install("codex")
	u.write(codexFile, u.read(codexFile)+"\n[mcp_servers.claudemesh.env]\nX = \"y\"\n\n# mine\n[later]\nb = 2\n")
	u.uninstall("codex")
	if got := u.read(codexFile); strings.Contains(got, "claudemesh") || !strings.Contains(got, "a = 1\n") || !strings.Contains(got, "# mine\n[later]\nb = 2\n") {
		t.Errorf("%q", got)
	}
}

// Whatever the file: it is refused or written so that taking ours out gives it back.
func FuzzCodex(f *testing.F) {
	for _, seed := range []string{"", "a = 1\n", "[a.\"b\"]\nc = \"\"\"\n\"\"\"", "a = [\n1, # x\n]", "[mcp_servers.claudemesh]\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u := newUser(t)
		u.write(codexFile, text)
		u.install("codex")
		u.uninstall("codex")
		got := u.read(codexFile)
		if got != text && !strings.Contains(text, "claudemesh") {
			t.Errorf("%q, then %q", text, got)
		}
	})
}
