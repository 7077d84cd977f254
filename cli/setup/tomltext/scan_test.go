package tomltext_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/setup/tomltext"
)

// listed is what was found, a line each: the table, the key and its value.
func listed(text string, all []tomltext.Statement) string {
	var b strings.Builder
	for _, st := range all {
		mark := ""
		if st.List {
			mark = "[]"
		}
		fmt.Fprintf(&b, "%s%s %s = %s\n", strings.Join(st.Table, "|"), mark, strings.Join(st.Key, "|"), text[st.Value[0]:st.Value[1]])
	}
	return b.String()
}

func TestScan(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":          {"", ""},
		"blank":            {" \t\r\n\n", ""},
		"comments":         {"# a = 1\n  # [b]", ""},
		"a key":            {"a = 1", " a = 1\n"},
		"words":            {"a=true\nb = false # no\n", " a = true\n b = false\n"},
		"numbers":          {"a = -1_000\nb = 0xfF\nc = 0o7\nd = 0b1\ne = 1.5e-3\nf = +inf\ng = nan", " a = -1_000\n b = 0xfF\n c = 0o7\n d = 0b1\n e = 1.5e-3\n f = +inf\n g = nan\n"},
		"dates":            {"a = 1979-05-27\nb = 1979-05-27 07:32:00.5Z # it\nc = 1979-05-27T07:32:00-07:00\nd = 07:32:00", " a = 1979-05-27\n b = 1979-05-27 07:32:00.5Z\n c = 1979-05-27T07:32:00-07:00\n d = 07:32:00\n"},
		"tables":           {"a = 1\n[t]\nb = 2\n[t.u] # it\n\tc=3\n", " a = 1\nt  = \nt b = 2\nt|u  = \nt|u c = 3\n"},
		"lists of tables":  {"[[t]]\na = 1\n[[ t . u ]]\n", "t[]  = \nt a = 1\nt|u[]  = \n"},
		"odd headers":      {"[ a . \"b.c\" . 'd]' ]\n1 = 2", "a|b.c|d]  = \na|b.c|d] 1 = 2\n"},
		"points in keys":   {"a.b . \"c\\u00e9\" = 1", " a|b|cé = 1\n"},
		"empty keys":       {"\"\" = 1\n'' = 2", "  = 1\n  = 2\n"},
		"strings":          {`a = "x # \" y" # z` + "\nb = 'c:\\'\nc = ''", " a = \"x # \\\" y\"\n b = 'c:\\'\n c = ''\n"},
		"long strings":     {"a = \"\"\"\n[b]\n\\\"\"\" x\"\"\"\"\"\nc = '''\nd = 1''''\n", " a = \"\"\"\n[b]\n\\\"\"\" x\"\"\"\"\"\n c = '''\nd = 1''''\n"},
		"a line continued": {"a = \"\"\"x\\\n   y\"\"\"\n", " a = \"\"\"x\\\n   y\"\"\"\n"},
		"lists":            {"a = [ 1, [\"]\", '''\n]'''], # ]\n  {b = [1,], \"c\" = {}},\n]\nd = []", " a = [ 1, [\"]\", '''\n]'''], # ]\n  {b = [1,], \"c\" = {}},\n]\n d = []\n"},
		"inline tables":    {"a = { b.c = 1, d = \"}\" }", " a = { b.c = 1, d = \"}\" }\n"},
		"crlf":             {"a = 1\r\n[b]\r\nc = '''\r\n'''\r\n", " a = 1\nb  = \nb c = '''\r\n'''\n"},
		"byte order mark":  {"\ufeffa = 1\n", " a = 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := tomltext.Scan([]byte(tt.in))
			if got := listed(tt.in, all); err != nil || got != tt.want {
				t.Errorf("%v\n%q, not\n%q", err, got, tt.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, in := range []string{
		"a", "a =", "a = # x", "= 1", "a = 1 2", "a = b", "a = 01", "a = 1.", "a = .5", "a = 1979-05-27 x", "a = tru", "a b = 1", "a. = 1", ".a = 1", "ü = 1",
		"[a", "[a]]", "[[a]", "[[a] ]", "[]", "[a.]", "[a] b = 1", "[a\n]", "]", "{}", "{\"json\": 1}", "\"\"\"a\"\"\" = 1", "'''a''' = 1", "\"\\x\" = 1",
		"a = \"x", "a = \"x\ny\"", "a = \"\\\n\"", "a = 'x\n'", "a = \"\"\"x", "a = '''x''", "a = \"\\q\"", "a = \"x\\",
		"a = [1", "a = [1 2]", "a = [,]", "a = ]", "a = {b = 1", "a = {b}", "a = {b = }", "a = {1}", "a = [}", "a = " + strings.Repeat("[", 5000),
		"<<<<<<< ours\na = 1\n", "theme = dark\n",
	} {
		if all, err := tomltext.Scan([]byte(in)); !errors.Is(err, tomltext.ErrSyntax) {
			t.Errorf("%.40q: %v, %+v", in, err, all)
		}
	}
	if _, err := tomltext.Scan([]byte("a = 1\n\nb = \n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v", err)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{`"a\"\u00e9\\"`: `a"é\`, `'C:\x'`: `C:\x`, `""`: "", `''`: ""} {
		if got, ok := tomltext.Text([]byte(in)); !ok || got != want {
			t.Errorf("%s: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", `"`, "x", `"a'`, `"""a"""`, `'''a'''`, "[1]", `"\q"`} {
		if got, ok := tomltext.Text([]byte(in)); ok {
			t.Errorf("%s: %q", in, got)
		}
	}
}

// Whatever the text: statements stand one behind the other, between them is nothing
// but blanks and comments, each is what it is without those behind it, and one that is
// cut out leaves all others.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"", "a = 1\n", "[a.\"b\"]\nc = \"\"\"\n\"\"\"", "a = [\n1, # x\n]", "\ufeff# x\r\n[[l]]\r\nx.y = {z=[]}\r\n", "a = 1979-05-27 07:32:00\n[t]\n",
		"a = '''\n[b]\n'''# c\n[d]#e", "a = \"\\u00e9\"\nb='\\'", "[mcp_servers.x]\ncommand = \"y\"\nargs = [\"-a\",\n  'b']\n\n[mcp_servers.x.env]\nA = \"1\"\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := tomltext.Scan([]byte(text))
		if err != nil {
			if !errors.Is(err, tomltext.ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		at := len(text) - len(strings.TrimPrefix(text, "\ufeff"))
		for i, st := range all {
			if st.From < at || st.To <= st.From || st.To > len(text) {
				t.Fatalf("%d: %+v, behind %d of %d", i, st, at, len(text))
			}
			onlyBlank(t, text[at:st.From])
			at = st.To
			if st.Key != nil {
				value := text[st.Value[0]:st.Value[1]]
				if value == "" || value != strings.Trim(value, " \t\r\n") || st.Value[0] < st.From || st.Value[1] > st.To {
					t.Fatalf("%d: value %q", i, value)
				}
			}
			before, err := tomltext.Scan([]byte(text[:st.To]))
			if err != nil || !slices.EqualFunc(before, all[:i+1], same) {
				t.Fatalf("%d: by itself %+v, %v", i, before, err)
			}
			if st.Key == nil {
				continue
			}
			rest, err := tomltext.Scan([]byte(text[:st.From] + text[st.To:]))
			if err != nil || len(rest) != len(all)-1 || !slices.EqualFunc(rest[:i], all[:i], same) {
				t.Fatalf("%d: without it %+v, %v", i, rest, err)
			}
		}
		onlyBlank(t, text[at:])
	})
}

func same(a, b tomltext.Statement) bool {
	return slices.Equal(a.Table, b.Table) && slices.Equal(a.Key, b.Key) && a.List == b.List && a.From == b.From && a.To == b.To && a.Value == b.Value
}

func onlyBlank(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.Trim(line, " \t\r\n"); line != "" && line[0] != '#' {
			t.Fatalf("passed over: %q", line)
		}
	}
}
