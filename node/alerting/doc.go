// Package alerting makes events out of what panels sent, and plans whom to
// tell: it follows all journals up to their durable marks, finds copies, matches
// rules and has the agreement decide, for the shards that this node leads.
//
// It promises that every durable entry of a led shard is decided once, in
// batches that are accepted or refused as a whole, and that every step of every
// plan is claimed when it is due and handed to package notify, which sends. It
// decides nothing before the agreement's own decisions have been read back up
// to the epoch in which it leads (rule 16).
//
// What decides is stepped, without goroutine, clock or I/O: Copies (rules 10
// to 12), Plan (rule 14), Decode. The Follower is the thin loop around them;
// its goroutines live as long as its Run.
package alerting
