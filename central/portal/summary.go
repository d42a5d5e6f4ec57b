package portal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/wire/event"
	"vedetta/wire/roster"
)

// summary says a rule in plain words, such as "Furto e rapina, ogni giorno
// 22:00-06:00: e-mail e notifica push a Anna; dopo 5 minuti ...".
func (v *viewer) summary(r roster.Rule) string {
	l := v.lang
	parts := []string{l.Upper(v.matter(r))}
	if len(r.Panels) > 0 {
		var names []string
		for _, id := range r.Panels {
			names = append(names, v.panelName(id))
		}
		parts = append(parts, l.T("rule.from", l.List(names)))
	}
	for _, only := range []struct {
		key    string
		values []string
	}{{"rule.partitions", r.Partitions}, {"rule.zones", r.Zones}, {"rule.codes", r.Codes}} {
		if len(only.values) > 0 {
			parts = append(parts, l.N(only.key, len(only.values), l.List(only.values)))
		}
	}
	when := days(l, r.Days)
	if r.From != "" && r.To != "" {
		when += " " + r.From + "–" + r.To
	}
	return strings.Join(append(parts, when), ", ") + ": " + v.steps(r.Steps) + "."
}

// matter is what the rule is about.
func (v *viewer) matter(r roster.Rule) string {
	l := v.lang
	what := l.T("rule.everything")
	if n := len(r.Categories); n > 0 && n < len(event.Categories()) {
		var names []string
		for _, c := range event.Categories() {
			if slices.Contains(r.Categories, string(c)) {
				names = append(names, strings.ToLower(c.Name(l.Code)))
			}
		}
		what = l.List(names)
	}
	begins := len(r.Qualifiers) == 0 || slices.Contains(r.Qualifiers, string(event.New))
	switch ends := slices.Contains(r.Qualifiers, string(event.Restore)); {
	case begins && ends:
		return l.T("rule.with_restores", what)
	case ends:
		return l.T("rule.restores_only", what)
	case !begins:
		return l.T("rule.ongoing_only", what)
	}
	return what
}

func (v *viewer) steps(list []roster.Step) string {
	l := v.lang
	if len(list) == 0 {
		return l.T("rule.nobody")
	}
	var out []string
	for _, s := range list {
		by, to := l.T("rule.every_channel"), l.T("rule.everybody")
		if len(s.Channels) > 0 {
			var names []string
			for _, c := range s.Channels {
				names = append(names, l.Or("channel_in."+c, c))
			}
			by = l.List(names)
		}
		if len(s.Contacts) > 0 {
			var names []string
			for _, id := range s.Contacts {
				names = append(names, v.contactName(id))
			}
			to = l.List(names)
		}
		text := l.T("rule.step", by, to)
		if s.AfterSeconds > 0 {
			text = l.T("rule.step_after", l.Span(time.Duration(s.AfterSeconds)*time.Second), by, to)
		}
		if s.Repeat > 0 {
			text += " " + l.N("rule.repeated", s.Repeat)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func (v *viewer) panelName(id string) string {
	if n := v.names.Panels[id].Name; n != "" {
		return n
	}
	return v.lang.T("panel.deleted")
}

func (v *viewer) contactName(id string) string {
	if n := v.names.Contacts[id]; n != "" {
		return n
	}
	return v.lang.T("contact.deleted")
}

// days names the days of a rule, 1 Monday to 7 Sunday; three and more in a row
// as a range.
func days(l Language, list []int) string {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	if len(list) == 0 || len(list) == 7 {
		return l.T("rule.every_day")
	}
	name := func(d int) string { return l.T("weekday." + strconv.Itoa(d%7)) }
	var out []string
	for i := 0; i < len(list); {
		end := i
		for end+1 < len(list) && list[end+1] == list[end]+1 {
			end++
		}
		if end-i >= 2 {
			out = append(out, l.T("rule.day_range", name(list[i]), name(list[end])))
		} else {
			for _, d := range list[i : end+1] {
				out = append(out, name(d))
			}
		}
		i = end + 1
	}
	return l.List(out)
}
