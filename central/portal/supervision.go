package portal

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/central/silence"
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

// standing is when a panel was last heard and whether it is silent, in words.
type standing struct {
	Facts  []fact
	Silent string // what is silent, and since when; empty: nothing
	Good   string // when all is well
	heard  bool
	gone   bool // all of it is silent
}

func (p *Portal) standing(ctx context.Context, l Language, b premises.PanelBody) standing {
	state, err := silence.Of(ctx, p.mesh, b.ID)
	if err != nil && ctx.Err() == nil {
		p.log.Warn("not known how a panel stands", "panel", b.ID, "err", err)
	}
	zone, err := time.LoadLocation(b.TimeZone)
	if err != nil {
		zone = time.UTC // it was checked when it was entered
	}
	stamp := func(t *history.Time) string {
		switch {
		case !state.Known:
			return l.T("standing.unknown")
		case t == nil && state.Counted != nil:
			return l.T("standing.forgotten", l.Stamp(time.Time(*state.Counted).In(zone)))
		case t == nil:
			return l.T("standing.never")
		}
		return l.Stamp(time.Time(*t).In(zone))
	}
	s := standing{Facts: []fact{{l.T("standing.last"), stamp(state.LastHeard)}}, heard: state.LastHeard != nil}
	if b.Supervision != nil && b.Supervision.Alternative != nil {
		s.Facts = append(s.Facts, fact{l.T("standing.primary"), stamp(state.Primary)}, fact{l.T("standing.alternative"), stamp(state.Alternative)})
	}
	switch {
	case state.SilentSince != nil:
		since := l.Stamp(time.Time(*state.SilentSince).In(zone))
		switch {
		case slices.Contains(state.Silent, "all") || slices.Contains(state.Silent, "never"):
			s.Silent, s.gone = l.T("standing.silent", since), true
		case slices.Contains(state.Silent, "primary"):
			s.Silent = l.T("standing.silent_primary", since)
		default:
			s.Silent = l.T("standing.silent_alternative", since)
		}
	case state.Supervised && state.LastHeard != nil:
		s.Good = l.T("standing.good")
	}
	return s
}
