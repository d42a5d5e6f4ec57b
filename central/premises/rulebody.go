package premises

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vedetta/wire/event"
	"vedetta/wire/roster"
)

// Limits of rules.
const (
	maxRules    = 1_000 // of a customer
	maxList     = 1_000 // entries of a rule's list
	maxSteps    = 10
	maxAfter    = 47 * 3600 // a step lives 48 h at most (rule 14)
	maxRepeat   = 10
	maxContact  = 100 // named in a step
	channelList = "email, webpush, webhook"
)

var (
	qualifiers = []string{string(event.New), string(event.Restore), string(event.Ongoing)}
	// supported are the channels that something is sent by.
	supported = []string{channelEmail, channelPush, channelWebhook}
	later     = []string{"sms", "whatsapp", "voice"}
)

// RuleBody says which events go to which contacts, how and when (design.md
// section 7). An empty list means all; times are the premises'.
type RuleBody struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	Panels            []string   `json:"panels"`
	Partitions        []string   `json:"partitions"`
	Zones             []string   `json:"zones"`
	Categories        []string   `json:"categories"`
	Codes             []string   `json:"codes"`
	Qualifiers        []string   `json:"qualifiers"` // new in a new rule; empty becomes all three
	Days              []int      `json:"days"`       // 1 Monday to 7 Sunday
	From              *string    `json:"from"`       // HH:MM
	To                *string    `json:"to"`         // HH:MM; before From: until the next day
	Steps             []StepBody `json:"steps"`
	UntilAcknowledged bool       `json:"until_acknowledged"`
	Bundle            bool       `json:"bundle"`
	Enabled           bool       `json:"enabled"`
	State
}

// StepBody is one stage of escalation.
type StepBody struct {
	Contacts     []string `json:"contacts"`
	Channels     []string `json:"channels"`
	AfterSeconds int      `json:"after_seconds"` // counted from the event
	Repeat       int      `json:"repeat"`
}

type storedRule struct {
	roster.Rule
	record
}

// NewRule is what a new rule is before the customer says anything.
func NewRule() RuleBody {
	return RuleBody{Panels: []string{}, Partitions: []string{}, Zones: []string{}, Categories: []string{}, Codes: []string{},
		Qualifiers: []string{string(event.New)}, Days: []int{}, Steps: []StepBody{}, Enabled: true}
}

// Rules is a page of a customer's rules.
func (p *Premises) Rules(ctx context.Context, customer string, q Query) (Page[RuleBody], error) {
	return page(ctx, p, rules, customer, q, reading.rule)
}

// Rule is one rule of a customer, or ErrNone.
func (p *Premises) Rule(ctx context.Context, customer, id string) (RuleBody, error) {
	return one(ctx, p, rules, customer, id, reading.rule)
}

func (r reading) rule(f row) (RuleBody, error) {
	var s storedRule
	if err := json.Unmarshal(f.plain, &s); err != nil {
		return RuleBody{}, err
	}
	b := RuleBody{ID: f.id, Name: s.Name, Panels: some(s.Panels), Partitions: some(s.Partitions), Zones: some(s.Zones), Categories: some(s.Categories),
		Codes: some(s.Codes), Qualifiers: some(s.Qualifiers), Days: some(s.Days), From: hour(s.From), To: hour(s.To), Steps: []StepBody{},
		UntilAcknowledged: s.UntilAcknowledged, Bundle: s.Bundle, Enabled: s.Enabled, State: r.state(s.record, f.tag)}
	if len(b.Qualifiers) == 0 {
		b.Qualifiers = []string{string(event.New)} // as the nodes read it
	}
	for _, st := range s.Steps {
		b.Steps = append(b.Steps, StepBody{some(st.Contacts), some(st.Channels), st.AfterSeconds, st.Repeat})
	}
	w, err := r.ruleWarnings(s.Rule)
	b.Warnings = append(b.Warnings, w...)
	return b, err
}

