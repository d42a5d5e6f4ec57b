package node

import (
	"encoding/hex"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/reception"
	"vedetta/node/status"
	"vedetta/node/strangers"
	"vedetta/node/supervision"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// certificateWarning is how long before its end a certificate is warned of.
const certificateWarning = 30 * 24 * time.Hour

// report gathers what /status shows. It only reads.
type report struct {
	cfg         Config
	self        mesh.Origin
	gate        *gate
	view        *agreement.View
	files       *journal.Journal
	copies      *replica.Replica
	raft        raftLog
	link        *link.Link
	alerts      *alerting.Follower
	supervision *supervision.Supervision
	panels      *reception.Reception
	guests      *strangers.Core
	rumours     rumours
	registry    prometheus.Gatherer
	history     *history
	started     time.Time
}

func (r report) now() status.Status {
	now := time.Now()
	v := r.gate.Verdict()
	copies := r.copies.Status()
	st := status.Status{
		Node: r.cfg.Node, Site: r.cfg.Site, PID: os.Getpid(), Ready: v.Ready, Reasons: v.Reasons, ListenersOpen: v.Open,
		LeaderOf: r.gate.leads(), Lags: r.lags(now), Version: version(), ClusterVersion: decision.Version,
		UptimeSeconds: now.Sub(r.started).Seconds(), Incarnation: r.self.String(), Marks: map[string]status.Mark{},
		CertificateExpires: stamp(r.link.CertificateExpires()), CertificateWarns: certificateWarning.Seconds(),
		Time: *stamp(now), Sites: r.sites(now), Shards: led(r.view.Shards()), Disk: r.disk(), Flush: flush(r.registry),
		Quarantined: []status.Isolation{}, DamagedFiles: []string{}, DecisionsUnheld: r.view.Unflushed(),
	}
	st.DiskFreeBytes = st.Disk.Free
	st.Gossip, st.Peers = r.peers(now, copies)
	st.Clock = status.Clock{Bound: clockBound.Seconds()}
	if slices.ContainsFunc(st.Peers, func(p status.Peer) bool { return p.Connected }) {
		st.Clock.Offset = new(r.gate.Offset().Seconds())
	}
	if name := r.raft.LeaderName(); name != "" {
		st.AgreementLeader = &name
	}
	if term, _ := r.raft.TermIndex(); term > 0 {
		st.AgreementTerm = &term
	}
	if seen := r.raft.LeaderSeen(); !seen.IsZero() {
		st.AgreementSeen = new(max(0, now.Sub(seen).Seconds()))
	}
	open, age := r.view.Oldest()
	st.Open, st.OldestOpen = open, age.Seconds()
	st.Supervision = status.Supervision{Panels: r.supervision.Panels(), Silent: r.view.CountSilent(), Judging: r.supervision.Judging()}
	for _, o := range copies.Origins {
		if o.Quarantined != "" {
			st.Quarantined = append(st.Quarantined, status.Isolation{Origin: o.Origin.String(), Why: o.Quarantined})
		}
	}
	if faults := r.gate.damaged.Load(); faults != nil {
		st.DamagedFiles = *faults
	}
	r.front(now, &st)
	durable := r.copies.Durables()
	for _, m := range r.files.Table() {
		st.Marks[m.Origin.String()] = status.Mark{Flushed: m.Mark, Durable: durable[m.Origin], Hash: hex.EncodeToString(m.Hash[:])}
	}
	return st
}

// lags are how far each follower is behind: the decisions, central, and the
// other nodes' copies of what this one holds.
func (r report) lags(now time.Time) map[string]status.Lag {
	entries, age := r.alerts.Lag(now)
	out := map[string]status.Lag{"alerting": {Entries: new(uint64(max(0, entries))), Seconds: new(age.Seconds())}}
	confirmed := r.view.Confirmed()
	var held, uplink uint64
	for o, mark := range r.files.Marks() {
		held += mark
		uplink += mark - min(mark, confirmed[o])
	}
	lacks := func(n uint64) status.Lag {
		return status.Lag{Entries: &n, Seconds: new(r.history.behind(now, held, n).Seconds())}
	}
	out["uplink"] = lacks(uplink)
	for name := range r.cfg.Mesh.Peers {
		out["peer "+name] = status.Lag{} // unknown until it was compared
	}
	for _, p := range r.copies.Status().Peers {
		out["peer "+p.Name] = lacks(p.Behind)
	}
	return out
}

// held counts the entries of all origins that this node holds.
func (r report) held() (n uint64) {
	for _, mark := range r.files.Marks() {
		n += mark
	}
	return n
}

func (r report) peers(now time.Time, copies replica.Status) (status.Gossip, []status.Peer) {
	gossip, hints := r.rumours.status()
	out := []status.Peer{}
	for _, p := range r.link.Status() {
		peer := status.Peer{Name: p.Name, Site: p.Site, Connected: p.Connected, CertificateExpires: stamp(p.CertificateExpires), Hint: hints[p.Name]}
		if p.Connected {
			peer.RTT, peer.ClockOffset = new(p.RTT.Seconds()), new(p.Offset.Seconds())
		} else if p.Problem != "" {
			peer.Problem = &p.Problem
		}
		if !p.LastAnswer.IsZero() {
			peer.LastAnswer = new(max(0, now.Sub(p.LastAnswer).Seconds()))
		}
		for _, c := range copies.Peers {
			if c.Name == p.Name {
				peer.Copies = &status.Copies{Counted: c.Counted, Behind: c.Behind, Ahead: c.Ahead}
			}
		}
		out = append(out, peer)
	}
	return gossip, out
}

func (r report) sites(now time.Time) []status.Site {
	reachable, configured := r.copies.Sites(now)
	out := []status.Site{}
	for _, name := range configured {
		site := status.Site{Name: name, Nodes: []string{}, Answered: slices.Contains(reachable, name)}
		for _, m := range r.view.Members() {
			if m.Site == name {
				site.Nodes = append(site.Nodes, m.Node)
			}
		}
		out = append(out, site)
	}
	return out
}

func (r report) disk() status.Disk {
	d := status.Disk{FloorShare: r.cfg.Journal.DiskFloor}
	if free, total, err := r.files.DiskFree(); err == nil && total > 0 {
		d.Free, d.Total, d.FreeShare = new(int64(free)), new(int64(total)), new(float64(free)/float64(total))
	}
	return d
}

// led says who leads which shards: nobody first, then by name.
func led(shards [agreement.Shards]agreement.Shard) []status.Led {
	by := map[string][]int{}
	for i, s := range shards {
		by[s.Holder.Node] = append(by[s.Holder.Node], i)
	}
	out := []status.Led{}
	for node, list := range by {
		l := status.Led{Count: len(list), Ranges: ranges(list)}
		if node != "" {
			l.Node = &node
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b status.Led) int {
		switch {
		case a.Node == nil:
			return -1
		case b.Node == nil || *a.Node > *b.Node:
			return 1
		}
		return -1
	})
	return out
}

// ranges writes rising numbers as "0-20", "33".
func ranges(list []int) []string {
	out := []string{}
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		text := strconv.Itoa(list[i])
		if j > i {
			text += "-" + strconv.Itoa(list[j])
		}
		out = append(out, text)
		i = j + 1
	}
	return out
}

// flush reads the journal's own histogram; nil before the first commit.
func flush(registry prometheus.Gatherer) *status.Flush {
	families, _ := registry.Gather() // what could be gathered is there
	for _, f := range families {
		if f.GetName() != "vedetta_journal_flush_seconds" || len(f.GetMetric()) == 0 {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() == 0 {
			return nil
		}
		out := &status.Flush{Count: h.GetSampleCount(), Mean: h.GetSampleSum() / float64(h.GetSampleCount())}
		for _, b := range slices.Backward(h.GetBucket()) {
			share := float64(b.GetCumulativeCount()) / float64(h.GetSampleCount())
			if share >= 0.5 {
				out.P50 = new(b.GetUpperBound())
			}
			if share >= 0.99 {
				out.P99 = new(b.GetUpperBound())
			}
		}
		return out
	}
	return nil
}

// stamp writes a time as the outside reads it; nil for the zero time.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// version is the program's, from the build information.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}
