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

// newMetrics has a series for every channel and final state from the start, so
// that a rule over them is never without data.
func newMetrics(r prometheus.Registerer, channels []string) (*metrics, error) {
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_notifications_total", Help: "Notifications that came to a final state, as settled by this node.",
		}, []string{"channel", "state"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vedetta_notification_seconds", Help: "From the receipt of the message to the hand-over of a delivered notification.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 5, 10, 20, 60, 300, 3600},
		}, []string{"channel"}),
	}
	for _, c := range channels {
		m.seconds.WithLabelValues(c)
		for _, state := range []decision.State{decision.StateDelivered, decision.StateRefused, decision.StateUnknown, decision.StateCancelled, decision.StateExpired} {
			m.total.WithLabelValues(c, string(state))
		}
	}
	return m, errors.Join(r.Register(m.total), r.Register(m.seconds))
}

func (m *metrics) ended(channel string, state decision.State) {
	m.total.WithLabelValues(channel, string(state)).Inc()
}

func (m *metrics) took(channel string, d time.Duration) {
	m.seconds.WithLabelValues(channel).Observe(max(0, d).Seconds())
}
