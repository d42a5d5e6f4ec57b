// Package wording says in a person's language what an event is, the same in
// every channel: how loud it is, its category, its code's meaning, where. A
// channel adds its own form around it. It keeps only time zones that were read.
package wording

import (
	"fmt"
	"strings"
	"time"

	"vedetta/node/channel"
	"vedetta/wire/event"
)

// Tone is how loud an event is.
type Tone int

// Tones.
const (
	ToneAlarm Tone = iota
	ToneFault
	ToneNotice
	ToneRestored
)

// toneOf is how loud an event is. A category that is not known is told like
// event.Other, which is routed like an alarm.
func toneOf(e channel.Event) Tone {
	if e.Qualifier == "restore" {
		return ToneRestored
	}
	switch event.Category(e.Category) {
	case event.Trouble, event.Power, event.Communication:
		return ToneFault
	case event.OpenClose, event.Bypass, event.Access, event.Test, event.System:
		return ToneNotice
	}
	return ToneAlarm
}

var loud = map[Tone][2]string{
	ToneAlarm: {"ALLARME", "ALARM"}, ToneFault: {"GUASTO", "FAULT"}, ToneNotice: {"AVVISO", "NOTICE"}, ToneRestored: {"RIPRISTINO", "RESTORED"},
}

// Words are an event's texts in one language. Meaning, Zone and Place may be empty.
type Words struct {
	Lang     string // it or en
	Tone     Tone
	Loud     string // ALLARME
	Kind     string // Furto
	Meaning  string // of the code
	Premises string // Casa
	Zone     string // 1 Ingresso
	Place    string // Zona 1 Ingresso, else user or partition
}

// Of words a message in its contact's language; Italian when there is none.
func Of(m channel.Message) Words {
	w := Words{Lang: "it", Tone: toneOf(m.Event), Premises: m.Panel.Name, Zone: strings.TrimSpace(m.Event.Zone + " " + m.Event.ZoneName)}
	if m.Language == "en" {
		w.Lang = "en"
	}
	w.Kind = event.Category(m.Event.Category).Name(w.Lang)
	w.Meaning = w.Pick(m.Event.MeaningIT, m.Event.Meaning)
	w.Loud = w.Pick(loud[w.Tone][0], loud[w.Tone][1])
	if m.Event.Qualifier == "ongoing" {
		w.Loud += w.Pick(" IN CORSO", " ONGOING")
	}
	if w.Premises == "" {
		w.Premises = w.Pick("Centrale ", "Panel ") + m.Panel.Account
	}
	switch {
	case w.Zone != "":
		w.Place = w.Pick("Zona ", "Zone ") + w.Zone
	case m.Event.User != "":
		w.Place = w.Pick("Utente ", "User ") + m.Event.User
	case m.Event.Partition != "":
		w.Place = w.Pick("Area ", "Partition ") + m.Event.Partition
	}
	return w
}

// Pick chooses the text of the language.
func (w Words) Pick(italian, english string) string {
	if w.Lang == "en" {
		return english
	}
	return italian
}

// Headline is such as "ALLARME Furto - Casa - Zona 1 Ingresso".
func (w Words) Headline() string {
	s := w.Loud + " " + w.Kind + " - " + w.Premises
	if w.Place != "" {
		s += " - " + w.Place
	}
	return OneLine(s)
}

// OneLine keeps a panel's or customer's text from breaking a line or a header.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
}

var monthsIT = [...]string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"}

// When is a time at the premises, to the second.
func (z *Zones) When(t time.Time, zone, lang string) string {
	t = t.In(z.load(zone))
	if lang != "en" {
		return fmt.Sprintf("%d %s %d, %s", t.Day(), monthsIT[t.Month()-1], t.Year(), t.Format("15:04:05 (MST)"))
	}
	return t.Format("2 January 2006, 15:04:05 (MST)")
}
