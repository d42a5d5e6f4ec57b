package portal

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/premises"
	"vedetta/wire/event"
)

// ruleForm is the page to add or edit a rule.
type ruleForm struct {
	*form
	New                      bool
	ID                       string
	Summary                  string // of what is stored
	Warnings                 []string
	Name                     input
	Enabled                  bool
	Categories, Qualifiers   ticks
	Panels, Days             ticks
	From, To                 input
	Partitions, Zones, Codes input
	Narrow                   bool // partitions, zones or codes are given: shown unfolded
	Steps                    []stepForm
	StepsFault               []string
	Contacts                 bool // there is somebody to be told
	AnyPanel                 bool
}

// maxTicks is how many panels a form lists; of more, it lists the rule's own.
const maxTicks = 500

type stepForm struct {
	Number             int
	Legend             string
	Contacts, Channels ticks
	After, Repeat      input
	Only               bool // the only one: can't be removed
}

func stepField(i int, part string) string { return fmt.Sprintf("steps[%d].%s", i, part) }

func (p *Portal) oneRule(v visit) (premises.RuleBody, error) {
	b, err := p.premises.Rule(v.r.Context(), v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, premises.ErrNone) {
		err = errNotFound
	}
	return b, err
}

// newRule proposes what most people want: everything that is wrong, at once,
// to everybody.
func (p *Portal) newRule(v visit) error {
	b := premises.NewRule()
	for _, c := range event.Categories() {
		if group(c) != "quiet" {
			b.Categories = append(b.Categories, string(c))
		}
	}
	b.Steps = []premises.StepBody{{}}
	return p.showRule(v, "", "", ruleValues(b), premises.RuleBody{}, nil)
}

func (p *Portal) rule(v visit) error {
	b, err := p.oneRule(v)
	if err != nil {
		return err
	}
	return p.showRule(v, b.ID, b.Tag, ruleValues(b), b, nil)
}

// saveRule adds a rule or, with an id in the path, changes one.
func (p *Portal) saveRule(v visit) error {
	ctx, id, values := v.r.Context(), v.r.PathValue("id"), v.r.PostForm
	var had, saved premises.RuleBody
	if id != "" {
		var err error
		if had, err = p.oneRule(v); err != nil {
			return err
		}
	}
	tag := values.Get("tag")
	if action := values.Get("action"); action != "" { // another step, or one less
		changeSteps(values, action)
		return p.showRule(v, id, tag, values, had, nil)
	}
	err := p.premises.Edit(ctx, time.Now(), v.user.Customer, func(c *premises.Change) (err error) {
		if id == "" {
			b := premises.NewRule()
			ruleOf(values, &b)
			saved, err = c.AddRule(b)
			return err
		}
		saved, err = c.EditRule(id, tag, func(b *premises.RuleBody) error { ruleOf(values, b); return nil })
		return err
	})
	if errors.Is(err, premises.ErrNone) {
		return errNotFound
	}
	if err != nil {
		return p.showRule(v, id, tag, values, had, err)
	}
	p.await(ctx, v, saved.Revision)
	if id == "" {
		return v.to("/rules", "added")
	}
	return v.to("/rules", "saved")
}

