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
	silent := math.NaN()
	if c.r.view.Generation() > 0 {
		silent = float64(c.r.view.CountSilent())
	}
	gauge("vedetta_panels_silent", "Panels that are silent past interval and grace on every path, in the whole mesh as this node has applied it. NaN: this node doesn't know yet.", silent)
	judging := 0.0
	if c.r.supervision.Judging() {
		judging = 1
	}
	gauge("vedetta_supervision_judging", "1 while a majority of sites reports what it hears, so that silence can be told from an outage of ours.", judging)
	lag := prometheus.NewDesc("vedetta_follower_lag_seconds", "How long the follower has lacked an entry; 0 when it lacks none.", []string{"follower"}, nil)
	for name, l := range c.r.lags(time.Now()) {
		if l.Seconds != nil {
			out <- prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, *l.Seconds, name)
		}
	}
}
