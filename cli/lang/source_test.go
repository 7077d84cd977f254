package lang_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSpanishIsWhole demands words for every text of the command line that is said in
// a person's language, with the same places to fill in, and none for what nobody says.
func TestSpanishIsWhole(t *testing.T) {
	raw, err := os.ReadFile("es.json")
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string]string)
	if err := json.Unmarshal(raw, &words); err != nil {
		t.Fatal(err)
	}
	said := texts(t, "..")
	maps.Copy(said, phrases(t, "../..", "cli", "node"))
	maps.Copy(said, causes(t, "../.."))
	if len(said) < 100 {
		t.Fatalf("only %d texts were found", len(said))
	}
	for _, text := range slices.Sorted(maps.Keys(said)) {
		switch translated, ok := words[text]; {
		case !ok:
			t.Errorf("%s: no Spanish for %q", said[text], text)
		case !slices.Equal(verbs(text), verbs(translated)):
			t.Errorf("%q has other places to fill in than %q", translated, text)
		case strings.Count(text, "`") != strings.Count(translated, "`"):
			t.Errorf("%q quotes otherwise than %q", translated, text)
		}
	}
	for text := range words {
		if _, ok := said[text]; !ok {
			t.Errorf("nobody says %q", text)
		}
	}
}

// sayers are the functions whose literal first argument is said: of a terminal, and
// what looks a text up.
var sayers = []string{"Line", "Note", "Warn", "Progress", "Working", "Say", "Tell", "say", "Fill"}

// fields are those of a command that help says.
var fields = []string{"Short", "Long"}

var flagKind = regexp.MustCompile(`^(String|Bool|Int|Uint|Duration|Count|Var|StringSlice|StringArray|Float)\w*$`)

// texts finds what the command line says, and where.
func texts(t *testing.T, root string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		asks := filepath.Base(filepath.Dir(path)) == "flow"
		keep := func(e ast.Expr) {
			if text, ok := literal(e); ok && wordy.MatchString(text) {
				found[text] = files.Position(e.Pos()).String()
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := called(n)
				if logs(n) {
					return true
				}
				if slices.Contains(sayers, name) && len(n.Args) > 0 {
					keep(n.Args[0])
				}
				if refuses(n) {
					return false
				}
				if name == "Holder" && len(n.Args) >= 3 {
					keep(n.Args[1])
					keep(n.Args[2])
				}
				if name == "Count" && len(n.Args) == 3 && ofApp(n) {
					keep(n.Args[1])
					keep(n.Args[2])
				}
				if flagKind.MatchString(name) && len(n.Args) >= 3 {
					keep(n.Args[len(n.Args)-1])
				}
			case *ast.BasicLit:
				if text, ok := literal(n); ok && asks && phrase.MatchString(text) {
					keep(n)
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && slices.Contains(fields, key.Name) {
					keep(n.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// phrase is what the steps of a flow say, beside their keys: it has a blank, or begins
// like a sentence.
var phrase = regexp.MustCompile(`^[A-Z][a-z]|^[^-^].* `)

// refuses tells whether a call makes an error.
func refuses(call *ast.CallExpr) bool {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (fn.Sel.Name == "Errorf" || fn.Sel.Name == "WithHint" || fn.Sel.Name == "New")
}

// wordy is a text with a word in it, beside places to fill in.
var wordy = regexp.MustCompile(`(^|[^%\pL])\pL{2,}`)

func called(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		return fn.Sel.Name
	case *ast.Ident:
		return fn.Name
	}
	return ""
}

// ofApp tells whether a call is to a method of the command line itself.
func ofApp(call *ast.CallExpr) bool {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	on, ok := fn.X.(*ast.Ident)
	return ok && on.Name == "a"
}

// logs tells whether a call writes into a log, which is English.
func logs(call *ast.CallExpr) bool {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch on := fn.X.(type) {
	case *ast.Ident:
		return on.Name == "log" || on.Name == "slog"
	case *ast.SelectorExpr:
		return strings.EqualFold(on.Sel.Name, "log")
	}
	return false
}

// literal is the text of a string literal, or of several joined by +.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, also := literal(e.Y)
		return left + right, ok && also
	}
	return "", false
}

var verb = regexp.MustCompile(`%(\[\d+\])?[-+# 0-9.]*[a-zA-Z%]`)

// verbs are the places to fill in, in order of their arguments.
func verbs(format string) []string {
	found := verb.FindAllString(format, -1)
	indexed := slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, "%[") })
	if indexed {
		slices.Sort(found)
		for i, v := range found {
			found[i] = "%" + v[strings.Index(v, "]")+1:]
		}
	}
	return found
}
