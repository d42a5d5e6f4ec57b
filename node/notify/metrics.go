package notify

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/wire/decision"
)

type metrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_notifications_total", Help: "Notifications that came to a final state, as settled by this node.",
		}, []string{"channel", "state"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vedetta_notification_seconds", Help: "From the receipt of the message to the hand-over of a delivered notification.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 5, 10, 20, 60, 300, 3600},
		}, []string{"channel"}),
	}
	return m, errors.Join(r.Register(m.total), r.Register(m.seconds))
}

func (m *metrics) ended(channel string, state decision.State) {
	m.total.WithLabelValues(channel, string(state)).Inc()
}

func (m *metrics) took(channel string, d time.Duration) {
	m.seconds.WithLabelValues(channel).Observe(max(0, d).Seconds())
}
