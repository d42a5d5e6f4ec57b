package portal

import (
	"context"

	"vedetta/wire/roster"
)

// start leads a new account from its first panel to its first alarm, and warns
// an old one of alarms that reach nobody.
type start struct {
	Lang     Language
	Steps    []startStep
	Open     bool // something is still to be done
	Gaps     []string
	GapsLink string // where they are mended; empty there
}

// T is a text of the page's language.
func (s start) T(key string, args ...any) string { return s.Lang.T(key, args...) }

type startStep struct {
	Number              int
	Title, Text, Button string
	Link                string
	Done, Next          bool
}

// start says what is done; received tells whether an event of a panel is here already.
func (v *viewer) start(received bool) start {
	d, l := v.names.Document, v.lang
	s := start{Lang: l}
	test := "/panels"
	if len(d.Panels) > 0 {
		test = "/panels/" + d.Panels[0].ID
	}
	for i, step := range []struct {
		name, link string
		done       bool
	}{{"panel", "/panels/new", len(d.Panels) > 0}, {"contact", "/contacts/new", len(d.Contacts) > 0}, {"rule", "/rules/new", len(d.Rules) > 0}, {"test", test, received}} {
		s.Steps = append(s.Steps, startStep{Number: i + 1, Title: l.T("start." + step.name), Text: l.T("start." + step.name + "_text"),
			Button: l.T("start." + step.name + "_button"), Link: step.link, Done: step.done, Next: !step.done && !s.Open})
		s.Open = s.Open || !step.done
	}
	if len(d.Rules) > 0 { // before the first rule the steps say it
		s.Gaps, s.GapsLink = v.gaps(d), "/rules"
	}
	return s
}

// gaps says in words which alarms of life safety reach nobody.
func (v *viewer) gaps(d roster.Customer) []string {
	l := v.lang
	var out []string
	for _, g := range gaps(d) {
		key := "gaps.never"
		if g.Sometimes {
			key = "gaps.sometimes"
		}
		text := l.T(key, g.Category.Name(l.Code))
		if n := len(g.Panels); n > 0 {
			var names []string
			for _, id := range g.Panels[:min(n, 5)] {
				names = append(names, v.panelName(id))
			}
			if n > 5 {
				names = append(names, l.N("gaps.more_panels", n-5))
			}
			text = l.T(key+"_panels", g.Category.Name(l.Code), l.List(names))
		}
		out = append(out, text)
	}
	return out
}

// ruleNames are the names of a customer's rules by id.
func (p *Portal) ruleNames(ctx context.Context, customer string) (map[string]string, error) {
	d, err := p.premises.Main(ctx, customer)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, r := range d.Rules {
		names[r.ID] = r.Name
	}
	return names, nil
}
