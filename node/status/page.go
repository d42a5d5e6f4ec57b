package status

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

// pageStyleHash allows the one style element of page.html; a test holds it.
const pageStyleHash = "i/8aDitlmX5/SLclH2K4iYQ2DtStkFdMrd7TdkbW5k4="

// writePage writes /status as people read it.
func writePage(w http.ResponseWriter, st Status) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"seconds": func(v *float64) string {
			if v == nil {
				return "unknown"
			}
			return fmt.Sprintf("%.1f ms", *v*1000)
		},
		"gib": func(b int64) string { return fmt.Sprintf("%.1f GiB", float64(b)/(1<<30)) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+pageStyleHash+"'")
	w.Header().Set("Cache-Control", "no-store")
	return t.Execute(w, st)
}
