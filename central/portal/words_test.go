package portal_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"

	"golang.org/x/net/html"

	"vedetta/central/premises"
	"vedetta/wire/event"
)

func catalogue(t *testing.T, code string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("words/" + code + ".json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// families are keys that are put together when a page is made: what stands
// before, and all that can follow.
func families(t *testing.T) map[string][]string {
	t.Helper()
	f := map[string][]string{
		"state.":             {"pending", "delivered", "refused", "unknown", "cancelled", "expired", "erased", "in_force", "not_in_force"},
		"channel.":           {"email", "webpush", "sms", "whatsapp", "voice", "webhook", "automation"},
		"channel_in.":        {"email", "webpush", "sms", "whatsapp", "voice", "webhook", "automation"},
		"qualifier.":         {"new", "restore", "ongoing"},
		"fault.":             premises.FaultCodes(),
		"panel.key_as_":      {"hex", "text"},
		"rule.group_":        {"danger", "alarm", "notice", "quiet"},
		"rule.qualifier_":    {"new", "restore", "ongoing"},
		"gaps.":              {"never", "sometimes", "never_panels", "sometimes_panels"},
		"start.":             {"panel", "contact", "rule", "test"},
		"done.":              {"added", "saved", "deleted", "enabled", "disabled", "changed_meanwhile", "password", "language", "subscribed", "unsubscribed"},
		"remove.panel":       {"", "_title", "_text"},
		"remove.contact":     {"", "_title", "_text"},
		"remove.rule":        {"", "_title", "_text"},
		"start.panel_":       {"text", "button"},
		"start.contact_":     {"text", "button"},
		"start.rule_":        {"text", "button"},
		"start.test_":        {"text", "button"},
		"unknown.answer.":    {"ack", "duh", "silence"},
		"unknown.left.":      {"undecryptable", "plain_refused", "time", "other_panel", "no_panel", "gone", "unreadable"},
		"unknown.tell.":      {"recent", "all", "none"},
		"adoption.told.":     {"recent", "all", "none"},
		"import.separator.":  {"semicolon", "comma", "tab"},
		"import.column.":     {"name", "account", "key", "prefix", "receiver", "profile", "poll_seconds", "grace_seconds", "time_zone", "zones"},
		"not_found.":         {"title", "text"},
		"watch.answer_":      {"ack", "nak", "duh", "rsp", "silence"},
		"watch.note_":        {"near", "key", "address"},
		"refused.":           {"title", "text"},
		"too_large.":         {"title", "text"},
		"unavailable.":       {"title", "text"},
		"failed.":            {"title", "text"},
		"weekday.":           {"0", "1", "2", "3", "4", "5", "6"},
		"month.":             {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"},
		"reason.":            {"acknowledged", "quiet_hours", "test_mode", "bundled", "no_credit", "opted_out", "restricted", "expired", "machine", "late", "never_begun"},
		"reason.webhook.":    {"provider_refused", "provider_busy", "unreachable", "no_answer"},
		"language.":          {"it", "en"},
		"rule.step_number":   {""},
		"event.unknown_code": {""},
	}
	for _, box := range []string{"time_window", "local_time", "allow_plain", "strict_account", "opaque_account", "ack", "answer", "unknown_token", "text"} {
		f["reception."] = append(f["reception."], box, box+"_hint")
	}
	f["reception."] = append(f["reception."], "behind_seconds", "ahead_seconds", "duplicate_seconds")
	for name, words := range map[string][]string{"ack": premises.AckKinds, "answer": premises.AnswerForms, "unknown_token": premises.TokenAnswers, "text": premises.TextEncodings} {
		for _, w := range words {
			f["reception."] = append(f["reception."], name+"."+w)
		}
	}
	source, err := os.ReadFile("../../node/channel/channel.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Reason\w+\s*= "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		f["reason."] = append(f["reason."], m[1])
	}
	if len(f["reason."]) < 15 {
		t.Fatalf("%d reasons found", len(f["reason."]))
	}
	return f
}

// Every key has a text in each language with the same places, every key that a
// page uses is there, and no text is there in vain.
func TestWordsAreWhole(t *testing.T) {
	it, en := catalogue(t, "it"), catalogue(t, "en")
	place := regexp.MustCompile(`\{\d\}`)
	places := func(s string) []string {
		list := place.FindAllString(s, -1)
		slices.Sort(list)
		return slices.Compact(list)
	}
	for k := range en {
		if it[k] == "" {
			t.Errorf("%s: not in Italian", k)
		}
	}
	for k, v := range it {
		if en[k] == "" {
			t.Errorf("%s: not in English", k)
		} else if !slices.Equal(places(v), places(en[k])) {
			t.Errorf("%s: other places in it and en", k)
		}
	}
	used := map[string]bool{}
	for family, members := range families(t) {
		for _, m := range members {
			used[family+m], used[family+m+".one"], used[family+m+".other"] = true, true, true
			if it[family+m] == "" && it[family+m+".one"] == "" {
				t.Errorf("%s%s is not in the catalogue", family, m)
			}
		}
	}
	for _, use := range literals(t) {
		for _, key := range []string{use, use + ".one", use + ".other"} {
			if it[key] != "" {
				used[key] = true
			}
		}
	}
	for k := range it {
		if !used[k] {
			t.Errorf("%s is used by no page", k)
		}
	}
	for where, keys := range calls(t) {
		for _, key := range keys {
			if it[key] == "" && it[key+".one"] == "" {
				t.Errorf("%s uses %q, which is not in the catalogue", where, key)
			}
		}
	}
	icons, err := os.ReadFile("static/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	names := families(t)["channel."]
	for _, c := range event.Categories() {
		names = append(names, string(c))
	}
	for _, name := range names {
		if !strings.Contains(string(icons), `id="`+name+`"`) {
			t.Errorf("no icon %q", name)
		}
	}
}

func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.File{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		if out[f], err = parser.ParseFile(token.NewFileSet(), f, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

var inTemplate = regexp.MustCompile(`\.[TN] "([a-z0-9_.]+)"`)

func templateSources(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(b)
	}
	return out
}

// literals are all strings that could be a key.
func literals(t *testing.T) []string {
	var out []string
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := literal(n); ok {
				out = append(out, s)
			}
			return true
		})
	}
	for _, text := range templateSources(t) {
		for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// calls are the keys that are certainly one: what T and N are given, and the
// labels and hints of inputs.
func calls(t *testing.T) map[string][]string {
	out := map[string][]string{}
	found := 0
	add := func(where string, n ast.Node) {
		if s, ok := literal(n); ok && s != "" {
			out[where] = append(out[where], s)
			found++
		}
	}
	for name, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || len(n.Args) == 0 {
					return true
				}
				switch method.Sel.Name {
				case "T", "N":
					add(name, n.Args[0])
				case "page":
					add(name, n.Args[len(n.Args)-1])
				case "ticks":
					if len(n.Args) == 5 {
						add(name, n.Args[1])
						add(name, n.Args[2])
					}
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && (id.Name == "Label" || id.Name == "Hint") {
					add(name, n.Value)
				}
			}
			return true
		})
	}
	for name, text := range templateSources(t) {
		for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
			out[name] = append(out[name], m[1])
			found++
		}
	}
	if found < 300 {
		t.Errorf("%d uses found, want more: the search has gone blind", found)
	}
	return out
}

