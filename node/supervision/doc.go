// Package supervision notices panels that have fallen silent (R3, rule 30):
// every node notes when it heard a panel, tells the others by digest, and judges
// the panels of the shards that it leads.
//
// What it promises: noting a message touches no disk, takes one short lock and
// costs the same with a million panels. A panel that any reporting node hears
// is never judged silent; one that nobody hears is, once, when its interval and
// grace have passed since it was last heard, our own outages left out. Verdicts
// are decisions of the agreement: raising twice is refused there.
//
// What it doesn't: it sends nothing (the steps it plans are claimed like any), and
// it remembers nothing over the restart of all nodes at once: then everything is
// counted from that start, and what was before is said not to be known.
//
// Core is stepped: no clock, no goroutine, no I/O; times come in as arguments
// and are measured by the monotonic clock. Supervision is the thin loop around
// it; its goroutines end with Run.
//
// # When a panel counts as silent
//
// A panel that nobody has heard since it came into the roster has a day
// (Config.NeverHeardAfter), and its interval and grace when these are longer; a
// node that restarts gives it another. That it may have been heard and forgotten
// counts where it stood in the roster before this process began and no node was in
// service before that, for longer than the panel may be silent: such a panel is
// judged as if it had been heard.
//
// A path is silent when interval and grace have passed between its base and the
// horizon. The horizon is the time up to which all nodes have reported that are
// not left out; a node is left out when it hasn't reported for LeaveOut, for
// then it can no longer be acknowledging. The base is the latest of
//
//	the last message on the path that any node heard; while nobody knows of one,
//	  the moment at which the panel came into the roster here, or, if that was
//	  later, was first heard on its other path
//	the moment at which its times were changed
//	the end of service of the node that heard it last, or the start of its
//	  present service, but no more than two intervals and graces after the above
//	the start of the service of the mesh: of the node that serves longest
//
// A node is in service while it is ready: else it acknowledges no poll. A path
// that was raised is restored by a message only, never by a later base.
//
// # Digest, version 1 (Core.Digest, Core.Take)
//
// Sent by every node to every other each second. Integers are unsigned varints
// unless sizes are given, ages are tenths of a second before the digest was made.
//
//	1  version, 1
//	1  flags: 1 whole: all that the sender knows, else what it heard since base
//	8  the sender's process, drawn at its start
//	   base: number of the last digest that this one goes on from, 0 when whole
//	   number of this digest, rising by one a second
//	   count of nodes, then of each, the sender's own first:
//	     length and name
//	     flags: 1 reports are known, 2 in service, 4 this digest covers them
//	     age of its last report
//	     for how long it has been in service, or out of it
//	   count of groups, then of each:
//	     path: 0 primary, 1 alternative
//	     index of the node that heard them
//	     age, at most that of the newest in the group
//	     count of panels, then their keys in rising order: the first, then differences
//	4  CRC32C of all bytes before it, big endian
//
// A panel's key is the first 56 bits of SHA-256 of its roster id; its first 6
// bits are the shard (rule 13). The answer is one byte: 0 taken, 1 send it whole.
package supervision
