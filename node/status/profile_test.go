package status

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
)

// TestProfilesAreForLoopbackAndOffByDefault: what is in memory is nobody else's.
func TestProfilesAreForLoopbackAndOffByDefault(t *testing.T) {
	for _, on := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		s, err := New(ctx, Config{Listen: "127.0.0.1:0", Profile: on}, env.Quiet(1), Parts{Gather: prometheus.NewRegistry(), Status: func() Status { return Status{} }})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		res, err := http.Get("http://" + s.listener.Addr().String() + "/debug/pprof/allocs")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if want := map[bool]int{false: http.StatusNotFound, true: http.StatusOK}[on]; res.StatusCode != want {
			t.Errorf("profile %v: %s, want %d", on, res.Status, want)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/heap", nil)
	r.RemoteAddr = "192.0.2.7:4000"
	loopback(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("from elsewhere: %d, want %d", w.Code, http.StatusForbidden)
	}
}
