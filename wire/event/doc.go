// Package event turns the data of a DC-09 message into events: what happened,
// where, with its meaning in Italian and English and its category. It knows the
// grammars of SIA-DCS (DC-03 blocks) and ADM-CID (Contact ID) and both complete
// code tables, which are the text files in codes/.
//
// Parse never refuses: a message that was accepted says something, and what can't
// be read is one event of category other with its bytes as text, so that it is
// routed like an alarm. A code's own row decides about category, never a mapping to
// the other table. No I/O and no clock; the tables are read once, at first use.
package event
