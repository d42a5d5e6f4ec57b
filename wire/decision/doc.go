// Package decision is what the nodes decide together: the commands that go
// through the agreement's log, and the records that the agreement writes to its
// own origin when it applies them (rule 16).
//
// It has no I/O and no clock. A command is made once, by its proposer, and then
// passed on as bytes. A record is made anew by every node and must come out as
// the same bytes, so EncodeRecord is a canonical form of our own: it depends on
// no library's choice of escapes, and a change of it is a new version (rule 4).
//
// # Command, version 1 (EncodeCommand, DecodeCommand)
//
// Integers are big endian.
//
//	offset size
//	0      1    version, 1
//	1      1    kind (Kind...; numbers are never used again)
//	2      16   proposal id (rule 19); zero only for Tick and Confirm, which repeat harmlessly
//	18     8    first try: Unix milliseconds by the proposer's clock; age counts from here
//	26     4    length n of the body
//	30     n    body: JSON of the command's struct; an unknown field is an error (ErrForm)
//	30+n   4    CRC32C of all bytes before it
//
// # Command, version 2
//
// As version 1, but for version 2 in the first byte and a body in the binary
// form. DecideShards is written so: number of decisions, then of each shard (1),
// epoch, holder, roster, number of moves, of each origin, from, to; number of
// entries, of each a verdict.
//
// # Record, version 1 (EncodeRecord, DecodeRecords)
//
// The plaintext that seal.Seal puts inside a mesh record of kind decision:
//
//	{"v":1,"clock":1795474800000,"customer":"c1","part":1,"verdict":{...}}
//
// JSON without spaces. Fields stand in the order of the structs in record.go
// and command.go, with their omitempty and omitzero; bytes are standard base64
// with padding; in strings only quote, backslash and U+0000 to U+001F are
// escaped, the first two by a backslash, the others as \u00xx in lower case; a
// byte that is no UTF-8 becomes U+FFFD. Exactly one of verdict, claimed,
// settled, destroyed is there. A verdict that is too long for one record is
// followed by records that carry the rest: part 1, 2, ..., with the same entry
// and ruling, more of the events, and when they are all there, of the plan.
//
// # Record, version 2: a run (EncodeRun, DecodeRecords)
//
// Several plain verdicts of one customer; a reader sees single decisions. What
// is not plain (Verdict.Plain) stands in a record of version 1.
//
//	offset size
//	0      1    version, 2
//	1      1    1: a run
//	2           clock; customer, a text; number of verdicts; each as below, without its customer
//
// # Binary form
//
// Equal values give equal bytes. Numbers are varints of encoding/binary in their
// shortest form, signed ones in zigzag. Text: its length, then UTF-8; what is
// none is written as U+FFFD. Word: the number of a text that was written before
// or is known; 0: it follows as a text and gets the next number, 1: empty, from 2
// on knownWords in their order, then those of this command or record. Origin: 0
// none, 1 mesh.Origin.Append follows and gets the next number, from 2 on those
// before. Position: origin, number. Times are signed differences: a receive time
// to that of the verdict before, others to the verdict's own.
//
//	verdict       bits (1): identity 1, copy of 2, fresh 4, late 8, events 16, plan 32;
//	              entry, a position; customer and panel, words; identity: length, bytes;
//	              receive time; sequence; ruling, a word; copy of, a position;
//	              events: their number, each; plan: its length, each
//	event         bits (1): panel time 1, extended data 2; index; words: standard, code,
//	              qualifier, category, partition, zone, zone name, user; text;
//	              panel time; extended data: how many, each a text
//	notification  bits (1): urgent 1, claimed 2; id, a text; words: event, contact,
//	              channel, address, rule; step; repetition; due time
//
// A verdict whose entry is its own record's place tells of a panel that fell
// silent or is heard again (Supervise, rule 30): it has no message.
package decision
