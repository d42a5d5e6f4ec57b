package node

import (
	"log/slog"
	"net/netip"
	"syscall"
	"time"

	"vedetta/node/status"
	"vedetta/node/strangers"
)

// bansShown bounds the list in /status; /bans has all.
const bansShown = 100

// front fills in what panels and strangers meet.
func (r report) front(now time.Time, st *status.Status) {
	st.Listeners, st.PanelCertificates = []status.Listener{}, []status.PanelCertificate{}
	for _, a := range r.panels.Addresses() {
		l := status.Listener{Name: a.Listener, Transport: a.Transport}
		if a.At.IsValid() {
			l.Address = new(a.At.String())
		}
		st.Listeners = append(st.Listeners, l)
	}
	for _, c := range r.panels.Certificates() {
		st.PanelCertificates = append(st.PanelCertificates, status.PanelCertificate{File: c.File, Names: c.Names, Expires: stamp(c.Expires)})
	}
	n := r.guests.Counts(now)
	st.Strangers = status.Strangers{Places: n.Places, Connections: n.Open, Unknown: n.Unknown, Known: n.Known, Banned: n.Banned}
	st.Bans = r.bans()
	st.Bans = st.Bans[:min(len(st.Bans), bansShown)]
}

// filesBesides are open files that a node needs for all but panels' connections:
// journals, links, mails and calls on their way.
const filesBesides = 1024

// places bounds the connections by what the process may open: without it a flood
// takes the last file that a journal needs.
func places(limits strangers.Config, files uint64, log *slog.Logger) strangers.Config {
	most := max(int(min(files, 1<<30))-filesBesides, int(min(files, 1<<30))/2)
	if limits.Connections > most {
		log.Warn("fewer connections than reception.limits.connections: the limit of open files is too low; raise it (LimitNOFILE in systemd, ulimit -n)",
			"connections", limits.Connections, "open_files", files, "taken", most)
		limits.Connections = most
	}
	return limits
}

// openFiles is how many files the process may have open; Go has raised it to the
// hard limit.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return l.Cur
}

// bans are all that are in force, the newest first.
func (r report) bans() []status.Ban {
	out := []status.Ban{}
	for _, b := range r.guests.Bans(time.Now()) {
		out = append(out, status.Ban{Address: b.Network.String(), Since: *stamp(b.Since), Until: *stamp(b.Until), Why: string(b.Why), Level: b.Level, Refused: b.Refused})
	}
	return out
}

// lift ends bans on an operator's word.
func lift(guests *strangers.Core) func(netip.Prefix) []string {
	return func(p netip.Prefix) []string {
		out := []string{}
		for _, n := range guests.Lift(p, time.Now()) {
			out = append(out, n.String())
		}
		return out
	}
}
