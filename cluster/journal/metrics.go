package journal

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	flush prometheus.Histogram
	batch prometheus.Histogram
	free  prometheus.GaugeFunc
	all   []prometheus.Collector
}

func newMetrics(j *Journal) metrics {
	m := metrics{
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vedetta_journal_flush_seconds", Help: "Time of one commit of the journal, all its day files included.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vedetta_journal_batch_records", Help: "Records in one commit of the journal.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		free: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vedetta_disk_free_bytes", Help: "Free space of the file system that holds the data folder.",
		}, func() float64 {
			free, _, err := j.DiskFree()
			if err != nil {
				return 0
			}
			return float64(free)
		}),
	}
	m.all = []prometheus.Collector{m.flush, m.batch, m.free}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	var errs []error
	for _, c := range m.all {
		errs = append(errs, r.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) unregister(r prometheus.Registerer) {
	for _, c := range m.all {
		r.Unregister(c)
	}
}
