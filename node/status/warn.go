package status

import (
	"slices"
	"strings"
	"time"
)

// Bounds beyond which the page warns, below those at which a node stops.
const (
	warnLag   = 10.0  // seconds a follower lacks an entry
	warnOpen  = 300.0 // seconds
	warnFlush = 0.5   // seconds of one flush in a hundred; 3 s ends the process
	warnClock = 0.5   // share of the bound
	warnDisk  = 1.5   // times the floor
)

// warnings are sentences that say what to look at and what to do, gravest first.
func warnings(st Status, w words) []string {
	out := []string{}
	say := func(when bool, key string, values ...any) {
		if when {
			out = append(out, w.t(key, values...))
		}
	}
	for _, f := range st.DamagedFiles {
		say(true, "warn.damaged", f)
	}
	for _, q := range st.Quarantined {
		say(true, "warn.quarantined", q.Origin, q.Why)
	}
	say(st.AgreementLeader == nil, "warn.no_leader")
	for _, l := range st.Shards {
		say(l.Node == nil, "warn.nobody_leads", l.Count)
	}
	answered := 0
	for _, s := range st.Sites {
		if s.Answered {
			answered++
		}
	}
	for _, s := range st.Sites {
		majority := answered > len(st.Sites)/2
		say(!s.Answered && majority, "warn.site", s.Name)
		say(!s.Answered && !majority, "warn.site_alone", s.Name)
	}
	for _, p := range st.Peers {
		if !p.Connected {
			say(true, "warn.peer", p.Name, w.duration(p.LastAnswer))
		}
		if !agrees(p) {
			say(p.Connected, "warn.gossip_dead", p.Name)
			say(!p.Connected, "warn.gossip_alive", p.Name)
		}
		say(p.Hint != nil && p.Hint.Version != st.Version, "warn.version", p.Name, version(p), st.Version)
		say(p.Connected && p.Copies != nil && !p.Copies.Counted, "warn.not_counted", p.Name)
		say(p.ClockOffset != nil && abs(*p.ClockOffset) > warnClock*st.Clock.Bound, "warn.peer_clock", p.Name, w.offset(p.ClockOffset))
		say(soon(st, p.CertificateExpires), "warn.peer_certificate", p.Name, w.day(st.Time, p.CertificateExpires))
	}
	say(soon(st, st.CertificateExpires), "warn.certificate", w.day(st.Time, st.CertificateExpires))
	for _, c := range st.PanelCertificates {
		say(soon(st, c.Expires), "warn.panel_certificate", c.File, w.day(st.Time, c.Expires))
	}
	say(st.Disk.FreeShare == nil, "warn.disk_unknown")
	say(st.Disk.FreeShare != nil && *st.Disk.FreeShare < warnDisk*st.Disk.FloorShare, "warn.disk", w.share(st.Disk.FreeShare), w.share(&st.Disk.FloorShare))
	say(st.Clock.Offset != nil && abs(*st.Clock.Offset) > warnClock*st.Clock.Bound, "warn.clock", w.offset(st.Clock.Offset), w.duration(&st.Clock.Bound))
	names := make([]string, 0, len(st.Lags))
	for name := range st.Lags {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l := st.Lags[name]
		say(l.Seconds != nil && *l.Seconds > warnLag, "warn.lag", w.follower(name), w.number(l.Entries), w.duration(l.Seconds))
	}
	say(st.OldestOpen > warnOpen, "warn.open", w.duration(&st.OldestOpen))
	say(st.Flush != nil && (st.Flush.P99 == nil || *st.Flush.P99 > warnFlush), "warn.flush")
	say(st.Gossip.Problem != nil, "warn.gossip_off", deref(st.Gossip.Problem))
	return out
}

// follower names a follower as people do.
func (w words) follower(name string) string {
	if peer, ok := strings.CutPrefix(name, "peer "); ok {
		return w.t("follower.peer", peer)
	}
	if key := "follower." + name; w.texts[key] != "" {
		return w.t(key)
	}
	return name
}

func version(p Peer) string {
	if p.Hint == nil {
		return ""
	}
	return p.Hint.Version
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func abs(v float64) float64 { return max(v, -v) }

// soon tells whether a certificate ends within the time in which it is warned of.
func soon(st Status, expires *string) bool {
	if expires == nil {
		return false
	}
	at, err1 := time.Parse(time.RFC3339, *expires)
	now, err2 := time.Parse(time.RFC3339, st.Time)
	return err1 == nil && err2 == nil && at.Sub(now).Seconds() < st.CertificateWarns
}
