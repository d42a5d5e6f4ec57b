package supervision

import (
	"fmt"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/event"
)

// codes of the events that tell of each bit: Contact ID's, standard VEDETTA.
var codes = []struct {
	bit  decision.Silent
	code string
}{
	{decision.SilentPrimary, "351"}, {decision.SilentAlternative, "352"}, {decision.SilentAll, "350"}, {decision.SilentNever, "354"},
}

// Events are what a change tells, in the language of the customer; none when
// the panel is no longer supervised.
func (c Change) Events(now time.Time, zone *time.Location, language string) []decision.Event {
	if !c.Supervised {
		return nil
	}
	var out []decision.Event
	for _, k := range codes {
		e := decision.Event{Index: len(out), Standard: string(event.Vedetta), Code: k.code, Category: string(event.Communication)}
		switch {
		case c.To&k.bit != 0 && c.From&k.bit == 0:
			e.Qualifier = string(event.New)
			e.Text = c.lastHeard(language, now, c.age(k.bit), zone)
		case c.From&k.bit != 0 && c.To&k.bit == 0:
			e.Qualifier = string(event.Restore)
		default:
			continue
		}
		out = append(out, e)
	}
	return out
}

// age is that of the last message on the paths that a bit is about.
func (c Change) age(b decision.Silent) time.Duration {
	primary, alternative := c.Heard[Primary], c.Heard[Alternative]
	switch {
	case b == decision.SilentPrimary:
		return primary
	case b == decision.SilentAlternative:
		return alternative
	case primary < 0 || alternative >= 0 && alternative < primary:
		return alternative
	}
	return primary
}

func (c Change) lastHeard(language string, now time.Time, age time.Duration, zone *time.Location) string {
	if age < 0 && c.Counted >= 0 {
		at := now.Add(-c.Counted).In(zone)
		if language == "en" {
			return fmt.Sprint("not heard since the restart at ", at.Format("2006-01-02 15:04:05 MST"), ", last heard before that is not known")
		}
		return fmt.Sprint("mai sentita dal riavvio del ", at.Format("02/01/2006 15:04:05 MST"), ", l'ultimo segnale prima non è noto")
	}
	if age < 0 {
		if language == "en" {
			return "not heard yet"
		}
		return "mai sentita finora"
	}
	at := now.Add(-age).In(zone)
	if language == "en" {
		return fmt.Sprint("last heard ", at.Format("2006-01-02 15:04:05 MST"))
	}
	return fmt.Sprint("ultimo segnale ", at.Format("02/01/2006 15:04:05 MST"))
}
