package event

import "testing"

// Every category has a name of its own in each language, and there is no name
// without a category.
func TestCategoriesHaveNames(t *testing.T) {
	for _, language := range []string{"it", "en"} {
		seen := map[string]Category{}
		for _, c := range Categories() {
			name := c.Name(language)
			if name == "" || seen[name] != "" {
				t.Errorf("%s in %s is called %q, as is %q", c, language, name, seen[name])
			}
			seen[name] = c
		}
		if got := Category("new one").Name(language); got != Other.Name(language) {
			t.Errorf("an unknown category is called %q, want the name of other", got)
		}
	}
	if len(names) != len(Categories()) {
		t.Errorf("%d names of %d categories", len(names), len(Categories()))
	}
}
