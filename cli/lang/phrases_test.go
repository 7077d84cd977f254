package lang_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// formats are the functions that make a text of an error or of a phrase, with the places
// of their arguments that are said.
var formats = map[string][]int{"WithHint": {0}, "Phrasef": {0}, "Word": {0}, "Usage": {0, 1}, "coded": {1}, "tooLong": {0}}

// findings are those of the doctor, who keeps a phrase for each of his texts.
var findings = map[string][]int{"pass": {0}, "skip": {0}, "warn": {0}, "fail": {0}, "hint": {0}, "count": {1, 2}}

// passOn are the functions that hand on a format, which their callers give.
var passOn = []string{"Errorf", "WithHint", "Usage", "coded", "tooLong", "Phrasef", "Word", "pass", "skip", "warn", "fail", "hint"}

// phrases finds the formats of errors, hints and phrases in the folders under root, and
// where. One that is no literal could not be said in another language.
func phrases(t *testing.T, root string, folders ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	files := token.NewFileSet()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				fn, _ := decl.(*ast.FuncDecl)
				ast.Inspect(decl, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					for _, i := range saidBy(call, file.Name.Name) {
						if i >= len(call.Args) {
							continue
						}
						text, ok := literal(call.Args[i])
						switch {
						case ok && wordy.MatchString(text):
							found[text] = files.Position(call.Args[i].Pos()).String()
						case !ok && called(call) != "Word" && called(call) != "Usage" && !(fn != nil && slices.Contains(passOn, fn.Name.Name)) && !inClosure(call, fn):
							t.Errorf("%s: the format is no literal, so it cannot be said in another language: make it one, or hand it over as an op.Phrase",
								files.Position(call.Args[i].Pos()))
						}
					}
					return true
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// sentinels are the folders whose errors.go has texts that people read, as causes.
var sentinels = []string{"overlay/join", "overlay/join/code", "overlay/trust/invite", "cli/upgrade", "cli/upgrade/release", "cli/launch/claude", "cli/agent", "cli/doctor", "node/surface/local", "store"}

// inner is a text for logs alone: it begins with the name of its package.
var inner = regexp.MustCompile(`^\w+: `)

// causes finds the texts of the errors that are named in those folders.
func causes(t *testing.T, root string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, folder := range sentinels {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, filepath.Join(root, folder, "errors.go"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && called(call) == "New" {
				if text, ok := literal(call.Args[0]); ok && !inner.MatchString(text) {
					found[text] = files.Position(call.Pos()).String()
				}
			}
			return true
		})
	}
	return found
}

// saidBy are the places of a call's arguments that are said.
func saidBy(call *ast.CallExpr, pkg string) []int {
	name := called(call)
	switch {
	case pkg == "doctor" && findings[name] != nil:
		return findings[name]
	case name != "Errorf":
		return formats[name]
	}
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		if on, ok := fn.X.(*ast.Ident); ok && on.Name == "op" {
			return []int{1}
		}
	case *ast.Ident:
		if pkg == "op" {
			return []int{1}
		}
	}
	return nil
}

// inClosure tells whether a call stands in the function literal of that name in fn, which
// hands a format on.
func inClosure(call *ast.CallExpr, fn *ast.FuncDecl) bool {
	if fn == nil {
		return false
	}
	inside := false
	ast.Inspect(fn, func(n ast.Node) bool {
		made, ok := n.(*ast.AssignStmt)
		if !ok || len(made.Lhs) != 1 || len(made.Rhs) != 1 {
			return true
		}
		name, ok := made.Lhs[0].(*ast.Ident)
		if ok && slices.Contains(passOn, name.Name) && made.Rhs[0].Pos() <= call.Pos() && call.End() <= made.Rhs[0].End() {
			inside = true
		}
		return true
	})
	return inside
}
