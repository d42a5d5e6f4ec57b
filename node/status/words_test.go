package status

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vedetta/node/readiness"
)

// TestNoTextIsMissing: both languages have the same keys with the same values
// in the same order, every key that is used is there, and none is left over.
func TestNoTextIsMissing(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	verbs := regexp.MustCompile(`%[a-z%]`)
	en, it := all["en"].texts, all["it"].texts
	for key, text := range en {
		if it[key] == "" {
			t.Errorf("it.json lacks %q", key)
		} else if a, b := verbs.FindAllString(text, -1), verbs.FindAllString(it[key], -1); !slices.Equal(a, b) {
			t.Errorf("%q takes %v in English and %v in Italian", key, a, b)
		}
	}
	for key := range it {
		if en[key] == "" {
			t.Errorf("en.json lacks %q", key)
		}
	}

	used := map[string]bool{}
	for _, r := range []readiness.Reason{readiness.NoMajority, readiness.DiskFull, readiness.Clock, readiness.Recovering, readiness.Draining, readiness.Upgrading, readiness.KeysMissing} {
		used["why."+string(r)], used["do."+string(r)] = true, true
	}
	for _, follower := range []string{"alerting", "uplink"} {
		used["follower."+follower] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`(?:\bt |\.t\(|say\([^"\n]*, )"([a-z_.]+)"`)
	for _, f := range append(files, "page.html") {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			used[m[1]] = true
		}
	}
	for key := range used {
		if en[key] == "" {
			t.Errorf("%q is used and has no text", key)
		}
	}
	for key := range en {
		if !used[key] {
			t.Errorf("%q is in the catalogue and not used", key)
		}
	}
}
