package email

import (
	"fmt"
	"strings"

	"vedetta/node/channel"
	"vedetta/node/channel/wording"
)

// colours of a tone: of the head, and of the foot.
func colours(t wording.Tone) (strong, soft string) {
	switch t {
	case wording.ToneFault:
		return "#8a5300", "#fff4e0"
	case wording.ToneNotice:
		return "#1f4e79", "#e8f1fa"
	case wording.ToneRestored:
		return "#1b6e3c", "#e7f5ec"
	}
	return "#b3261e", "#fdecea"
}

// words are a mail's texts in one language.
type words struct {
	wording.Words
	rows  []row
	late  string
	why   string
	twice string
	no    string // "Notification" and its id
}

type row struct{ Name, Value string }

func (c *Channel) wordsOf(m channel.Message) words {
	w := words{Words: wording.Of(m)}
	pick := w.Pick
	add := func(italian, english, value string) {
		if value != "" {
			w.rows = append(w.rows, row{pick(italian, english), value})
		}
	}
	add("Impianto", "Premises", w.Premises)
	add("Zona", "Zone", w.Zone)
	add("Area", "Partition", m.Event.Partition)
	add("Utente", "User", m.Event.User)
	add("Testo della centrale", "Panel's text", m.Event.Text)
	for _, x := range m.Event.Extended {
		if x.ID != "I" || x.Value != m.Event.Text { // the alarm's text stands above
			add(x.Name("it"), x.Name("en"), wording.OneLine(x.Value))
		}
	}
	if m.Event.PanelTime.IsZero() {
		add("Ora della centrale", "Panel's time", pick("non indicata", "not given"))
	} else {
		add("Ora della centrale", "Panel's time", c.zones.When(m.Event.PanelTime, m.Panel.TimeZone, w.Lang))
	}
	add("Ora di ricezione", "Received", c.zones.When(m.Event.Received, m.Panel.TimeZone, w.Lang))
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

// text is the plain form.
func (w words) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", w.Loud, w.Kind)
	if w.Meaning != "" {
		fmt.Fprintf(&b, "%s\n", w.Meaning)
	}
	if w.late != "" {
		fmt.Fprintf(&b, "\n%s\n", w.late)
	}
	b.WriteByte('\n')
	for _, r := range w.rows {
		fmt.Fprintf(&b, "%s: %s\n", r.Name, wording.OneLine(r.Value))
	}
	fmt.Fprintf(&b, "\n-- \n%s\n%s\n%s\n", w.why, w.twice, w.no)
	return b.String()
}
