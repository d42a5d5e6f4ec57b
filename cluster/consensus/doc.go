// Package consensus gives the mesh one order of decisions: hashicorp/raft over
// the link, its log in raft-wal behind LogStore, its snapshots in files.
//
// It promises: what Propose reports as done is flushed at a majority of voters
// and applied here; ErrUnknown means just that; a server's id and address are
// both "node/diskid", and a stream that is meant for another id is refused; a
// node whose folder is new or holds less than its peers have seen neither votes
// nor founds a mesh (rule 28); after CompactForErasure nothing that was destroyed
// before can be found in the folder, whenever it is interrupted (rule 32).
// A failed or hanging (3 s) write of the log ends Run with an error: the caller
// ends the process. Some failures inside raft panic; that is the same.
//
// It does not know what is decided, who should be a member, or when: the methods
// for members are carried out for a leader that decided so. Goroutines belong to
// Run and, below it, to raft.
//
// # Folder
//
//	log-00000003/       raft-wal's segments and its wal-meta.db (term and vote);
//	                    the highest number is the log, lower ones are being removed
//	log-00000004.new/   a compaction that was not finished: removed at start
//	snapshots/          raft.FileSnapshotStore, one kept
//
// A record of the log is raft-wal's binary form; its Extensions end with a CRC32C,
// big endian, of index, term, type (8, 8, 1 bytes), length of the extensions
// before it (8), these extensions and the data. It is checked at every read.
//
// # Streams and calls
//
// A stream of purpose raft begins with
//
//	0 1  version 1   1 1  length n   2 n  target id   2+n 1  length m   3+n m  own id
//
// and goes on with raft's own messages. The call "consensus.seen" asks what was
// seen of the caller: {} is answered by
//
//	{"site":"roubaix","seen":[{"disk":"..","term":4,"index":120,"marks":{"arezzo.1-..":17}}]}
package consensus
