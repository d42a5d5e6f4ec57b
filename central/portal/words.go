package portal

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed words/*.json
var wordFiles embed.FS

// Words is the catalogue of texts: one file per language, the same keys in each.
type Words struct {
	languages map[string]map[string]string
}

// Language is one language's texts.
type Language struct {
	Code  string // it or en
	texts map[string]string
}

// LoadWords reads the embedded files.
func LoadWords() (*Words, error) {
	w := &Words{map[string]map[string]string{}}
	for _, code := range []string{"it", "en"} {
		b, err := wordFiles.ReadFile("words/" + code + ".json")
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(b, &texts); err != nil {
			return nil, fmt.Errorf("texts of %s: %w", code, err)
		}
		w.languages[code] = texts
	}
	return w, nil
}

// Has tells whether there is such a language.
func (w *Words) Has(code string) bool { return w.languages[code] != nil }

// In is a language by its code; Italian when there is none such.
func (w *Words) In(code string) Language {
	if !w.Has(code) {
		code = "it"
	}
	return Language{code, w.languages[code]}
}

// Of is the language of a request: the user's own choice, else the cookie's,
// else the first of Accept-Language that there is, else Italian.
func (w *Words) Of(r *http.Request, user string) Language {
	if w.Has(user) {
		return w.In(user)
	}
	if c, err := r.Cookie(languageCookie); err == nil && w.Has(c.Value) {
		return w.In(c.Value)
	}
	type wish struct {
		code string
		q    float64
	}
	var wishes []wish
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, param, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, _ = strconv.ParseFloat(v, 64) // 0 when it can't be read
		}
		code, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if q > 0 && w.Has(code) {
			wishes = append(wishes, wish{code, q})
		}
	}
	if len(wishes) == 0 {
		return w.In("it")
	}
	slices.SortStableFunc(wishes, func(a, b wish) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	return w.In(wishes[0].code)
}

// T is a text by its key, with {0}, {1} ... replaced. A key that is missing
// shows itself; a test finds it before.
func (l Language) T(key string, args ...any) string {
	s, ok := l.texts[key]
	if !ok {
		return key
	}
	for i, a := range args {
		s = strings.ReplaceAll(s, "{"+strconv.Itoa(i)+"}", fmt.Sprint(a))
	}
	return s
}

// Or is a text by its key, or the given one when there is none: for words that
// come from outside our closed lists.
func (l Language) Or(key, text string) string {
	if s, ok := l.texts[key]; ok {
		return s
	}
	return text
}

// N is a text that depends on a number: key and ".one" or ".other", which are
// the forms of Italian and English alike. {0} is the number.
func (l Language) N(key string, n int, args ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return l.T(key+form, append([]any{n}, args...)...)
}

// List joins words as people do: "a, b e c".
func (l Language) List(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return l.T("list.and", strings.Join(words[:n-1], ", "), words[n-1])
	}
}

// Span is a length of time, to the second: "1 ora e 30 minuti".
func (l Language) Span(d time.Duration) string {
	var parts []string
	for _, u := range []struct {
		key string
		len time.Duration
	}{{"span.day", 24 * time.Hour}, {"span.hour", time.Hour}, {"span.minute", time.Minute}, {"span.second", time.Second}} {
		if n := d / u.len; n > 0 {
			parts = append(parts, l.N(u.key, int(n)))
			d -= n * u.len
		}
	}
	if len(parts) == 0 {
		return l.N("span.second", 0)
	}
	return l.List(parts)
}

// Day is a date with its weekday, such as "martedì 24 novembre 2026".
func (l Language) Day(t time.Time) string {
	return l.T("day", l.T("weekday."+strconv.Itoa(int(t.Weekday()))), t.Day(), l.T("month."+strconv.Itoa(int(t.Month()))), t.Year())
}

// Number is a number as people write it: 40.000, in English 40,000.
func (l Language) Number(n int) string {
	s, mark := strconv.Itoa(n), "."
	if l.Code == "en" {
		mark = ","
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + mark + s[i:]
	}
	return s
}

// Clock is the time of day.
func (l Language) Clock(t time.Time) string { return t.Format("15:04:05") }

// Date is a short date: "24 nov 2026".
func (l Language) Date(t time.Time) string {
	month := []rune(l.T("month." + strconv.Itoa(int(t.Month()))))
	return fmt.Sprintf("%d %s %d", t.Day(), string(month[:3]), t.Year())
}

// Stamp is a short date with the time of day.
func (l Language) Stamp(t time.Time) string { return l.Date(t) + ", " + l.Clock(t) }

// Precise is a short date with the time of day to the millisecond and its zone.
func (l Language) Precise(t time.Time) string {
	return l.Date(t) + ", " + t.Format("15:04:05.000 MST")
}

// Upper makes a text begin with a capital letter.
func (l Language) Upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