func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func hour(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// ruleWarnings are what is legal but reaches less than it may seem.
func (r reading) ruleWarnings(v roster.Rule) (Faults, error) {
	var w Faults
	if !v.Enabled {
		w.Add("enabled", "rule_off")
	}
	named, err := r.named(v.Panels)
	if err != nil {
		return nil, err
	}
	if len(v.Panels) == 0 {
		var any bool
		if err := r.q.QueryRowContext(r.ctx, `SELECT EXISTS(SELECT 1 FROM panels WHERE customer_id = ?1)`, r.customer).Scan(&any); err != nil {
			return nil, fmt.Errorf("count panels: %w", err)
		}
		if !any {
			w.Add("panels", "no_panels")
		}
	}
	for i, z := range v.Zones {
		has := func(p roster.Panel) bool { return len(p.Zones) == 0 || ZoneName(p, z) != "" }
		if len(named) > 0 && !slices.ContainsFunc(named, has) {
			w.Add(fmt.Sprintf("zones[%d]", i), "zone_unnamed")
		}
	}
	for i, code := range v.Codes {
		if len(meanings(code)) == 0 {
			w.Add(fmt.Sprintf("codes[%d]", i), "code_unknown")
		}
	}
	list, err := r.contacts()
	if err != nil {
		return nil, err
	}
	for i, s := range v.Steps {
		if !reaches(s, list) {
			w.Add(fmt.Sprintf("steps[%d].channels", i), "nobody_reached")
			continue
		}
		for j, id := range s.Contacts {
			if !reaches(roster.Step{Contacts: []string{id}, Channels: s.Channels}, list) {
				w.Add(fmt.Sprintf("steps[%d].contacts[%d]", i, j), "contact_reached")
			}
		}
	}
	return w, nil
}

// named are the panels with these ids, as far as there are such.
func (r reading) named(ids []string) ([]roster.Panel, error) {
	var out []roster.Panel
	for _, id := range ids {
		p, ok, err := Panel(r.ctx, r.q, r.key, r.customer, id)
		if err != nil {
			return nil, fmt.Errorf("read panel: %w", err)
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// AddRule adds a rule; its id and state are ours.
func (c *Change) AddRule(b RuleBody) (RuleBody, error) {
	if err := c.room(rules, maxRules); err != nil {
		return b, err
	}
	b.ID = NewID()
	return c.saveRule(b)
}

// EditRule changes a rule by fn; with a tag it is ErrTag when the rule has
// changed since. What fn leaves as it was is not written.
func (c *Change) EditRule(id, tag string, fn func(*RuleBody) error) (RuleBody, error) {
	f, err := rules.one(c.ctx, c.tx, c.key, c.customer, id, tag)
	if err != nil {
		return RuleBody{}, err
	}
	before, err := c.reading().rule(f)
	if err != nil {
		return before, err
	}
	b, err := c.reading().rule(f) // another one: fn may change its lists in place
	if err != nil {
		return b, err
	}
	if err := fn(&b); err != nil {
		return b, err
	}
	if same(before, b) {
		return before, nil
	}
	b.ID = id
	return c.saveRule(b)
}

// DeleteRule removes a rule.
func (c *Change) DeleteRule(id, tag string) error {
	if _, err := rules.one(c.ctx, c.tx, c.key, c.customer, id, tag); err != nil {
		return err
	}
	return c.delete(rules, id)
}

func (c *Change) saveRule(b RuleBody) (RuleBody, error) {
	if len(b.Qualifiers) == 0 {
		b.Qualifiers = slices.Clone(qualifiers)
	}
	for i := range b.Codes {
		b.Codes[i] = strings.ToUpper(b.Codes[i])
	}
	f, err := c.ruleFaults(b)
	if err != nil {
		return b, err
	}
	if err := f.err(); err != nil {
		return b, err
	}
	v := roster.Rule{ID: b.ID, Name: b.Name, Panels: some(b.Panels), Partitions: some(b.Partitions), Zones: some(b.Zones), Categories: some(b.Categories),
		Codes: some(b.Codes), Qualifiers: b.Qualifiers, Days: some(b.Days), UntilAcknowledged: b.UntilAcknowledged, Bundle: b.Bundle, Enabled: b.Enabled}
	if b.From != nil && b.To != nil {
		v.From, v.To = *b.From, *b.To
	}
	for _, s := range b.Steps {
		v.Steps = append(v.Steps, roster.Step{Contacts: some(s.Contacts), Channels: some(s.Channels), AfterSeconds: s.AfterSeconds, Repeat: s.Repeat})
	}
	if err := c.PutRule(v); err != nil {
		return b, err
	}
	r, err := rules.one(c.ctx, c.tx, c.key, c.customer, b.ID, "")
	if err != nil {
		return b, err
	}
	return c.reading().rule(r)
}

var (
	hourForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	codeForm = regexp.MustCompile(`^([A-Z]{2}|[0-9A-F]{3}|[A-Z][A-Z_]{2,31})$`)
)

func (c *Change) ruleFaults(b RuleBody) (Faults, error) {
	var f Faults
	f.name("name", b.Name, true)
	f.list("panels", b.Panels, "no_panel", func(id string) bool {
		var has bool
		err := c.tx.QueryRowContext(c.ctx, `SELECT EXISTS(SELECT 1 FROM panels WHERE customer_id = ?1 AND id = ?2)`, c.customer, id).Scan(&has)
		return err == nil && has
	})
	f.list("partitions", b.Partitions, "zone_form", zoneForm.MatchString)
	f.list("zones", b.Zones, "zone_form", zoneForm.MatchString)
	var known []string
	for _, v := range event.Categories() {
		known = append(known, string(v))
	}
	f.oneOf("categories", b.Categories, known)
	f.oneOf("qualifiers", b.Qualifiers, qualifiers)
	f.list("codes", b.Codes, "code_form", codeForm.MatchString)
	if len(f) == 0 {
		for i, code := range b.Codes {
			if !occurs(code, b.Categories, b.Qualifiers) {
				f.Add(fmt.Sprintf("codes[%d]", i), "code_never")
			}
		}
	}
	seen := map[int]bool{}
	for i, d := range b.Days {
		if d < 1 || d > 7 {
			f.Add(fmt.Sprintf("days[%d]", i), "range", 1, 7)
		} else if seen[d] {
			f.Add(fmt.Sprintf("days[%d]", i), "twice")
		}
		seen[d] = true
	}
	f.hours(b.From, b.To)
	list, err := c.contacts()
	if err != nil {
		return f, err
	}
	f.steps(b.Steps, list)
	return f, nil
}

func (f *Faults) hours(from, to *string) {
	switch {
	case from == nil && to == nil:
	case from == nil || !hourForm.MatchString(*from):
		f.Add("from", "time_form")
	case to == nil || !hourForm.MatchString(*to) && *to != "24:00":
		f.Add("to", "time_form")
	case *from == *to:
		f.Add("to", "time_empty")
	}
}

func (f *Faults) steps(steps []StepBody, list []roster.Contact) {
	if len(steps) == 0 {
		f.Add("steps", "no_steps")
	}
	if len(steps) > maxSteps {
		f.Add("steps", "too_many", maxSteps)
		return
	}
	last := 0
	for i, s := range steps {
		at := fmt.Sprintf("steps[%d].", i)
		n := len(*f)
		f.list(at+"contacts", s.Contacts, "no_contact", func(id string) bool {
			return slices.ContainsFunc(list, func(c roster.Contact) bool { return c.ID == id })
		})
		if len(s.Contacts) > maxContact {
			f.Add(at+"contacts", "too_many", maxContact)
		}
		for j, ch := range s.Channels {
			field := fmt.Sprintf("%schannels[%d]", at, j)
			switch {
			case slices.Contains(later, ch):
				f.Add(field, "channel_unsupported")
			case !slices.Contains(supported, ch):
				f.Add(field, "one_of", channelList)
			case slices.Contains(s.Channels[:j], ch):
				f.Add(field, "twice")
			case len(*f) == n && !reaches(roster.Step{Contacts: s.Contacts, Channels: []string{ch}}, list):
				f.Add(field, "nobody_reached")
			}
		}
		if len(*f) == n && !reaches(roster.Step{Contacts: s.Contacts, Channels: s.Channels}, list) {
			f.Add(at+"contacts", "nobody_reached")
		}
		switch {
		case s.AfterSeconds < 0 || s.AfterSeconds > maxAfter:
			f.Add(at+"after_seconds", "range", 0, maxAfter)
		case s.AfterSeconds < last:
			f.Add(at+"after_seconds", "step_order")
		default:
			last = s.AfterSeconds
		}
		if s.Repeat < 0 || s.Repeat > maxRepeat {
			f.Add(at+"repeat", "range", 0, maxRepeat)
		}
	}
}

func (f *Faults) list(field string, list []string, code string, ok func(string) bool) {
	if len(list) > maxList {
		f.Add(field, "too_many", maxList)
		return
	}
	seen := map[string]bool{}
	for i, v := range list {
		if !ok(v) {
			f.Add(fmt.Sprintf("%s[%d]", field, i), code)
		} else if seen[v] {
			f.Add(fmt.Sprintf("%s[%d]", field, i), "twice")
		}
		seen[v] = true
	}
}

func (f *Faults) oneOf(field string, list, known []string) {
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(known, v) {
			f.Add(at, "one_of", strings.Join(known, ", "))
		} else if slices.Contains(list[:i], v) {
			f.Add(at, "twice")
		}
		if i > maxList {
			return
		}
	}
}

// reaches tells whether a step has an address to send to, as the nodes plan it.
func reaches(s roster.Step, list []roster.Contact) bool {
	return slices.ContainsFunc(list, func(c roster.Contact) bool {
		return (len(s.Contacts) == 0 || slices.Contains(s.Contacts, c.ID)) && slices.ContainsFunc(c.Addresses, func(a roster.Address) bool {
			return slices.Contains(supported, a.Channel) && (len(s.Channels) == 0 || slices.Contains(s.Channels, a.Channel))
		})
	})
}

// meanings are the rows of a code in both tables.
func meanings(code string) []event.Row {
	var out []event.Row
	for _, s := range []event.Standard{event.SIA, event.CID} {
		if r, ok := event.Lookup(s, code); ok {
			out = append(out, r)
		}
	}
	return out
}

// occurs tells whether an event with the code can be matched by a rule with
// these categories and qualifiers, by the nodes' way of matching: other goes
// where alarms go. Our own codes are in no table and may have any.
func occurs(code string, categories, qualifiers []string) bool {
	rows := meanings(code)
	if len(rows) == 0 {
		rows = []event.Row{{Category: event.Other}}
		if len(code) > 3 {
			return true
		}
	}
	return slices.ContainsFunc(rows, func(r event.Row) bool {
		category := len(categories) == 0 || slices.Contains(categories, string(r.Category)) || r.Category == event.Other && slices.ContainsFunc(categories, alarm)
		// SIA codes are one qualifier each, those of Contact ID come with any.
		return category && (r.Qualifier == "" || slices.Contains(qualifiers, string(r.Qualifier)))
	})
}

func alarm(category string) bool {
	switch event.Category(category) {
	case event.Burglary, event.Water, event.Tamper:
		return true
	}
	return event.Category(category).LifeSafety()
}

// rules are the customer's.
func (c *Change) rules() ([]roster.Rule, error) {
	var list []roster.Rule
	err := bodies(c.ctx, c.tx, c.key, "rule:", `SELECT id, sealed_body FROM rules WHERE customer_id = ?1 ORDER BY created_ms, id`, c.customer, &list)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return list, nil
}
