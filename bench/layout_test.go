package bench

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table of who may import whom. A package may import those of its own row
// and of the rows named; the longest prefix decides. Without a row: nothing of ours.
var mayImport = map[string][]string{
	"wire":           {"wire"},
	"cluster":        {"cluster", "wire/mesh"},
	"cluster/env":    {},
	"cluster/link":   {"cluster/env", "wire/mesh"},
	"cluster/gossip": {"cluster/gossip", "cluster/env", "wire/mesh"},
	"node":           {"node", "cluster", "wire"},
	"node/channel":   {"node/channel", "wire", "cluster/env"},
	"central":        {"central", "wire", "cluster/env", "cluster/link", "cluster/config", "cluster/daemon"},
	"ops":            {"ops", "cluster", "wire"},
	"ops/decisions":  {},
	"ops/pki":        {"cluster/link", "cluster/env", "wire/seal"},
	"ops/catcher":    {"cluster/env"},
	"ops/frame":      {"wire/dc09", "wire/event"},
	"ops/panel":      {"ops/panel", "wire/dc09", "wire/event", "cluster/env"},
	"ops/local":      {"ops", "cluster", "wire"},
	"ops/watch":      {"wire/watch"},
	"ops/vedettactl": {"ops", "cluster", "wire"},
	"bench":          {"bench", "wire", "cluster", "node", "central", "ops"},
}

// never holds what even a permitted row forbids, with the reason.
var never = []struct{ from, to, why string }{
	{"cluster", "wire/dc09", "cluster knows nothing of alarms"},
	{"cluster", "wire/event", "cluster knows nothing of alarms"},
	{"node", "central", "node and central never import each other"},
	{"central", "node", "node and central never import each other"},
	{"node/channel/email", "node/channel/webhook", "one channel never imports another"},
	{"node/channel/email", "node/channel/webpush", "one channel never imports another"},
	{"node/channel/webhook", "node/channel/email", "one channel never imports another"},
	{"node/channel/webhook", "node/channel/webpush", "one channel never imports another"},
	{"node/channel/webpush", "node/channel/email", "one channel never imports another"},
	{"node/channel/webpush", "node/channel/webhook", "one channel never imports another"},
}

// onlyFrom names the files, or packages, that alone may import a package,
// with the reason.
var onlyFrom = []struct {
	to, why string
	from    []string
}{
	{"cluster/gossip/keyring", "keys are for gossip and for who makes them", []string{"cluster/gossip", "ops"}},
	{"cluster/gossip", "gossip is a hint: nothing that decides may see it", []string{"cluster/gossip", "node/rumours.go"}},
}

// onlyNamed holds that what node/rumours.go hands out reaches the wiring and
// the report, and nothing else of the node.
var onlyNamed = struct {
	name string
	in   []string
}{"rumours", []string{"node/rumours.go", "node/node.go", "node/report.go"}}

// Limits of a file's length in lines.
const (
	maxLines  = 1000
	softLines = 500 // at most softShare of the files may be longer
	softShare = 0.10
	mainLines = 60
)

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func allowed(from, to string) bool {
	best, rows := -1, []string(nil)
	for root, r := range mayImport {
		if under(from, root) && len(root) > best {
			best, rows = len(root), r
		}
	}
	for _, r := range rows {
		if under(to, r) {
			return true
		}
	}
	return best >= 0 && from == to
}

// TestLayout holds the import table, the limits of file length and the
// presence of package comments, so that the architecture cannot rot silently.
func TestLayout(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files, long := 0, 0
	commented := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != root && (strings.HasPrefix(n, ".") || n == "testdata" || n == "bin" || n == "run") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		dir := filepath.ToSlash(filepath.Dir(rel))
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		lines := bytes.Count(src, []byte("\n"))
		switch {
		case filepath.Base(rel) == "main.go" && lines > mainLines:
			t.Errorf("%s has %d lines, want at most %d: a main has only flags and signals", rel, lines, mainLines)
		case lines > maxLines:
			t.Errorf("%s has %d lines, want at most %d", rel, lines, maxLines)
		case lines > softLines:
			long++
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		isTest := strings.HasSuffix(rel, "_test.go")
		if !isTest {
			commented[dir] = commented[dir] || f.Doc != nil
		}
		if dir == "node" && !isTest && bytes.Contains(src, []byte(onlyNamed.name)) && !slices.Contains(onlyNamed.in, rel) {
			t.Errorf("%s mentions %s: gossip is a hint, and only %v may see it", rel, onlyNamed.name, onlyNamed.in)
		}
		for _, spec := range f.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(to, "vedetta/")
			if !ours {
				continue
			}
			for _, n := range never {
				if under(dir, n.from) && under(to, n.to) {
					t.Errorf("%s imports %s: %s", rel, to, n.why)
				}
			}
			for _, o := range onlyFrom {
				if !isTest && under(to, o.to) {
					if !slices.ContainsFunc(o.from, func(f string) bool { return under(rel, f) }) {
						t.Errorf("%s imports %s: %s", rel, to, o.why)
					}
					break // the first that fits is the nearest
				}
			}
			// Tests may use more: the judges of bench, and real parts of the other side.
			if !isTest && !allowed(dir, to) {
				t.Errorf("%s imports %s, which the table in bench/layout_test.go doesn't allow", rel, to)
			}
			if !isTest && under(to, "bench") && !under(dir, "bench") {
				t.Errorf("%s imports %s: nothing imports bench but tests", rel, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, ok := range commented {
		if !ok {
			t.Errorf("package %s has no package comment: say what it promises", dir)
		}
	}
	if share := float64(long) / float64(files); share > softShare {
		t.Errorf("%d of %d files have more than %d lines, want at most %.0f %%", long, files, softLines, 100*softShare)
	}
}
