package reception

import "github.com/prometheus/client_golang/prometheus"

// Reasons of refusal besides those of dc09.BadFrame.
const (
	reasonFrameTime   = "frame_timeout"        // half a frame, then nothing
	reasonConnections = "too_many_connections" // closed at once
	reasonDatagrams   = "too_many_datagrams"   // dropped
)

type metrics struct {
	refused     *prometheus.CounterVec
	frames      *prometheus.CounterVec
	connections *prometheus.GaugeVec
}

func newMetrics() metrics {
	return metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_reception_refused_total",
			Help: "What came and was no frame, or was not taken, by reason.",
		}, []string{"reason"}),
		frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_reception_frames_total",
			Help: "Frames with a good CRC, by listener and transport.",
		}, []string{"listener", "transport"}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "vedetta_reception_connections",
			Help: "Open TCP connections, by listener.",
		}, []string{"listener"}),
	}
}
