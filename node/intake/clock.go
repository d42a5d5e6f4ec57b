package intake

import (
	"sync"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/roster"
)

// clock is how a panel's times are read.
type clock struct {
	behind, ahead time.Duration
	open          bool           // any time is taken
	zone          *time.Location // the panel writes local time; nil: UTC, as the standard wants
}

// clockOf is the panel's, by its settings.
func (in *Intake) clockOf(p *roster.Panel, set *roster.Reception) clock {
	c := clock{behind: in.cfg.Behind, ahead: in.cfg.Ahead, open: set.NoWindow}
	if set.BehindSeconds > 0 {
		c.behind = time.Duration(set.BehindSeconds) * time.Second
	}
	if set.AheadSeconds > 0 {
		c.ahead = time.Duration(set.AheadSeconds) * time.Second
	}
	if set.LocalTime {
		c.zone = in.zones.load(p.TimeZone)
	}
	return c
}

// read makes the content's time UTC. Of the two times that an hour has when summer
// time ends, the nearer to now is meant.
func (c clock) read(content *dc09.Content, now time.Time) {
	if c.zone == nil || content.Stamp != dc09.StampGood {
		return
	}
	wall := content.Time
	year, month, day := wall.Date()
	hour, minute, second := wall.Clock()
	best := time.Date(year, month, day, hour, minute, second, 0, c.zone).UTC()
	for _, other := range []time.Time{best.Add(-time.Hour), best.Add(time.Hour)} {
		if c.wall(other).Equal(wall) && other.Sub(now).Abs() < best.Sub(now).Abs() {
			best = other
		}
	}
	content.Time = best
}

// wall is what the panel's clock should show at t, as if it were UTC. Answers carry
// it: a panel that takes the time of an answer for its own must get its own.
func (c clock) wall(t time.Time) time.Time {
	if c.zone == nil {
		return t.UTC()
	}
	_, offset := t.In(c.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// stale tells whether the panel's time lies outside the window. A plain message
// without a timestamp, or with one that is no date, passes (reference rows 17, 27).
func (c clock) stale(content dc09.Content, encrypted bool, now time.Time) bool {
	if c.open {
		return false
	}
	switch content.Stamp {
	case dc09.StampGood:
		return content.Time.Before(now.Add(-c.behind)) || content.Time.After(now.Add(c.ahead))
	case dc09.StampBad:
		return encrypted
	}
	return false
}

// zones are the time zones that were read; one that can't be is nil, which is UTC.
type zones struct{ m sync.Map }

func (z *zones) load(name string) *time.Location {
	if l, ok := z.m.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "" {
		l = nil
	}
	z.m.Store(name, l)
	return l
}
