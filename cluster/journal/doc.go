// Package journal keeps every record of the mesh on this node's disk: its own
// and those of all other origins, in one bbolt file per UTC day.
//
// It promises: a number handed out is never used again (a new incarnation at
// every start); what was reported as flushed is flushed, without a gap, and is
// read back with its CRC checked; nothing is ever deleted or repaired by
// guessing. A commit that fails, or lasts more than three seconds, is final:
// Run returns and the process has to come back by recovery.
//
// It does not know what a record carries (it is sealed), and not who else has
// it (package replica). The caller owns the goroutine of Run; New calls start
// nothing. Outgoing and Flushed hooks run on the writer's goroutine and must
// not block.
//
// # The data folder, version 1
//
//	disk.json             {"version":1,"disk":"<32 hex digits>"}, made by Create, never changed
//	incarnation.json      {"version":1,"node":"arezzo","incarnation":3,"random":"<16 hex digits>"}
//	lock                  empty, held by flock while a process uses the folder
//	journal/2026-11-24.db bbolt, the records of one day (rule 2)
//
// # A day file, version 1
//
// All integers are big endian. O is an origin's binary form (wire/mesh).
//
//	bucket    key         value
//	meta      "version"   1 byte, 1
//	meta      "day"       4 bytes, the day
//	origins   O           8 bytes first number in this file, 32 bytes running hash
//	                      before it, 1 byte flags: bit 0 = the numbers may have a
//	                      hole, so the end of the run must be found by walking
//	"r"+O     8 bytes number  the record's bytes (wire/mesh)
//	seen      P O         8 bytes: the highest mark of O that P announced as its own
//	seen      P           16 bytes: Raft term and index that P announced
//
// P is a peer: 1 byte length and node name, 1 byte length and disk id. Every
// file holds the whole table of what was seen, so that old files can go.
package journal
