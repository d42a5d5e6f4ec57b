package dc09

// Limits of what is read. They bound memory per connection, not panels: the
// longest length that the standard can write is 0FFF.
const (
	MaxBody    = 0xFFF                   // bytes between length and CR
	MaxFrame   = 1 + 4 + 4 + MaxBody + 1 // LF to CR in the longest form
	MaxToken   = 32                      // bytes between the quotes
	MaxGarbage = 1024                    // bytes skipped between two frames of one stream
)

const (
	lf = '\n'
	cr = '\r'
)

// Form is the way in which a frame carries its CRC.
type Form uint8

// Forms of the CRC.
const (
	ASCII   Form = iota // four hex digits, the standard's form
	Binary              // two bytes
	ASCIICR             // four hex digits; CRC and length count the CR too
)

// String returns the word that tools print.
func (f Form) String() string {
	switch f {
	case Binary:
		return "binary"
	case ASCIICR:
		return "ascii+cr"
	}
	return "ascii"
}
