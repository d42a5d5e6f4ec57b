package alerting

import (
	"cmp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // premises' zones must not depend on the machine

	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/roster"
)

// Limits of a plan.
const (
	RepeatEvery = 5 * time.Minute // between repetitions of a step
	MaxRepeat   = 10
	LongLate    = time.Hour      // beyond: no calls and no escalation but for life safety (rule 6)
	LastDue     = 47 * time.Hour // a step lives 48 h at most (rule 14)
)

// Planned is what Plan is asked about.
type Planned struct {
	ID       string // event id (decision.EventID)
	Event    decision.Event
	Received time.Time // corrected receive time: rules' days and hours are judged by it
}

// Plan says who is to be told of an event, by which channel and when: every
// step and repetition (rule 14), due by the agreement's clock now, a step's
// after_seconds counted from now. One address is told once per step, however
// many rules say so. An event that no rule matches gives an empty plan.
func Plan(p Planned, c *rosters.Loaded, panel *roster.Panel, now time.Time) []decision.Notification {
	if len(c.Doc.Rules) == 0 {
		return nil
	}
	urgent := LifeSafety(p.Event.Category)
	late := now.Sub(p.Received) > LongLate && !urgent
	local := localTime(panel, p.Received)
	byID := make(map[string]int)
	var plan []decision.Notification
	for i := range c.Doc.Rules {
		rule := &c.Doc.Rules[i]
		if !matches(rule, panel, p.Event, local) {
			continue
		}
		for step, s := range rule.Steps {
			if late && step > 0 {
				break
			}
			repeats := min(max(s.Repeat, 0), MaxRepeat)
			if late {
				repeats = 0
			}
			for repetition := range repeats + 1 {
				after := time.Duration(max(s.AfterSeconds, 0))*time.Second + time.Duration(repetition)*RepeatEvery
				due := now.Add(min(after, LastDue)).UnixMilli()
				for _, to := range recipients(c, s) {
					if late && to.channel == "voice" {
						continue
					}
					n := decision.Notification{Event: p.ID, Contact: to.contact, Channel: to.channel, Address: to.address,
						Rule: rule.ID, Step: step, Repetition: repetition, DueMs: due, Urgent: urgent}
					n.ID = decision.NotificationID(n)
					if at, had := byID[n.ID]; !had {
						byID[n.ID] = len(plan)
						plan = append(plan, n)
					} else if due < plan[at].DueMs {
						plan[at].DueMs, plan[at].Rule = due, rule.ID
					}
				}
			}
		}
	}
	slices.SortStableFunc(plan, func(a, b decision.Notification) int { return cmp.Compare(a.DueMs, b.DueMs) })
	return plan
}

type recipient struct{ contact, channel, address string }

// recipients of a step, in the order in which it names contacts and channels.
func recipients(c *rosters.Loaded, s roster.Step) []recipient {
	contacts := s.Contacts
	if len(contacts) == 0 {
		for i := range c.Doc.Contacts {
			contacts = append(contacts, c.Doc.Contacts[i].ID)
		}
	}
	var out []recipient
	for _, id := range contacts {
		contact, ok := c.Contact(id)
		if !ok {
			continue // erased since the rule was written
		}
		channels := s.Channels
		if len(channels) == 0 {
			channels = channelsOf(contact)
		}
		for _, channel := range channels {
			for _, a := range contact.Addresses {
				if a.Channel == channel {
					out = append(out, recipient{id, a.Channel, a.ID})
				}
			}
		}
	}
	return out
}

func channelsOf(c *roster.Contact) []string {
	var out []string
	for _, a := range c.Addresses {
		if !slices.Contains(out, a.Channel) {
			out = append(out, a.Channel)
		}
	}
	return out
}

// matches tells whether the rule is about this event; an empty list means all.
func matches(r *roster.Rule, panel *roster.Panel, e decision.Event, local time.Time) bool {
	qualifiers := r.Qualifiers
	if len(qualifiers) == 0 {
		qualifiers = []string{"new"}
	}
	return r.Enabled &&
		(len(r.Panels) == 0 || slices.Contains(r.Panels, panel.ID)) &&
		oneOfNumbers(r.Partitions, e.Partition) &&
		oneOfNumbers(r.Zones, e.Zone) &&
		oneOfCategories(r.Categories, e.Category) &&
		(len(r.Codes) == 0 || slices.ContainsFunc(r.Codes, func(c string) bool { return strings.EqualFold(c, e.Code) })) &&
		slices.Contains(qualifiers, e.Qualifier) &&
		within(r, local)
}

func oneOfNumbers(want []string, number string) bool {
	return len(want) == 0 || number != "" && slices.ContainsFunc(want, func(w string) bool {
		return strings.EqualFold(rosters.TrimZeros(w), rosters.TrimZeros(number))
	})
}

// oneOfCategories routes "other", which unknown codes are, like an alarm: to
// every rule that is about alarms.
func oneOfCategories(want []string, category string) bool {
	return len(want) == 0 || slices.Contains(want, category) ||
		category == "other" && slices.ContainsFunc(want, alarm)
}

func alarm(category string) bool {
	return LifeSafety(category) || category == "burglary" || category == "water" || category == "tamper"
}

// LifeSafety tells whether a category goes before all others.
func LifeSafety(category string) bool {
	switch category {
	case "fire", "medical", "panic", "holdup", "duress", "gas":
		return true
	}
	return false
}

// within tells whether the premises' time lies in the rule's days and hours.
// Hours over midnight belong to the day they began on. What can't be read
// restricts nothing: an alert too many is better than one too few.
func within(r *roster.Rule, local time.Time) bool {
	from, fromOK := minuteOfDay(r.From, 0)
	to, toOK := minuteOfDay(r.To, 24*60)
	minute := local.Hour()*60 + local.Minute()
	day := local
	if fromOK && toOK && from != to {
		switch {
		case from < to && (minute < from || minute >= to):
			return false
		case from > to && minute < from && minute >= to:
			return false
		case from > to && minute < to:
			day = local.AddDate(0, 0, -1)
		}
	}
	weekday := (int(day.Weekday())+6)%7 + 1 // 1 Monday to 7 Sunday
	return len(r.Days) == 0 || slices.Contains(r.Days, weekday)
}

func minuteOfDay(s string, empty int) (int, bool) {
	if s == "" {
		return empty, true
	}
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}

// DefaultTimeZone is the premises' zone when the panel names none.
const DefaultTimeZone = "Europe/Rome"

func localTime(p *roster.Panel, t time.Time) time.Time {
	name := p.TimeZone
	if name == "" {
		name = DefaultTimeZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		zone = time.UTC // central refuses names that don't exist
	}
	return t.In(zone)
}
