package premises

import (
	"strings"

	"vedetta/wire/roster"
)

// SupervisionBody is how a panel's silence is judged beyond its interval and grace.
type SupervisionBody struct {
	Profile     *string   `json:"profile"`     // of EN 50136: it sets the intervals; null: they are set one by one
	Alternative *PathBody `json:"alternative"` // null: one path
}

// PathBody is the alternative path; of the last three at least one is there.
type PathBody struct {
	PollSeconds  int     `json:"poll_seconds"`
	GraceSeconds int     `json:"grace_seconds"`
	Transport    *string `json:"transport"`
	Prefix       *string `json:"prefix"`
	Receiver     *string `json:"receiver"`
}

// supervisionOf is the stored panel's; nil when there is nothing to say.
func supervisionOf(p roster.Panel) *SupervisionBody {
	if p.Profile == "" && p.Alternative == nil {
		return nil
	}
	s := &SupervisionBody{Profile: absent(p.Profile)}
	if a := p.Alternative; a != nil {
		s.Alternative = &PathBody{a.PollSeconds, a.GraceSeconds, absent(a.Transport), absent(a.Prefix), absent(a.Receiver)}
	}
	return s
}

// into writes what was entered, once it is without fault, into a panel.
func (s *SupervisionBody) into(p *roster.Panel) {
	if s == nil {
		return
	}
	p.Profile = present(s.Profile)
	if a := s.Alternative; a != nil {
		p.Alternative = &roster.Path{PollSeconds: a.PollSeconds, GraceSeconds: a.GraceSeconds, Transport: present(a.Transport),
			Prefix: strings.ToUpper(present(a.Prefix)), Receiver: strings.ToUpper(present(a.Receiver))}
	}
}

// byProfile sets the intervals that the profile, when there is one, says.
func (b *PanelBody) byProfile() {
	if b.Supervision == nil {
		return
	}
	p, ok := roster.ProfileOf(present(b.Supervision.Profile))
	if !ok {
		return
	}
	b.PollSeconds, b.GraceSeconds = p.Poll, p.Grace
	if b.Supervision.Alternative != nil {
		s, a := *b.Supervision, *b.Supervision.Alternative
		a.PollSeconds, a.GraceSeconds = p.AlternativePoll, p.AltGrace
		s.Alternative, b.Supervision = &a, &s
	}
}

func (s *SupervisionBody) faults(f *Faults) {
	if s == nil {
		return
	}
	const alternative = "supervision.alternative"
	a := s.Alternative
	if s.Profile != nil {
		p, ok := roster.ProfileOf(*s.Profile)
		switch {
		case !ok:
			f.Add("supervision.profile", "profile")
		case p.AlternativePoll > 0 && a == nil:
			f.Add(alternative, "path_needed", p.Name)
		case p.AlternativePoll == 0 && a != nil:
			f.Add(alternative, "path_single", p.Name)
		}
	}
	if a == nil {
		return
	}
	least := 1
	if s.Profile != nil {
		least = 0 // the profile says it
	}
	if a.PollSeconds < least || a.PollSeconds > maxSeconds {
		f.Add(alternative+".poll_seconds", "range", least, maxSeconds)
	}
	if a.GraceSeconds < 0 || a.GraceSeconds > maxSeconds {
		f.Add(alternative+".grace_seconds", "range", 0, maxSeconds)
	}
	switch present(a.Transport) {
	case "", "tcp", "udp", "tls":
	default:
		f.Add(alternative+".transport", "one_of", "tcp, udp, tls")
	}
	if a.Prefix != nil && !numberForm.MatchString(*a.Prefix) {
		f.Add(alternative+".prefix", "number_form")
	}
	if a.Receiver != nil && !numberForm.MatchString(*a.Receiver) {
		f.Add(alternative+".receiver", "number_form")
	}
	if a.Transport == nil && a.Prefix == nil && a.Receiver == nil {
		f.Add(alternative, "path_sign")
	}
}

func absent(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func present(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
