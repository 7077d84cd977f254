package policy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path that our own imports begin with.
const module = "github.com/claudemesh/claudemesh"

// pkg is one package's own code, without its tests.
type pkg struct {
	path    string            // below the module
	files   []source          // of all systems
	imports map[string]string // import path → a file that has it
}

// source is one parsed file.
type source struct {
	path  string // below the module
	ast   *ast.File
	lines int // of code: neither blank nor comment alone
}

// tree is the parsed module, read once.
var tree = sync.OnceValues(load)

func root() string { return filepath.Join("..", "..") }

var fset = token.NewFileSet()

// packages returns every package of the module that has code beside its tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func load() ([]pkg, error) {
	found := map[string]*pkg{}
	var order []string
	err := filepath.WalkDir(root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "testdata" || name == "dist" || path != root() && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		s, err := parse(path)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(s.path))
		if found[dir] == nil {
			found[dir] = &pkg{path: dir, imports: map[string]string{}}
			order = append(order, dir)
		}
		found[dir].add(s)
		return nil
	})
	out := make([]pkg, 0, len(order))
	for _, dir := range order {
		out = append(out, *found[dir])
	}
	return out, err
}

func parse(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root(), path)
	return source{filepath.ToSlash(rel), f, countCode(string(text))}, err
}

func countCode(text string) (n int) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func (p *pkg) add(s source) {
	p.files = append(p.files, s)
	for _, i := range s.ast.Imports {
		if imp, err := strconv.Unquote(i.Path.Value); err == nil {
			p.imports[imp] = s.path
		}
	}
}

// doc is the package comment.
func (p *pkg) doc() string {
	var b strings.Builder
	for _, f := range p.files {
		if f.ast.Doc != nil {
			b.WriteString(f.ast.Doc.Text())
		}
	}
	return b.String()
}

// at is the place of a node, for messages.
func at(n ast.Node) string {
	pos := fset.Position(n.Pos())
	rel, err := filepath.Rel(root(), pos.Filename)
	if err != nil {
		rel = pos.Filename
	}
	return filepath.ToSlash(rel) + ":" + strconv.Itoa(pos.Line)
}
