// Package dc09 reads and writes ANSI/SIA DC-09 frames, in two steps. A frame
// (CRC, length, token, sequence, receiver, prefix, account) can be read without
// a key; its content (data, extended data, timestamp) is opened with the
// account's. Bytes are never changed on the way: what an answer has to echo is
// echoed as it came, and the frame is kept whole as evidence.
//
// Panels are not canonical: each leniency names who needs it and leaves a Quirk.
// The package has no clock, no sockets and no goroutines. A Frame holds strings
// of its own and may be kept; a Content lies in the buffer given to Open.
//
// A frame, in the three forms that panels use (offsets from LF):
//
//	ascii      LF CCCC 0LLL "ID" seq [Rrcvr] Lpref [#acct] [ data ] [xdata]... [_time] CR
//	           0  1..4 5..8 9
//	binary     LF cc   0LLL "ID" ...                                                   CR
//	           0  1..2 3..6 7
//	ascii+cr   as ascii, but CRC and length also count the CR (Eldes)
//
// CCCC is CRC-16/ARC in hex, cc the same as two bytes, high byte first, which may
// be any bytes, CR and LF among them: a frame is cut by its length. CRC and length
// cover the bytes from the first quote to the last before CR.
//
// An encrypted frame ("*ID") has, after its first bracket, hex of AES-CBC with a
// zero vector over: pad, bar, data, "]", xdata, "_HH:MM:SS,MM-DD-YYYY". The pad has
// no bar and no bracket and makes the whole a multiple of 16.
package dc09
