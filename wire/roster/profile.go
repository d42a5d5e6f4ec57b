package roster

// Path is a panel's second way to the receivers, told apart by what its
// messages say: each of the last three that is set must fit. It is judged by
// its own times while the primary path is good, and by the primary's while it
// is not (EN 50136-1: the alternative is checked faster then).
type Path struct {
	PollSeconds  int    `json:"poll_seconds"`
	GraceSeconds int    `json:"grace_seconds"`
	Transport    string `json:"transport,omitempty"` // tcp, udp or tls; empty: any
	Prefix       string `json:"prefix,omitempty"`    // digits after L; empty: any
	Receiver     string `json:"receiver,omitempty"`  // digits after R; empty: any
}

// Profile is a category of EN 50136-1:2012+A1:2018. Its reporting time, the
// longest time from a path's fault to its report, is interval and grace
// together; how it is split between the two is ours: a panel may be late by a
// fifth of the interval, or an hour at most of one beyond a day.
type Profile struct {
	Name                      string
	Poll, Grace               int // seconds, primary path
	AlternativePoll, AltGrace int // seconds, 0: a single path
}

// Profiles are all of them. The figures are those of the reference (dc09.md,
// section 8.1): SP1, SP5, SP6 and DP3 stand there from memory.
func Profiles() []Profile {
	const minute, hour, day = 60, 3600, 24 * 3600
	return []Profile{
		{Name: "SP1", Poll: 31 * day, Grace: day},                                                      // 32 d
		{Name: "SP2", Poll: day, Grace: hour},                                                          // 25 h
		{Name: "SP3", Poll: 25 * minute, Grace: 5 * minute},                                            // 30 min
		{Name: "SP4", Poll: 150, Grace: 30},                                                            // 3 min
		{Name: "SP5", Poll: 75, Grace: 15},                                                             // 90 s
		{Name: "SP6", Poll: 15, Grace: 5},                                                              // 20 s
		{Name: "DP1", Poll: day, Grace: hour, AlternativePoll: 2 * day, AltGrace: 2 * hour},            // 25 h, 50 h
		{Name: "DP2", Poll: 25 * minute, Grace: 5 * minute, AlternativePoll: day, AltGrace: hour},      // 30 min, 25 h
		{Name: "DP3", Poll: 150, Grace: 30, AlternativePoll: day, AltGrace: hour},                      // 3 min, 25 h
		{Name: "DP4", Poll: 75, Grace: 15, AlternativePoll: 4*hour + 30*minute, AltGrace: 30 * minute}, // 90 s, 5 h
	}
}

// ProfileOf finds a profile by its name.
func ProfileOf(name string) (Profile, bool) {
	for _, p := range Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}