func (p *Portal) showRule(v visit, id, tag string, values url.Values, had premises.RuleBody, err error) error {
	action := "/rules"
	if id != "" {
		action += "/" + id
	}
	f, handled := newForm(v.lang, action, tag, values, err)
	if !handled {
		return err
	}
	if f.Conflict {
		f.Tag, f.stored = had.Tag, ruleValues(had)
	}
	view, failed := p.viewer(v.r.Context(), v.lang, v.user.Customer)
	if failed != nil {
		return failed
	}
	c := ruleForm{form: f, New: id == "", ID: id, Enabled: values.Get("enabled") != "", Warnings: warnings(v.lang, had.Warnings), Contacts: len(view.names.Contacts) > 0, AnyPanel: len(view.names.Panels) > 0}
	if id != "" {
		c.Summary = view.summary(rosterRule(had))
	}
	c.Name = f.input(input{Name: "name", Label: "rule.name", Hint: "rule.name_hint", Required: true, Autocomplete: "off"})
	c.Categories = f.ticks("categories", "rule.categories", "rule.categories_hint", false, categoryTicks(v.lang))
	c.Qualifiers = f.ticks("qualifiers", "rule.qualifiers", "", false, v.qualifierTicks())
	var all []tick
	hint := "rule.panels_hint"
	for _, d := range view.choices("", values["panels"]...) {
		if len(view.names.Panels) <= maxTicks || slices.Contains(values["panels"], d.Value) {
			all = append(all, tick{Value: d.Value, Label: d.Name, Detail: d.Detail})
		}
	}
	if len(all) < len(view.names.Panels) {
		hint = "rule.panels_many"
	}
	c.Panels = f.ticks("panels", "rule.panels", hint, false, all)
	c.Days = f.ticks("days", "rule.days", "rule.days_hint", true, dayTicks(v.lang))
	c.From = f.input(input{Name: "from", Label: "rule.from_time", Type: "time"})
	c.To = f.input(input{Name: "to", Label: "rule.to_time", Type: "time"})
	c.Partitions = f.input(input{Name: "partitions", Label: "rule.partitions_only", Hint: "rule.partitions_hint", Autocomplete: "off", SpellFree: true})
	c.Zones = f.input(input{Name: "zones", Label: "rule.zones_only", Hint: "rule.zones_hint", Autocomplete: "off", SpellFree: true})
	c.Codes = f.input(input{Name: "codes", Label: "rule.codes_only", Hint: "rule.codes_hint", Autocomplete: "off", SpellFree: true})
	c.Narrow = c.Partitions.Value+c.Zones.Value+c.Codes.Value != "" || len(c.Partitions.Faults)+len(c.Zones.Faults)+len(c.Codes.Faults) > 0
	c.steps(view)
	c.StepsFault = f.take("steps", "f-steps", f.T("rule.steps"))
	f.end()
	title := "rule.new"
	if id != "" {
		title = "rule.edit"
	}
	return p.showForm(v, "rules", title, "ruleform.html", c, f, err)
}

func (c *ruleForm) steps(view *viewer) {
	n := number(c.values.Get("steps"))
	for i := range max(1, min(n, 20)) {
		s := stepForm{Number: i, Legend: c.T("rule.step_number", i+1), Only: n <= 1}
		var contacts []tick
		for _, k := range view.contacts("") {
			contacts = append(contacts, tick{Value: k.Value, Label: k.Name})
		}
		var by []tick
		for _, ch := range working() {
			by = append(by, tick{Value: ch, Label: c.T("channel." + ch)})
		}
		s.Contacts = c.ticks(stepField(i, "contacts"), "rule.contacts", "rule.contacts_hint", false, contacts)
		s.Channels = c.ticks(stepField(i, "channels"), "rule.channels", "rule.channels_hint", true, by)
		s.After = c.input(input{Name: stepField(i, "after_seconds"), Label: "rule.after", Hint: "rule.after_hint", Mode: "decimal", Short: true, Autocomplete: "off"})
		s.Repeat = c.input(input{Name: stepField(i, "repeat"), Label: "rule.repeat", Hint: "rule.repeat_hint", Mode: "numeric", Short: true, Autocomplete: "off"})
		c.Steps = append(c.Steps, s)
	}
}

// changeSteps carries out "add_step" or "remove_step 1".
func changeSteps(values url.Values, action string) {
	n := max(number(values.Get("steps")), 1)
	at := -1
	if rest, ok := strings.CutPrefix(action, "remove_step "); ok {
		at = number(rest)
	}
	if at < 0 || at >= n {
		values.Set(stepField(n, "after_seconds"), "5")
		values.Set("steps", strconv.Itoa(n+1))
		return
	}
	for _, part := range []string{"contacts", "channels", "after_seconds", "repeat"} {
		for i := at; i < n; i++ {
			values[stepField(i, part)] = values[stepField(i+1, part)]
		}
	}
	values.Set("steps", strconv.Itoa(max(n-1, 1)))
}

// group is where a category stands in the form.
func group(c event.Category) string { return tone(string(c), string(event.New)) }

