// Package mesh holds the words that nodes exchange about one another's
// journals: the name of an origin, the place of an entry, the bytes of a record.
//
// It has no I/O and no clock, and knows nothing of alarms: what a record
// carries is sealed (package seal) and means something only to node and central.
//
// # Record, version 1
//
// A record is stored, hashed and passed on as these bytes (rule 4). All
// integers are big endian.
//
//	offset size
//	0      1    version, 1
//	1      1    kind: 1 message, 2 decision
//	2      1    length n of the node's name
//	3      n    node's name ("agreement" for the agreement's own origin)
//	3+n    8    incarnation counter, or generation
//	11+n   8    incarnation's random bits, 0 for the agreement
//	19+n   8    number within the origin, from 1
//	27+n   4    day: UTC days since 1970-01-01, given together with the number
//	31+n   1    shard, 0 to 63, or 255 for none
//	32+n   16   identity: keyed hash that finds copies, zero for none
//	48+n   4    length m of the sealed content
//	52+n   m    sealed content (package seal; associated data is bytes 0 to 48+n)
//	52+n+m 4    CRC32C of all bytes before it
//	56+n+m 32   running hash: SHA-256(running hash of number-1, all bytes before)
//
// Only origin, number, day, shard and identity stand outside the seal (rule 31).
// The running hash before number 1 is 32 zero bytes.
package mesh
