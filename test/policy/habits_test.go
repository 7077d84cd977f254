package policy_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node"
)

// Sizes from which a reason is due in the package comment: a sentence with
// "because" that names lines, for instance "It has more than 1,000 lines because …".
const (
	maxFile    = 400
	maxPackage = 1000
	// slack keeps a limit from being hit by one line too many.
	slack = 1.1
)

func TestEveryPackageSaysWhatLivesInIt(t *testing.T) {
	for _, p := range packages(t) {
		if len(strings.Fields(p.doc())) < 8 {
			t.Errorf("%s has no package comment: say in doc.go what lives there and what does not", p.path)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, p := range packages(t) {
		sum := 0
		for _, f := range p.files {
			sum += f.lines
			if f.lines > int(maxFile*slack) {
				t.Errorf("%s has %d lines: a file has one subject and about %d lines", f.path, f.lines, maxFile)
			}
		}
		if sum > int(maxPackage*slack) && !strings.HasPrefix(p.path, "test/") && !hasReason(p.doc()) {
			t.Errorf("%s has %d lines, more than about %d: split it, or say in its comment why it has more lines (\"… lines because …\")", p.path, sum, maxPackage)
		}
	}
}

func hasReason(doc string) bool {
	return strings.Contains(doc, "lines") && strings.Contains(doc, "because")
}

func TestNamesSayWhatIsInside(t *testing.T) {
	banned := []string{"manager", "helper", "helpers", "util", "utils", "common", "types", "misc", "base"}
	for _, p := range packages(t) {
		for part := range strings.SplitSeq(p.path, "/") {
			if slices.Contains(banned, part) {
				t.Errorf("%s: a name that says nothing; call it after what it does", p.path)
			}
		}
	}
}

// Only cli/term prints; mains hand the streams on, and test/ holds programs of
// their own.
func TestOnlyTermPrints(t *testing.T) {
	for _, p := range packages(t) {
		if p.path == "cli/term" || strings.HasPrefix(p.path, "test/") {
			continue
		}
		for _, f := range p.files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if what := prints(n); what != "" && !(strings.HasPrefix(p.path, "cmd/") && strings.HasPrefix(what, "os.")) {
					t.Errorf("%s: %s prints; return the text, or log it, and let cli/term show it", at(n), what)
				}
				return true
			})
		}
	}
}

func prints(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "println" || id.Name == "print") {
			return id.Name
		}
	case *ast.SelectorExpr:
		x, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		name := x.Name + "." + n.Sel.Name
		if slices.Contains([]string{"fmt.Print", "fmt.Printf", "fmt.Println", "os.Stdout", "os.Stderr"}, name) || x.Name == "log" && ast.IsExported(n.Sel.Name) && isLogCall(n.Sel.Name) {
			return name
		}
	}
	return ""
}

// isLogCall names the functions of package log that print; a *slog.Logger called
// log has none of them.
func isLogCall(name string) bool {
	for _, p := range []string{"Print", "Fatal", "Panic"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func TestNoInitAndNoGoroutineAtLoad(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: an init runs for every command and hides an order; do it in New", at(fn))
				}
			}
		}
	}
}

// What an operation is called is data. Code that switches over it would have to be
// found and changed for each new one.
func TestNoSwitchOverOperations(t *testing.T) {
	names := map[string]bool{}
	for _, k := range node.Catalogue() {
		names[k.ID] = true
		if k.Names.Tool != "" {
			names[k.Names.Tool] = true
		}
	}
	for _, p := range packages(t) {
		for _, f := range p.files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if c, ok := n.(*ast.CaseClause); ok {
					for _, e := range c.List {
						if namesOperation(e, names) {
							t.Errorf("%s: a switch over operations; put the difference into the Spec, or into a table of this surface", at(e))
						}
					}
				}
				return true
			})
		}
	}
}

// namesOperation tells whether a case is an operation's name, or X.ID of a Spec.
func namesOperation(e ast.Expr, names map[string]bool) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return false
		}
		text, err := strconv.Unquote(e.Value)
		return err == nil && names[text]
	case *ast.SelectorExpr:
		_, spec := e.X.(*ast.SelectorExpr)
		return spec && e.Sel.Name == "ID"
	}
	return false
}

// An interface with more than five methods needs a reason in its comment.
func TestInterfacesAreSmall(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				d, ok := n.(*ast.GenDecl)
				if !ok {
					return true
				}
				for _, s := range d.Specs {
					checkInterface(t, d, s)
				}
				return true
			})
		}
	}
}

func checkInterface(t *testing.T, d *ast.GenDecl, s ast.Spec) {
	t.Helper()
	spec, ok := s.(*ast.TypeSpec)
	if !ok {
		return
	}
	i, ok := spec.Type.(*ast.InterfaceType)
	if !ok || i.Methods.NumFields() <= 5 {
		return
	}
	if doc := d.Doc.Text() + spec.Doc.Text(); !strings.Contains(doc, "because") {
		t.Errorf("%s: %s has %d methods: split it, or say in its comment why it has more than five (\"because …\")",
			at(spec), spec.Name.Name, i.Methods.NumFields())
	}
}
