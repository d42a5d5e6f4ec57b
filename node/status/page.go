package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageText string

// page is /status as people read it, in each language. It needs no script and
// nothing from elsewhere; its only style element is allowed by its hash.
type page struct {
	policy string
	in     map[string]*template.Template
	words  map[string]words
}

func newPage() (*page, error) {
	all, err := loadWords()
	if err != nil {
		return nil, err
	}
	_, rest, found := strings.Cut(pageText, "<style>")
	style, _, closed := strings.Cut(rest, "</style>")
	if !found || !closed {
		return nil, errors.New("status page: want one style element")
	}
	sum := sha256.Sum256([]byte(style))
	p := &page{
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		in:     map[string]*template.Template{}, words: all,
	}
	for code, w := range all {
		t, err := template.New("page").Funcs(w.functions()).Parse(pageText)
		if err != nil {
			return nil, fmt.Errorf("status page: %w", err)
		}
		p.in[code] = t
	}
	return p, nil
}

// shown is what the template gets.
type shown struct {
	Status
	Lang     string
	Warnings []string
	Answered int // datacenters that answer
}

// write writes the page whole or not at all.
func (p *page) write(w http.ResponseWriter, r *http.Request, st Status) error {
	lang := language(r)
	s := shown{Status: st, Lang: lang, Warnings: warnings(st, p.words[lang])}
	for _, site := range st.Sites {
		if site.Answered {
			s.Answered++
		}
	}
	var b bytes.Buffer
	if err := p.in[lang].Execute(&b, s); err != nil {
		http.Error(w, "the page could not be made; ask for application/json", http.StatusInternalServerError)
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Language")
	_, err := w.Write(b.Bytes())
	return err
}

// wantsPage tells a browser from a program: who names text/html gets the page.
func wantsPage(r *http.Request) bool {
	return strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html")
}
