package gossip

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	refused prometheus.Counter
	dropped prometheus.Counter
}

func newMetrics(r prometheus.Registerer, g *Gossip) (metrics, error) {
	m := metrics{
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "vedetta_gossip_refused_total", Help: "Words about nodes that aren't configured, or that can't be read."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "vedetta_gossip_log_dropped_total", Help: "Lines about gossip that were too many for the log."}),
	}
	return m, errors.Join(r.Register(m.refused), r.Register(m.dropped), r.Register(collector{g}))
}

// collector shows the hints when they are asked for.
type collector struct{ g *Gossip }

// Describe sends nothing: the metrics depend on the configured nodes.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	running := prometheus.NewDesc("vedetta_gossip_running", "1 when this node gossips.", nil, nil)
	alive := prometheus.NewDesc("vedetta_gossip_alive", "1 when gossip believes the node alive; a hint.", []string{"node"}, nil)
	st := c.g.Status()
	out <- prometheus.MustNewConstMetric(running, prometheus.GaugeValue, number(st.Running))
	for _, h := range st.Hints {
		out <- prometheus.MustNewConstMetric(alive, prometheus.GaugeValue, number(h.Alive), h.Node)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
