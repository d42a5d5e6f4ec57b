package replica

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/wire/mesh"
)

// Status is how replication stands, for pages.
type Status struct {
	Peers   []PeerStatus   `json:"peers"`
	Origins []OriginStatus `json:"origins"`
}

// PeerStatus is how one peer stands against us.
type PeerStatus struct {
	Name      string      `json:"name"`
	Site      string      `json:"site"`
	Disk      string      `json:"disk"`
	Connected bool        `json:"connected"`
	Counted   bool        `json:"counted"` // its marks count for the quorum
	Behind    uint64      `json:"behind"`  // entries that we have and it lacks
	Ahead     uint64      `json:"ahead"`   // entries that it has and we lack
	Lags      []OriginLag `json:"lags"`    // only origins that differ
}

// OriginLag is one origin at us and at a peer.
type OriginLag struct {
	Origin mesh.Origin `json:"origin"`
	Ours   uint64      `json:"ours"`
	Theirs uint64      `json:"theirs"`
}

// OriginStatus is one origin's marks.
type OriginStatus struct {
	Origin      mesh.Origin `json:"origin"`
	Mark        uint64      `json:"mark"`
	Durable     uint64      `json:"durable"`
	Quarantined string      `json:"quarantined"` // why, or empty
}

// Status tells how every peer and every origin stands.
func (r *Replica) Status() Status {
	marks := r.journal.Marks()
	r.mu.Lock()
	defer r.mu.Unlock()
	st := Status{Peers: []PeerStatus{}, Origins: []OriginStatus{}}
	origins := map[mesh.Origin]bool{}
	for o := range marks {
		origins[o] = true
	}
	for _, p := range r.peers {
		for o := range p.marks {
			origins[o] = true
		}
	}
	for o := range origins {
		st.Origins = append(st.Origins, OriginStatus{o, marks[o], r.quorum.Durable(o), r.quarantined[o]})
	}
	slices.SortFunc(st.Origins, func(a, b OriginStatus) int { return a.Origin.Compare(b.Origin) })
	for _, p := range r.peers {
		ps := PeerStatus{Name: p.name, Site: p.site, Disk: p.disk, Connected: p.connected, Counted: r.quorum.Counted(p.name, p.disk), Lags: []OriginLag{}}
		for _, o := range st.Origins {
			theirs := p.marks[o.Origin]
			if theirs == o.Mark {
				continue
			}
			if theirs > o.Mark {
				ps.Ahead += theirs - o.Mark
			} else {
				ps.Behind += o.Mark - theirs
			}
			ps.Lags = append(ps.Lags, OriginLag{o.Origin, o.Mark, theirs})
		}
		st.Peers = append(st.Peers, ps)
	}
	slices.SortFunc(st.Peers, func(a, b PeerStatus) int { return cmp.Compare(a.Name, b.Name) })
	return st
}

// Quarantined returns why origins are quarantined; a node with any is not ready.
func (r *Replica) Quarantined() map[mesh.Origin]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[mesh.Origin]string{}
	for o, why := range r.quarantined {
		all[o] = why
	}
	return all
}

// Sites returns the configured sites and those of them that answered within the
// last 2 s, ours among them; only nodes whose marks count make a site reachable.
func (r *Replica) Sites(now time.Time) (reachable, configured []string) {
	answered := map[string]bool{r.cfg.Node: true}
	for _, s := range r.link.Status() {
		answered[s.Name] = s.Connected && !s.LastAnswer.IsZero() && now.Sub(s.LastAnswer) <= answerTimeout
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, site := range r.sites {
		if slices.ContainsFunc(r.members, func(m Member) bool { return m.Site == site && answered[m.Node] && r.answers(m) }) {
			reachable = append(reachable, site)
		}
	}
	return reachable, slices.Clone(r.sites)
}

// answers tells whether a member's disk is the one that answers now. Needs mu.
func (r *Replica) answers(m Member) bool {
	if m.Node == r.cfg.Node {
		return m.Disk == r.journal.DiskID()
	}
	p := r.peers[m.Node]
	return p != nil && p.disk == m.Disk && r.quorum.Counted(m.Node, m.Disk)
}

// Majority tells whether a majority of the configured sites is reachable.
func (r *Replica) Majority(now time.Time) bool {
	reachable, configured := r.Sites(now)
	return len(reachable) > len(configured)/2
}

type metrics struct {
	regressions, dropped, caughtUp prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, r *Replica) (metrics, error) {
	m := metrics{
		regressions: prometheus.NewCounter(prometheus.CounterOpts{Name: "vedetta_replica_regressions_total", Help: "Times a peer came back with less than it had acknowledged."}),
		dropped:     prometheus.NewCounter(prometheus.CounterOpts{Name: "vedetta_replica_live_dropped_total", Help: "Records left to catch-up because a peer was too slow."}),
		caughtUp:    prometheus.NewCounter(prometheus.CounterOpts{Name: "vedetta_replica_caught_up_total", Help: "Records fetched from peers by catch-up."}),
	}
	quarantined := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedetta_replica_quarantined_origins", Help: "Origins whose histories differ between nodes."},
		func() float64 { return float64(len(r.Quarantined())) })
	sites := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedetta_quorum_sites", Help: "Configured sites that answered within the last 2 s, ours among them."},
		func() float64 { reachable, _ := r.Sites(time.Now()); return float64(len(reachable)) })
	var errs []error
	for _, c := range []prometheus.Collector{m.regressions, m.dropped, m.caughtUp, quarantined, sites} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
