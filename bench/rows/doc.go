// Package rows is the table of what real panels send (the 36 rows of quirks that
// this project's reference collects), each row a test with its number, through the
// sockets of a receiver whose reception, intake, roster, journal and replica are the
// real ones. Frames are written and answers read by the tests' own few lines, so
// that the codec isn't judged by itself.
//
// Rows 30, 31 and 33 are about strangers and stand in node/reception. The package
// holds tests only.
package rows
