package link

import "github.com/prometheus/client_golang/prometheus"

// collector shows the peers' status as metrics when they are asked for.
type collector struct{ e *endpoint }

func peerDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("vedetta_link_"+name, help, []string{"node"}, nil)
}

// Describe sends nothing: the metrics depend on the configured peers.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	connected := peerDesc("connected", "1 when the peer is connected.")
	rtt := peerDesc("rtt_seconds", "Latest round trip of a ping.")
	offset := prometheus.NewDesc("vedetta_clock_offset_seconds", "The peer's wall clock minus ours.", []string{"peer"}, nil)
	for _, s := range c.e.status() {
		up := 0.0
		if s.Connected {
			up = 1
			out <- prometheus.MustNewConstMetric(rtt, prometheus.GaugeValue, s.RTT.Seconds(), s.Name)
			out <- prometheus.MustNewConstMetric(offset, prometheus.GaugeValue, s.Offset.Seconds(), s.Name)
		}
		out <- prometheus.MustNewConstMetric(connected, prometheus.GaugeValue, up, s.Name)
	}
}
