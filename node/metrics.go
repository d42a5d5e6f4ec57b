package node

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows, when it is asked, what the report knows and no part counts
// by itself.
type collector struct{ r report }

// Describe sends nothing: the followers depend on the mesh.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, v)
	}
	ready := 0.0
	if c.r.gate.Ready() {
		ready = 1
	}
	gauge("vedetta_ready", "1 when an alarm that arrives now would be acknowledged once a majority of sites holds it.", ready)
	gauge("vedetta_panels_silent", "Panels that are silent past their interval. NaN: not judged, as this program has no supervision yet.", math.NaN())
	lag := prometheus.NewDesc("vedetta_follower_lag_seconds", "How long the follower has lacked an entry; 0 when it lacks none.", []string{"follower"}, nil)
	for name, l := range c.r.lags(time.Now()) {
		if l.Seconds != nil {
			out <- prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, *l.Seconds, name)
		}
	}
}
