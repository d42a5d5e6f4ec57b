package portal

import (
	"fmt"
	"slices"
	"time"

	"vedetta/wire/event"
	"vedetta/wire/roster"
)

// gap is a category of life safety whose alarms reach nobody.
type gap struct {
	Category  event.Category
	Panels    []string // ids; nil: all
	Sometimes bool     // they do, at some times or from some zones
}

// working are the channels that the nodes send by.
func working() []string { return []string{"email", "webpush", "webhook"} }

// gaps finds what a customer should know before it burns: for every panel and
// every category of life safety, whether at every minute of the week a rule
// that is not bound to zones, partitions or codes leads to an address. It
// judges by the same words as the nodes do (an empty list means all).
func gaps(d roster.Customer) []gap {
	addresses := map[string][]string{} // contact -> channels
	for _, c := range d.Contacts {
		for _, a := range c.Addresses {
			if slices.Contains(working(), a.Channel) {
				addresses[c.ID] = append(addresses[c.ID], a.Channel)
			}
		}
	}
	var useful []roster.Rule
	for _, r := range d.Rules {
		begins := len(r.Qualifiers) == 0 || slices.Contains(r.Qualifiers, string(event.New))
		if r.Enabled && begins && slices.ContainsFunc(r.Steps, func(s roster.Step) bool { return reaches(s, addresses) }) {
			useful = append(useful, r)
		}
	}
	var out []gap
	for _, c := range event.Categories() {
		if c.LifeSafety() {
			out = append(out, gapsOf(c, d.Panels, useful)...)
		}
	}
	return out
}

func reaches(s roster.Step, addresses map[string][]string) bool {
	fits := func(channels []string) bool {
		return slices.ContainsFunc(channels, func(c string) bool { return len(s.Channels) == 0 || slices.Contains(s.Channels, c) })
	}
	if len(s.Contacts) == 0 {
		for _, channels := range addresses {
			if fits(channels) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(s.Contacts, func(id string) bool { return fits(addresses[id]) })
}

// covered is how well a set of rules covers a week.
type covered int

const (
	never covered = iota
	sometimes
	always
)

func gapsOf(c event.Category, panels []roster.Panel, rules []roster.Rule) []gap {
	known := map[string]covered{} // by which rules apply
	found := map[covered][]string{}
	for _, p := range panels {
		var apply []roster.Rule
		key := ""
		for i, r := range rules {
			if (len(r.Panels) == 0 || slices.Contains(r.Panels, p.ID)) && (len(r.Categories) == 0 || slices.Contains(r.Categories, string(c))) {
				apply, key = append(apply, r), key+fmt.Sprint(i, " ")
			}
		}
		how, ok := known[key]
		if !ok {
			how = cover(apply)
			known[key] = how
		}
		found[how] = append(found[how], p.ID)
	}
	var out []gap
	for _, how := range []covered{never, sometimes} {
		if list := found[how]; len(list) == len(panels) && len(list) > 0 {
			out = append(out, gap{c, nil, how == sometimes})
		} else if len(list) > 0 {
			out = append(out, gap{c, list, how == sometimes})
		}
	}
	return out
}

const minutesOfDay = 24 * 60

func cover(rules []roster.Rule) covered {
	var week [7 * minutesOfDay]bool
	for _, r := range rules {
		if len(r.Partitions) > 0 || len(r.Zones) > 0 || len(r.Codes) > 0 {
			continue
		}
		from, to, whole := hours(r)
		for day := range 7 {
			if len(r.Days) > 0 && !slices.Contains(r.Days, day+1) {
				continue
			}
			length := minutesOfDay
			if !whole {
				length = (to - from + minutesOfDay) % minutesOfDay
			}
			for m := range length { // hours over midnight belong to the day they began on
				week[(day*minutesOfDay+from+m)%len(week)] = true
			}
		}
	}
	switch {
	case !slices.Contains(week[:], false):
		return always
	case len(rules) > 0:
		return sometimes
	}
	return never
}

// hours of a rule in minutes of the day; whole when it has none, or none that
// can be read: then it restricts nothing.
func hours(r roster.Rule) (from, to int, whole bool) {
	minute := func(s string) (int, bool) {
		if s == "24:00" {
			return minutesOfDay, true
		}
		t, err := time.Parse("15:04", s)
		return t.Hour()*60 + t.Minute(), err == nil
	}
	from, ok := minute(r.From)
	if r.From == "" {
		from, ok = 0, true
	}
	to, ok2 := minute(r.To)
	if r.To == "" {
		to, ok2 = minutesOfDay, true
	}
	if !ok || !ok2 || from == to || to-from == minutesOfDay {
		return 0, 0, true
	}
	return from, to, false
}
