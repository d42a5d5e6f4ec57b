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
// # Record, version 1 (EncodeRecord, DecodeRecord)
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
// A verdict whose entry is its own record's place tells of a panel that fell
// silent or is heard again (Supervise, rule 30): it has no message.
package decision
