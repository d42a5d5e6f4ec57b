package reconcile

import "time"

// Config of reconcile; zero fields are refused, see WithDefaults.
type Config struct {
	EverySeconds     int `koanf:"every_seconds"`     // between two passes
	LagSeconds       int `koanf:"lag_seconds"`       // how long central or a roster may be behind before it is a case
	SilentSeconds    int `koanf:"silent_seconds"`    // how long a node may be silent or behind
	UndecidedSeconds int `koanf:"undecided_seconds"` // how long a durable entry may be without a decision
	OverdueSeconds   int `koanf:"overdue_seconds"`   // how long a notification may be past its time without an outcome
	StuckSeconds     int `koanf:"stuck_seconds"`     // how long a decision may wait to be applied
	SweepRows        int `koanf:"sweep_rows"`        // old rows looked at again in each pass: what the slow round costs
	MaxCases         int `koanf:"max_cases"`         // live cases; more are not taken up
	KeepDays         int `koanf:"keep_days"`         // how long closed cases are kept
}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	for _, f := range []struct {
		to    *int
		value int
	}{{&c.EverySeconds, 60}, {&c.LagSeconds, 60}, {&c.SilentSeconds, 300}, {&c.UndecidedSeconds, 120}, {&c.OverdueSeconds, 120},
		{&c.StuckSeconds, 60}, {&c.SweepRows, 2000}, {&c.MaxCases, 10_000}, {&c.KeepDays, 90}} {
		if *f.to == 0 {
			*f.to = f.value
		}
	}
	return c
}

// Wrong lists the keys whose values can't be used: all want 1 or more.
func (c Config) Wrong() (keys []string) {
	for _, f := range []struct {
		key   string
		value int
	}{{"every_seconds", c.EverySeconds}, {"lag_seconds", c.LagSeconds}, {"silent_seconds", c.SilentSeconds}, {"undecided_seconds", c.UndecidedSeconds},
		{"overdue_seconds", c.OverdueSeconds}, {"stuck_seconds", c.StuckSeconds}, {"sweep_rows", c.SweepRows}, {"max_cases", c.MaxCases}, {"keep_days", c.KeepDays}} {
		if f.value < 1 {
			keys = append(keys, f.key)
		}
	}
	return keys
}

func (c Config) bounds() Bounds {
	s := func(n int) time.Duration { return time.Duration(n) * time.Second }
	return Bounds{Lag: s(c.LagSeconds), Silent: s(c.SilentSeconds), Undecided: s(c.UndecidedSeconds), Overdue: s(c.OverdueSeconds), Stuck: s(c.StuckSeconds)}
}
