package reception

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons of refusal besides those of dc09.BadFrame and of strangers.Refusal.
const (
	reasonFrameTime     = "frame_timeout"       // half a frame, then nothing
	reasonMute          = "said_nothing"        // no byte of a frame within StrangerTime
	reasonRoom          = "made_room"           // unknown the longest, closed for another
	reasonBuffered      = "too_many_buffered"   // a stranger's frame while the buffers are full
	reasonDatagrams     = "too_many_datagrams"  // dropped
	reasonLonger        = "answer_longer"       // no answer by UDP: it would be longer than the question
	reasonHandshake     = "handshake_failed"    // TLS: no common version or cipher, or we aren't trusted
	reasonHandshakeTime = "handshake_timeout"   // TLS begun and not ended
	reasonHandshakes    = "too_many_handshakes" // TLS: more than strangers may have per second
)

type metrics struct {
	refused     *prometheus.CounterVec
	foreign     *prometheus.CounterVec
	bans        *prometheus.CounterVec
	frames      *prometheus.CounterVec
	connections *prometheus.GaugeVec
}

func newMetrics() metrics {
	return metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_reception_refused_total",
			Help: "What came and was no frame, or was not taken, by reason.",
		}, []string{"reason"}),
		foreign: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_reception_foreign_total",
			Help: "What came and was another protocol, by its name.",
		}, []string{"protocol"}),
		bans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_bans_total",
			Help: "Networks that were banned, by the offence that led to it.",
		}, []string{"reason"}),
		frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_reception_frames_total",
			Help: "Frames with a good CRC, by listener and transport.",
		}, []string{"listener", "transport"}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "vedetta_reception_connections",
			Help: "Open connections, by listener and transport.",
		}, []string{"listener", "transport"}),
	}
}

func (m metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.refused, m.foreign, m.bans, m.frames, m.connections}
}

// collector shows what is asked for when it is asked.
type collector struct{ r *Reception }

// Describe sends nothing: certificates come and go.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64, labels ...string) {
		var keys []string
		if len(labels) > 0 {
			keys = []string{"certificate"}
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, keys, nil), prometheus.GaugeValue, v, labels...)
	}
	n := c.r.guests.Counts(time.Now())
	gauge("vedetta_bans", "Networks that are banned now.", float64(n.Banned))
	lenient := 0.0
	if n.Lenient {
		lenient = 1
	}
	gauge("vedetta_bans_lenient", "1 while a node that has just started bans nobody.", lenient)
	gauge("vedetta_reception_strangers", "Open connections that have not shown a known account so far.", float64(n.Unknown))
	for _, cert := range c.r.Certificates() {
		gauge("vedetta_panel_certificate_expires_seconds", "Until the certificate that panels are shown by TLS ends; negative when it has.",
			time.Until(cert.Expires).Seconds(), cert.File)
	}
}
