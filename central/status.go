package central

import (
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vedetta/central/reconcile"
	"vedetta/cluster/daemon"
	"vedetta/cluster/link"
)

// reasonKeys says that central can't read or look up anything personal.
const reasonKeys = "keys_missing"

// health answers /healthz, /readyz, /metrics, /status and /reconcile.
type health struct {
	started time.Time
	data    string
	cert    string
	token   string
	metrics prometheus.Gatherer
	ready   func() []string // reasons why not
	lags    func() map[string]lag
	checker *reconcile.Reconcile
	peers   func() []link.PeerStatus
}

// status is the JSON of /status; its keys are a promise.
type status struct {
	Node               string         `json:"node"`
	Site               *string        `json:"site"`
	PID                int            `json:"pid"`
	Ready              bool           `json:"ready"`
	Reasons            []string       `json:"reasons"`
	LeaderOf           []int          `json:"leader_of"` // central leads nothing
	Peers              []peer         `json:"peers"`
	Lags               map[string]lag `json:"lags"`
	Version            string         `json:"version"`
	ClusterVersion     int            `json:"cluster_version"`
	UptimeSeconds      float64        `json:"uptime_seconds"`
	DiskFreeBytes      int64          `json:"disk_free_bytes"`
	CertificateExpires *string        `json:"certificate_expires"`
	Reconcile          standing       `json:"reconcile"`
}

type peer struct {
	Name        string   `json:"name"`
	Site        string   `json:"site"`
	Connected   bool     `json:"connected"`
	RTT         *float64 `json:"rtt_seconds"`
	ClockOffset *float64 `json:"clock_offset_seconds"`
}

type lag struct {
	Entries int     `json:"entries"`
	Seconds float64 `json:"seconds"`
}

// open adds what anybody may ask.
func (h *health) open(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"alive": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		reasons, code := h.ready(), http.StatusOK
		if len(reasons) > 0 {
			code = http.StatusServiceUnavailable
		}
		writeJSON(w, code, map[string]any{"ready": len(reasons) == 0, "reasons": reasons})
	})
}

// managed adds what only loopback or the token's bearer may ask.
func (h *health) managed(mux *http.ServeMux) {
	for path, handler := range map[string]http.Handler{
		"GET /metrics":            promhttp.HandlerFor(h.metrics, promhttp.HandlerOpts{}),
		"GET /status":             http.HandlerFunc(h.status),
		"POST /reconcile":         http.HandlerFunc(h.runReconcile),
		"POST /reconcile/explain": http.HandlerFunc(h.explainCase),
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			bearer := h.token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(h.token)) == 1
			if !bearer && !daemon.FromThisMachine(r) {
				http.Error(w, "want loopback, by an address or as localhost, or the management token (status.token_file)", http.StatusForbidden)
				return
			}
			handler.ServeHTTP(w, r)
		})
	}
}

func (h *health) status(w http.ResponseWriter, _ *http.Request) {
	reasons := h.ready()
	s := status{Node: "central", PID: os.Getpid(), Ready: len(reasons) == 0, Reasons: reasons, LeaderOf: []int{}, Peers: []peer{}, Lags: h.lags(),
		Version: version(), ClusterVersion: 1, UptimeSeconds: time.Since(h.started).Seconds(), DiskFreeBytes: diskFree(h.data), CertificateExpires: expires(h.cert),
		Reconcile: standingOf(h.checker.Summary())}
	for _, p := range h.peers() {
		v := peer{Name: p.Name, Site: p.Site, Connected: p.Connected}
		if p.Connected {
			rtt, offset := p.RTT.Seconds(), p.Offset.Seconds()
			v.RTT, v.ClockOffset = &rtt, &offset
		}
		s.Peers = append(s.Peers, v)
	}
	writeJSON(w, http.StatusOK, s)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(b, '\n')) //nolint:errcheck // the client is gone
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}

func diskFree(path string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	return int64(min(free, math.MaxInt64))
}

func expires(certFile string) *string {
	b, err := os.ReadFile(certFile)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	s := c.NotAfter.UTC().Format("2006-01-02T15:04:05.000Z")
	return &s
}
