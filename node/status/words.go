package status

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

//go:embed words/*.json
var wordFiles embed.FS

// languages of the page; the first is taken when a reader asks for none of them.
var languages = []string{"en", "it"}

// words is one language's texts by key; the values are fmt's formats.
type words struct {
	code  string
	texts map[string]string
}

func loadWords() (map[string]words, error) {
	all := map[string]words{}
	for _, code := range languages {
		b, err := wordFiles.ReadFile("words/" + code + ".json")
		if err != nil {
			return nil, fmt.Errorf("texts of the status page: %w", err)
		}
		w := words{code, map[string]string{}}
		if err := json.Unmarshal(b, &w.texts); err != nil {
			return nil, fmt.Errorf("texts of the status page in %s: %w", code, err)
		}
		all[code] = w
	}
	return all, nil
}

// t is a text with its values filled in; a key that isn't there shows itself.
func (w words) t(key string, values ...any) string {
	text, ok := w.texts[key]
	switch {
	case !ok:
		return key
	case len(values) == 0:
		return text
	}
	for i, v := range values {
		if s, ok := v.(*string); ok {
			values[i] = deref(s)
		}
	}
	return fmt.Sprintf(text, values...)
}

// language of a request: ?lang=, else the best of Accept-Language.
func language(r *http.Request) string {
	if l := r.URL.Query().Get("lang"); slices.Contains(languages, l) {
		return l
	}
	best, weight := languages[0], 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				q = 0
			}
		}
		if slices.Contains(languages, tag) && q > weight {
			best, weight = tag, q
		}
	}
	return best
}