// No template says a word of its own: all texts come from the catalogue.
func TestTemplatesHaveNoTexts(t *testing.T) {
	allowed := []string{"Vedetta", "· Vedetta", "IT", "EN", "Italiano", "English"}
	letters := func(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }
	for name, source := range templateSources(t) {
		trees, err := parse.Parse(name, source, "", "", map[string]any{"eq": 1, "ne": 1, "gt": 1, "or": 1, "and": 1, "len": 1, "not": 1, "printf": 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			z := html.NewTokenizer(strings.NewReader(bare(tree.Root)))
			for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
				tok := z.Token()
				if text := strings.TrimSpace(tok.Data); kind == html.TextToken && letters(text) && !slices.Contains(allowed, text) {
					t.Errorf("%s says %q, which is not in the catalogue", name, text)
				}
				for _, a := range tok.Attr {
					switch a.Key {
					case "aria-label", "title", "alt", "placeholder":
						if letters(a.Val) && !slices.Contains(allowed, a.Val) {
							t.Errorf("%s says %s=%q, which is not in the catalogue", name, a.Key, a.Val)
						}
					}
				}
			}
		}
	}
}

// bare is a template's text with nothing where an action stands; of a branch
// all sides.
func bare(n parse.Node) string {
	var b strings.Builder
	var walk func(parse.Node)
	list := func(l *parse.ListNode) {
		if l != nil {
			walk(l)
		}
	}
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			for _, c := range n.Nodes {
				walk(c)
			}
		case *parse.TextNode:
			b.Write(n.Text)
		case *parse.IfNode:
			list(n.List)
			list(n.ElseList)
		case *parse.RangeNode:
			list(n.List)
			list(n.ElseList)
		case *parse.WithNode:
			list(n.List)
			list(n.ElseList)
		}
	}
	walk(n)
	return b.String()
}

// Italian says tu to the reader, here and in what the watch page explains: two
// forms side by side read as two authors.
func TestItalianSaysTu(t *testing.T) {
	watch, err := os.ReadFile("../../wire/watch/words/it.json")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]string{}
	if err := json.Unmarshal(watch, &explained); err != nil {
		t.Fatal(err)
	}
	voi := regexp.MustCompile(`(?i:\b(vostr[oaie]|voi)\b)|(^|[.:?!] )[A-ZÀ-Ù][a-zàèìòù]*([aei]te|[aei]tel[oaie])\b`)
	for where, texts := range map[string]map[string]string{"portal": catalogue(t, "it"), "watch": explained} {
		if len(texts) < 50 {
			t.Fatalf("%s: %d texts", where, len(texts))
		}
		for key, text := range texts {
			if found := voi.FindString(text); found != "" && !slices.Contains([]string{"Coordinate", ". Ripete"}, found) {
				t.Errorf("%s %s says voi: %q", where, key, found)
			}
		}
	}
}