func categoryTicks(l Language) []tick {
	var list []tick
	for _, g := range []string{"danger", "alarm", "notice", "quiet"} {
		heading := l.T("rule.group_" + g)
		for _, c := range event.Categories() {
			if group(c) == g {
				list = append(list, tick{Value: string(c), Label: c.Name(l.Code), Group: heading})
				heading = ""
			}
		}
	}
	return list
}

func (v visit) qualifierTicks() []tick {
	var list []tick
	for _, q := range []event.Qualifier{event.New, event.Restore, event.Ongoing} {
		list = append(list, tick{Value: string(q), Label: v.lang.T("rule.qualifier_" + string(q))})
	}
	return list
}

func dayTicks(l Language) []tick {
	var list []tick
	for d := 1; d <= 7; d++ {
		list = append(list, tick{Value: strconv.Itoa(d), Label: l.T("weekday." + strconv.Itoa(d%7))})
	}
	return list
}

// ruleValues is a rule as its form has it: times after the event in minutes.
func ruleValues(b premises.RuleBody) url.Values {
	values := url.Values{"name": {b.Name}, "categories": b.Categories, "qualifiers": b.Qualifiers, "panels": b.Panels, "from": {text(b.From)}, "to": {text(b.To)},
		"partitions": {strings.Join(b.Partitions, ", ")}, "zones": {strings.Join(b.Zones, ", ")}, "codes": {strings.Join(b.Codes, ", ")}, "steps": {strconv.Itoa(len(b.Steps))}}
	if len(b.Categories) == 0 { // all: the form ticks them
		for _, c := range event.Categories() {
			values.Add("categories", string(c))
		}
	}
	if b.Enabled {
		values.Set("enabled", "yes")
	}
	for _, d := range b.Days {
		values.Add("days", strconv.Itoa(d))
	}
	for i, s := range b.Steps {
		values[stepField(i, "contacts")], values[stepField(i, "channels")] = s.Contacts, s.Channels
		values.Set(stepField(i, "after_seconds"), strconv.FormatFloat(float64(s.AfterSeconds)/60, 'f', -1, 64))
		values.Set(stepField(i, "repeat"), strconv.Itoa(s.Repeat))
	}
	return values
}

// ruleOf writes a form's values into a rule. All categories ticked is no
// restriction, so that one of a later version is in it.
func ruleOf(values url.Values, b *premises.RuleBody) {
	b.Name, b.Enabled = strings.TrimSpace(values.Get("name")), values.Get("enabled") != ""
	b.Categories, b.Qualifiers, b.Panels = lines(values["categories"]), lines(values["qualifiers"]), lines(values["panels"])
	if !slices.ContainsFunc(event.Categories(), func(c event.Category) bool { return !slices.Contains(b.Categories, string(c)) }) {
		b.Categories = []string{}
	}
	b.From, b.To = optional(values.Get("from")), optional(values.Get("to"))
	b.Partitions, b.Zones, b.Codes = words(values.Get("partitions")), words(values.Get("zones")), words(values.Get("codes"))
	b.Days = []int{}
	for _, d := range lines(values["days"]) {
		b.Days = append(b.Days, number(d))
	}
	b.Steps = []premises.StepBody{}
	for i := range max(0, min(number(values.Get("steps")), 20)) {
		repeat := 0
		if text := strings.TrimSpace(values.Get(stepField(i, "repeat"))); text != "" {
			repeat = number(text)
		}
		b.Steps = append(b.Steps, premises.StepBody{Contacts: lines(values[stepField(i, "contacts")]), Channels: lines(values[stepField(i, "channels")]),
			AfterSeconds: minutes(values.Get(stepField(i, "after_seconds"))), Repeat: repeat})
	}
}

// minutes is typed minutes in seconds; nothing is 0, what is no number -1.
func minutes(s string) int {
	s = strings.Replace(strings.TrimSpace(s), ",", ".", 1)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n < 1e6) {
		return -1
	}
	return int(n*60 + .5)
}

// words are what commas, semicolons or spaces stand between.
func words(s string) []string {
	out := []string{}
	return append(out, strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })...)
}
