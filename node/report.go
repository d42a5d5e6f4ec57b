package node

import (
	"encoding/hex"
	"os"
	"runtime/debug"
	"time"

	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/status"
	"vedetta/wire/mesh"
)

// report gathers what /status and /readyz show.
type report struct {
	cfg     Config
	self    mesh.Origin
	gate    *gate
	view    *agreement.View
	files   *journal.Journal
	copies  *replica.Replica
	raft    raftLog
	link    *link.Link
	alerts  *alerting.Follower
	started time.Time
}

func (r report) now() status.Status {
	v := r.gate.Verdict()
	st := status.Status{
		Node: r.cfg.Node, Site: r.cfg.Site, PID: os.Getpid(), Ready: v.Ready, Reasons: v.Reasons, ListenersOpen: v.Open,
		LeaderOf: r.gate.leads(), Peers: r.peers(), Lags: map[string]status.Lag{}, Version: version(), ClusterVersion: 1,
		UptimeSeconds: time.Since(r.started).Seconds(), Incarnation: r.self.String(), Marks: map[string]status.Mark{},
	}
	if name := r.raft.LeaderName(); name != "" {
		st.AgreementLeader = &name
	}
	if free, _, err := r.files.DiskFree(); err == nil {
		st.DiskFreeBytes = int64(free)
	}
	if end := r.link.CertificateExpires(); !end.IsZero() {
		text := end.UTC().Format(time.RFC3339)
		st.CertificateExpires = &text
	}
	entries, age := r.alerts.Lag(time.Now())
	st.Lags["alerting"] = status.Lag{Entries: uint64(max(0, entries)), Seconds: age.Seconds()}
	var uplink uint64
	confirmed := r.view.Confirmed()
	for _, m := range r.files.Table() {
		st.Marks[m.Origin.String()] = status.Mark{Flushed: m.Mark, Durable: r.copies.Durable(m.Origin), Hash: hex.EncodeToString(m.Hash[:])}
		uplink += m.Mark - min(m.Mark, confirmed[m.Origin])
	}
	st.Lags["uplink"] = status.Lag{Entries: uplink}
	for _, p := range r.copies.Status().Peers {
		st.Lags["peer "+p.Name] = status.Lag{Entries: p.Behind}
	}
	return st
}

func (r report) peers() []status.Peer {
	out := []status.Peer{}
	for _, p := range r.link.Status() {
		peer := status.Peer{Name: p.Name, Site: p.Site, Connected: p.Connected}
		if p.Connected {
			rtt, offset := p.RTT.Seconds(), p.Offset.Seconds()
			peer.RTT, peer.ClockOffset = &rtt, &offset
		}
		out = append(out, peer)
	}
	return out
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
