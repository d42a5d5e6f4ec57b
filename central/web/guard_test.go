package web_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vedetta/central/web"
)

// A page that breaks off is cut off, so that no browser takes half of it, or a
// second page behind it, for the whole; one that had not begun is answered.
func TestPanicInABegunAnswer(t *testing.T) {
	var log bytes.Buffer
	begin := map[string]func(w http.ResponseWriter){
		"/none":    func(http.ResponseWriter) {},
		"/headers": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"/body":    func(w http.ResponseWriter) { io.WriteString(w, strings.Repeat("half ", 2000)) },
		"/flush": func(w http.ResponseWriter) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"/flushed": func(w http.ResponseWriter) {
			io.WriteString(w, "half")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
	}
	srv := httptest.NewServer(web.Recover(slog.New(slog.NewTextHandler(&log, nil)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin[r.URL.Path](w)
		panic("planted")
	})))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // nothing is asked twice
	for path := range begin {
		resp, err := client.Get(srv.URL + path)
		if path == "/none" {
			if err != nil || resp.StatusCode != http.StatusInternalServerError {
				t.Errorf("%s: %v %v", path, resp, err)
			}
			continue
		}
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: an answer that broke off looks whole", path)
		}
	}
	srv.Close()
	if strings.Count(log.String(), "a request failed") != len(begin) || strings.Contains(log.String(), "planted") {
		t.Errorf("log: %s", log.String())
	}
}
