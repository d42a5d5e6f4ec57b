package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/roster"
)

func contacts() []roster.Contact {
	return []roster.Contact{
		{ID: "ann", Addresses: []roster.Address{{ID: "a1", Channel: "email"}, {ID: "a2", Channel: "webhook"}}},
		{ID: "bob", Addresses: []roster.Address{{ID: "b1", Channel: "email"}, {ID: "b2", Channel: "webpush"}, {ID: "b3", Channel: "webpush"}, {ID: "b4", Channel: "voice"}}},
	}
}

func step(contacts, channels string, after, repeat int) roster.Step {
	return roster.Step{Contacts: strings.Fields(contacts), Channels: strings.Fields(channels), AfterSeconds: after, Repeat: repeat}
}

// said spells a plan: due seconds, contact, channel, address, step, repetition.
func said(plan []decision.Notification, now time.Time) string {
	var out []string
	for _, n := range plan {
		s := fmt.Sprintf("%d %s %s %s %d", (n.DueMs-now.UnixMilli())/1000, n.Contact, n.Channel, n.Address, n.Step)
		if n.Repetition > 0 {
			s += fmt.Sprintf(" r%d", n.Repetition)
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestRule14_whole_plan(t *testing.T) {
	all := roster.Rule{ID: "r", Enabled: true}
	with := func(steps ...roster.Step) roster.Rule { r := all; r.Steps = steps; return r }
	for name, c := range map[string]struct {
		rules    []roster.Rule
		category string
		late     time.Duration
		want     string
	}{
		"no rule":                   {nil, "burglary", 0, ""},
		"one contact, one channel":  {[]roster.Rule{with(step("ann", "email", 0, 0))}, "burglary", 0, "0 ann email a1 0"},
		"no contacts means all":     {[]roster.Rule{with(step("", "email", 0, 0))}, "burglary", 0, "0 ann email a1 0; 0 bob email b1 0"},
		"no channels means all":     {[]roster.Rule{with(step("ann", "", 0, 0))}, "burglary", 0, "0 ann email a1 0; 0 ann webhook a2 0"},
		"two phones are two":        {[]roster.Rule{with(step("bob", "webpush", 0, 0))}, "burglary", 0, "0 bob webpush b2 0; 0 bob webpush b3 0"},
		"order of the step":         {[]roster.Rule{with(step("bob ann", "webhook email", 0, 0))}, "burglary", 0, "0 bob email b1 0; 0 ann webhook a2 0; 0 ann email a1 0"},
		"an erased contact":         {[]roster.Rule{with(step("eve ann", "email", 0, 0))}, "burglary", 0, "0 ann email a1 0"},
		"escalation and repetition": {[]roster.Rule{with(step("ann", "email", 0, 1), step("bob", "email", 60, 0))}, "burglary", 0, "0 ann email a1 0; 60 bob email b1 1; 300 ann email a1 0 r1"},
		"several rules, one address at one step": {[]roster.Rule{with(step("ann", "email", 30, 0)), with(step("ann", "email webhook", 10, 0))}, "burglary", 0,
			"10 ann email a1 0; 10 ann webhook a2 0"},
		"the same address at two steps is two": {[]roster.Rule{with(step("ann", "email", 0, 0), step("ann", "email", 60, 0))}, "burglary", 0, "0 ann email a1 0; 60 ann email a1 1"},
		"over an hour late":                    {[]roster.Rule{with(step("bob", "voice email", 0, 2), step("ann", "email", 60, 0))}, "burglary", 2 * time.Hour, "0 bob email b1 0"},
		"over an hour late, life safety":       {[]roster.Rule{with(step("bob", "voice", 0, 0), step("ann", "email", 60, 0))}, "fire", 2 * time.Hour, "0 bob voice b4 0; 60 ann email a1 1"},
		"no step lies beyond 48 hours":         {[]roster.Rule{with(step("ann", "email", 1_000_000, 0))}, "burglary", 0, "169200 ann email a1 0"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := roster.Customer{ID: "c", Contacts: contacts(), Rules: c.rules, Panels: []roster.Panel{{ID: "pan"}}}
			l := rosters.Load(doc)
			now := start.Add(c.late)
			p := Planned{ID: "arezzo.1-0000000000000007.1.0", Event: decision.Event{Category: c.category, Qualifier: "new"}, Received: start}
			plan := Plan(p, l, &l.Doc.Panels[0], now)
			if got := said(plan, now); got != c.want {
				t.Errorf("plan: %s\nwant: %s", got, c.want)
			}
			for _, n := range plan {
				if n.ID != decision.NotificationID(n) || n.Urgent != LifeSafety(c.category) || n.Rule != "r" || n.Claimed {
					t.Errorf("notification %+v", n)
				}
			}
		})
	}
}

func TestRulesMatch(t *testing.T) {
	e := decision.Event{Code: "BA", Category: "burglary", Qualifier: "new", Partition: "1", Zone: "007"}
	// 24 November 2026 is a Tuesday; 12:00 UTC is 13:00 in Rome.
	for name, c := range map[string]struct {
		change func(*roster.Rule, *decision.Event, *roster.Panel)
		at     time.Time
		want   bool
	}{
		"all":                  {func(*roster.Rule, *decision.Event, *roster.Panel) {}, start, true},
		"not enabled":          {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Enabled = false }, start, false},
		"panel":                {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Panels = []string{"pan"} }, start, true},
		"other panel":          {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Panels = []string{"two"} }, start, false},
		"partition with zeros": {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Partitions = []string{"01"} }, start, true},
		"other partition":      {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Partitions = []string{"2"} }, start, false},
		"zone without zeros":   {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Zones = []string{"7"} }, start, true},
		"no zone in the event": {func(r *roster.Rule, e *decision.Event, _ *roster.Panel) { r.Zones, e.Zone = []string{"0"}, "" }, start, false},
		"category":             {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Categories = []string{"fire", "burglary"} }, start, true},
		"other category":       {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Categories = []string{"fire"} }, start, false},
		"other is like an alarm": {func(r *roster.Rule, e *decision.Event, _ *roster.Panel) {
			r.Categories, e.Category = []string{"fire"}, "other"
		}, start, true},
		"other is like no trouble": {func(r *roster.Rule, e *decision.Event, _ *roster.Panel) {
			r.Categories, e.Category = []string{"trouble"}, "other"
		}, start, false},
		"code without case":       {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Codes = []string{"ba"} }, start, true},
		"other code":              {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Codes = []string{"FA"} }, start, false},
		"restores by default not": {func(_ *roster.Rule, e *decision.Event, _ *roster.Panel) { e.Qualifier = "restore" }, start, false},
		"restores when named": {func(r *roster.Rule, e *decision.Event, _ *roster.Panel) {
			r.Qualifiers, e.Qualifier = []string{"new", "restore"}, "restore"
		}, start, true},
		"day":           {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Days = []int{2} }, start, true},
		"other day":     {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.Days = []int{1, 3, 4, 5, 6, 7} }, start, false},
		"hours in Rome": {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.From, r.To = "13:00", "13:01" }, start, true},
		"hours elsewhere": {func(r *roster.Rule, _ *decision.Event, p *roster.Panel) {
			r.From, r.To, p.TimeZone = "13:00", "13:01", "UTC"
		}, start, false},
		"the end is outside":      {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.From, r.To = "12:00", "13:00" }, start, false},
		"only from":               {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.From = "13:00" }, start, true},
		"only to":                 {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.To = "13:00" }, start, false},
		"what can't be read":      {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.From, r.To = "noon", "13:00" }, start, true},
		"over midnight, evening":  {night(2), start.Add(10 * time.Hour), true}, // Tuesday 23:00
		"over midnight, morning":  {night(2), start.Add(16 * time.Hour), true}, // Wednesday 05:00 belongs to Tuesday
		"over midnight, next day": {night(3), start.Add(16 * time.Hour), false},
		"over midnight, day":      {night(2), start, false},
		"summer time": {func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) { r.From, r.To = "14:00", "14:01" },
			time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), true},
	} {
		t.Run(name, func(t *testing.T) {
			r, e, p := roster.Rule{Enabled: true}, e, roster.Panel{ID: "pan"}
			c.change(&r, &e, &p)
			if got := matches(&r, &p, e, localTime(&p, c.at)); got != c.want {
				t.Errorf("matches: %v, want %v", got, c.want)
			}
		})
	}
}

func night(days ...int) func(*roster.Rule, *decision.Event, *roster.Panel) {
	return func(r *roster.Rule, _ *decision.Event, _ *roster.Panel) {
		r.Days, r.From, r.To = days, "22:00", "06:00"
	}
}

func TestPlanIsStable(t *testing.T) {
	doc := roster.Customer{ID: "c", Contacts: contacts(), Panels: []roster.Panel{{ID: "pan"}},
		Rules: []roster.Rule{{ID: "r", Enabled: true, Steps: []roster.Step{step("", "", 0, 1), step("", "", 60, 0)}}}}
	l := rosters.Load(doc)
	p := Planned{ID: "e", Event: decision.Event{Category: "fire", Qualifier: "new"}, Received: start}
	first := Plan(p, l, &l.Doc.Panels[0], start)
	if len(first) != 18 {
		t.Fatalf("%d notifications, want 18", len(first))
	}
	if again := Plan(p, l, &l.Doc.Panels[0], start); !slices.Equal(first, again) {
		t.Error("a second plan differs from the first")
	}
}
