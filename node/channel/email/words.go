package email

import (
	"fmt"
	"strings"
	"time"

	"vedetta/node/channel"
	"vedetta/wire/event"
)

// tone is how loud an event is: the word before its category, and its colour.
type tone struct{ it, en, colour, soft string }

var (
	toneAlarm    = tone{"ALLARME", "ALARM", "#b3261e", "#fdecea"}
	toneFault    = tone{"GUASTO", "FAULT", "#8a5300", "#fff4e0"}
	toneNotice   = tone{"AVVISO", "NOTICE", "#1f4e79", "#e8f1fa"}
	toneRestored = tone{"RIPRISTINO", "RESTORED", "#1b6e3c", "#e7f5ec"}
)

// toneOf is how loud a category is. One that is not known is told like
// event.Other, which is routed like an alarm.
func toneOf(c event.Category) tone {
	switch c {
	case event.Trouble, event.Power, event.Communication:
		return toneFault
	case event.OpenClose, event.Bypass, event.Access, event.Test, event.System:
		return toneNotice
	}
	return toneAlarm
}

// words are a mail's texts in one language.
type words struct {
	loud     string // ALLARME
	kind     string // Furto
	meaning  string // of the code
	premises string // Casa
	place    string // Zona 1 Ingresso; empty
	tone     tone
	rows     []row
	late     string
	why      string
	twice    string
	no       string // "Notification" and its id
	lang     string
}

type row struct{ Name, Value string }

func (c *Channel) wordsOf(m channel.Message) words {
	it := m.Language != "en"
	pick := func(italian, english string) string {
		if it {
			return italian
		}
		return english
	}
	category := event.Category(m.Event.Category)
	w := words{tone: toneOf(category), kind: category.Name(m.Language), meaning: pick(m.Event.MeaningIT, m.Event.Meaning), premises: m.Panel.Name, lang: pick("it", "en")}
	if m.Event.Qualifier == "restore" {
		w.tone = toneRestored
	}
	w.loud = pick(w.tone.it, w.tone.en)
	if m.Event.Qualifier == "ongoing" {
		w.loud += pick(" IN CORSO", " ONGOING")
	}
	if w.premises == "" {
		w.premises = pick("Centrale ", "Panel ") + m.Panel.Account
	}
	zone := named(m.Event.Zone, m.Event.ZoneName)
	switch {
	case zone != "":
		w.place = pick("Zona ", "Zone ") + zone
	case m.Event.User != "":
		w.place = pick("Utente ", "User ") + m.Event.User
	case m.Event.Partition != "":
		w.place = pick("Area ", "Partition ") + m.Event.Partition
	}
	add := func(italian, english, value string) {
		if value != "" {
			w.rows = append(w.rows, row{pick(italian, english), value})
		}
	}
	add("Impianto", "Premises", w.premises)
	add("Zona", "Zone", zone)
	add("Area", "Partition", m.Event.Partition)
	add("Utente", "User", m.Event.User)
	add("Testo della centrale", "Panel's text", m.Event.Text)
	if m.Event.PanelTime.IsZero() {
		add("Ora della centrale", "Panel's time", pick("non indicata", "not given"))
	} else {
		add("Ora della centrale", "Panel's time", c.when(m.Event.PanelTime, m.Panel.TimeZone, it))
	}
	add("Ora di ricezione", "Received", c.when(m.Event.Received, m.Panel.TimeZone, it))
	add("Codice", "Code", strings.TrimSpace(m.Event.Standard+" "+m.Event.Code))
	add("Account", "Account", m.Panel.Account)
	add("Datacenter", "Datacenter", m.Event.Datacenter)
	if m.Event.Late {
		w.late = pick("Questa segnalazione arriva in ritardo: fa fede l'ora indicata sotto.", "This report arrives late: the time below is the one that counts.")
	}
	w.why = pick("Ricevi questo messaggio perché chi gestisce l'impianto ti ha indicato come contatto. Per non riceverne più, rivolgiti a lui.",
		"You receive this message because whoever runs these premises named you as a contact. To receive no more, ask them.")
	w.twice = pick("Un secondo messaggio con lo stesso numero è una ripetizione, non un nuovo evento.", "A second message with the same number is a repetition, not a new event.")
	w.no = pick("Notifica ", "Notification ") + m.Notification
	return w
}

// subject is such as "ALLARME Furto - Casa - Zona 1 Ingresso".
func (w words) subject() string {
	s := w.loud + " " + w.kind + " - " + w.premises
	if w.place != "" {
		s += " - " + w.place
	}
	return oneLine(s)
}

// text is the plain form.
func (w words) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", w.loud, w.kind)
	if w.meaning != "" {
		fmt.Fprintf(&b, "%s\n", w.meaning)
	}
	if w.late != "" {
		fmt.Fprintf(&b, "\n%s\n", w.late)
	}
	b.WriteByte('\n')
	for _, r := range w.rows {
		fmt.Fprintf(&b, "%s: %s\n", r.Name, oneLine(r.Value))
	}
	fmt.Fprintf(&b, "\n-- \n%s\n%s\n%s\n", w.why, w.twice, w.no)
	return b.String()
}

func named(number, name string) string { return strings.TrimSpace(number + " " + name) }

// oneLine keeps a panel's or customer's text from breaking a line or a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
}

var monthsIT = [...]string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"}

// when is a time at the premises, to the second.
func (c *Channel) when(t time.Time, zone string, it bool) string {
	t = t.In(c.zones.load(zone))
	if it {
		return fmt.Sprintf("%d %s %d, %s", t.Day(), monthsIT[t.Month()-1], t.Year(), t.Format("15:04:05 (MST)"))
	}
	return t.Format("2 January 2006, 15:04:05 (MST)")
}
