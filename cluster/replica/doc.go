// Package replica makes journals the same on all nodes and says what is durable
// at a majority of sites.
//
// It promises: own records leave for the peers before they are flushed here; a
// node that lags fetches from whoever is ahead, also a dead node's records from
// a third one (rule 5); a durable mark counts only what members of the
// configuration have flushed, by site, and never falls while the process lives.
// Where two nodes hold different histories of one origin, that origin is
// quarantined and an operator is told; nothing is deleted or overwritten.
//
// What decides is pure (Quorum, Reorder, planner); the shell carries it over
// the streams of package link. It knows nothing of what records carry.
// New registers with journal and link and starts nothing; goroutines live in
// Run and in link's connections.
//
// # Streams, version 1
//
// All integers are big endian. O is an origin's binary form (wire/mesh).
//
//	live      the opener's own records: 1 byte version, then frames
//	catch-up  opener: 1 byte version, O, 8 bytes first number wanted, 32 bytes
//	          running hash before it.
//	          Answer: 1 byte, 0 = frames up to the mark follow, then one without
//	          records; 1 = another history is here; 2 = quarantined here
//	marks     messages of the opener
//
//	frame     4 bytes count of records (at most 4096, 0 = end)
//	          4 bytes length of what follows
//	          count times: 4 bytes length, the record's bytes
//
//	message   4 bytes length of what follows
//	          1 byte version
//	          1 byte flags: bit 0 = the whole table, else only what moved
//	          1 byte length, disk id
//	          8 bytes number of the configuration (rule 29), 0 for now
//	          8 bytes Raft term, 8 bytes Raft index (rule 28)
//	          4 bytes count
//	          count times: O, 8 bytes mark, 32 bytes running hash there
package replica
