package portal

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"vedetta/central/premises"
	"vedetta/wire/roster"
)

// Names of the form's inputs, as the API calls the fields.
const (
	profileField     = "supervision.profile"
	alternativeField = "supervision.alternative"
)

// supervision fills in the part of a panel's form about its paths.
func (c *panelForm) supervision(values url.Values) {
	profiles := []tick{{Label: c.T("panel.profile_none")}}
	for _, p := range roster.Profiles() {
		times := c.T("panel.profile_single", c.Lang.Span(seconds(p.Poll+p.Grace)))
		if p.AlternativePoll > 0 {
			times = c.T("panel.profile_dual", c.Lang.Span(seconds(p.Poll+p.Grace)), c.Lang.Span(seconds(p.AlternativePoll+p.AltGrace)))
		}
		profiles = append(profiles, tick{Value: p.Name, Label: p.Name + ": " + times})
	}
	c.Profile = c.input(input{Name: profileField, Label: "panel.profile", Hint: "panel.profile_hint", Pick: profiles})
	c.move(alternativeField, alternativeField+".transport")
	line := func(part, label string) input {
		return c.input(input{Name: alternativeField + "." + part, Label: label, Short: true, Autocomplete: "off", SpellFree: true})
	}
	transports := []tick{{Label: c.T("panel.transport_any")}}
	for _, name := range []string{"tcp", "udp", "tls"} {
		transports = append(transports, tick{Value: name, Label: strings.ToUpper(name)})
	}
	transport := c.input(input{Name: alternativeField + ".transport", Label: "panel.transport", Short: true,
		Pick: transports})
	c.Alternative = []input{transport, line("prefix", "panel.prefix"), line("receiver", "panel.receiver")}
	c.AlternativeTimes = []input{line("poll_seconds", "panel.poll_seconds"), line("grace_seconds", "panel.grace_seconds")}
	for _, in := range append(c.AlternativeTimes, c.Alternative...) {
		c.AlternativeOpen = c.AlternativeOpen || in.Value != "" || len(in.Faults) > 0
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// move tells the faults of one field at the input of another.
func (f *form) move(from, to string) {
	if list, ok := f.faults[from]; ok {
		f.faults[to] = append(f.faults[to], list...)
		delete(f.faults, from)
	}
}

// supervisionValues are a panel's as its form has them.
func supervisionValues(s *premises.SupervisionBody, values url.Values) {
	if s == nil {
		return
	}
	values.Set(profileField, text(s.Profile))
	if a := s.Alternative; a != nil {
		for part, value := range map[string]string{"transport": text(a.Transport), "prefix": text(a.Prefix), "receiver": text(a.Receiver),
			"poll_seconds": strconv.Itoa(a.PollSeconds), "grace_seconds": strconv.Itoa(a.GraceSeconds)} {
			values.Set(alternativeField+"."+part, value)
		}
	}
}

// supervisionTyped is what a form says; nil when it says nothing. With a
// profile the times may be left empty.
func supervisionTyped(values url.Values) *premises.SupervisionBody {
	s := premises.SupervisionBody{Profile: optional(values.Get(profileField))}
	a, typed := premises.PathBody{}, false
	part := func(name string) *string {
		v := optional(values.Get(alternativeField + "." + name))
		typed = typed || v != nil
		return v
	}
	span := func(name string) int {
		if v := part(name); v != nil {
			return number(*v)
		}
		return 0
	}
	a.Transport, a.Prefix, a.Receiver = part("transport"), part("prefix"), part("receiver")
	a.PollSeconds, a.GraceSeconds = span("poll_seconds"), span("grace_seconds")
	if typed {
		s.Alternative = &a
	}
	if s.Profile == nil && s.Alternative == nil {
		return nil
	}
	return &s
}
