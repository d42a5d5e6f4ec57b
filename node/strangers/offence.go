package strangers

// Offence is what a connection did that panels don't; its word is a metric's label
// and stands in the list of bans.
type Offence string

// Offences of connections.
const (
	Foreign   Offence = "not_dc09"         // another protocol: scanners, browsers
	Garbage   Offence = "garbage"          // bytes that lead nowhere
	HalfFrame Offence = "frame_timeout"    // a frame that began and never ended
	Mute      Offence = "said_nothing"     // held a place and said nothing until its time was over
	Crowd     Offence = "too_many_here"    // one more than a network may have open
	Handshake Offence = "handshake_failed" // TLS that was begun and not ended
	BadFrame  Offence = "bad_frame"        // a frame with a wrong CRC, or that can't be read
	BadKey    Offence = "wrong_key"        // a known account that was not shown to be its own: another key, or plain
	Unknown   Offence = "unknown_account"  // a good frame of an account that is nobody's
)

// Points: banAt and it is banned; leak is what a network loses in a minute. A panel
// that isn't entered yet, or has a wrong key, repeats every 5 to 60 seconds for
// hours: it must stay below.
const (
	banAt = 100.0
	leak  = 10.0
)

func (o Offence) points() float64 {
	switch o {
	case Foreign:
		return 30
	case Garbage, HalfFrame, Handshake:
		return 10
	case Mute:
		return 5
	case Crowd:
		return 1
	case BadFrame, BadKey:
		return 0.5
	case Unknown:
		return 0.2
	}
	return 0
}
