// Package agreement is the state machine under the mesh's Raft log: who leads
// which shard, how far each shard has decided, every planned notification with
// its claims and outcomes, the customers' keys and roster documents, and a clock
// of its own (rule 20).
//
// State is pure: it is stepped by Apply, reads no clock, draws nothing and does
// no I/O, so that every node that applies the same log holds the same state and
// writes the same records, byte for byte, to the agreement's own origin in its
// own day files (rule 16). FSM is the thin shell between hashicorp/raft and the
// journal; View is what everybody on the node reads. It starts no goroutine.
//
// It does not propose, elect or time anything (node/leadership), and decides
// nothing that a command doesn't carry: alerting plans, the state only checks.
//
// # Records
//
// One record holds one customer and is sealed by that customer's key as it
// stands in the state; what is nobody's, or a destroyed customer's, by the key
// of the agreement clock's day. A command without the key it needs is refused
// (day_key), so the leader puts a day's key before the day begins. Plain verdicts
// of one customer share a record, a run, which belongs to no shard and has no
// identity outside its seal; a customer's decisions keep their order. What a log
// holds in an earlier form gives that form's records, at every build.
//
// # Snapshot, version 1 (State.Snapshot, Restore)
//
//	offset size
//	0      1    version, 1
//	1      8    length n of the body, big endian
//	9      n    body: JSON of image (snapshot.go), lists sorted by key
//	9+n    4    CRC32C of all bytes before it
//
// Equal states give equal bytes. A snapshot holds wrapped keys, so it lies in
// Raft's folder only and in no backup (rule 32).
//
// # What is kept, and how long by the agreement's clock
//
//	open notifications      48 h, then expired (rule 14)
//	final states            48 h, for late outcomes and doubles (rule 18)
//	identity windows        15 min after the last copy, two per identity (rule 11)
//	proposals with results  10 min after the first try (rule 19)
//	ids of destroyed keys and customers   for good: an id is never used again
//	silent panels           until they are heard again or supervised no more (rule 30)
//	day keys                until a Destroy of the day (journal.retention_days)
package agreement
