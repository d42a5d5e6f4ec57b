// Package verdict judges a run from the outside's own records alone: what the
// generator sent and saw acknowledged, and what the catcher caught. Central's
// account of it is compared with both, never trusted. It is arithmetic, with
// no I/O.
package verdict

import (
	"fmt"
	"strings"
)

// Alarm is one distinct alarm of the generator; Text is unique to it and is
// carried by every notification.
type Alarm struct {
	Text         string
	Acknowledged bool
}

// Mail is one mail that the catcher holds.
type Mail struct {
	MessageID string
	To        string
	Body      string // subject and text
}

// Hook is one webhook call that the catcher holds.
type Hook struct {
	ID   string // webhook-id
	Body string
}

// Push is one push message that the catcher took and opened.
type Push struct {
	ID    string // notification it is for
	Topic string
	Tag   string
	Body  string // opened payload
}

// Event is one event as central shows it.
type Event struct {
	ID     string
	Text   string
	Copies int
}

// Notification is one notification as central shows it.
type Notification struct {
	ID      string
	EventID string
	Channel string
	State   string
	Reason  string
}

// Record is everything known after a run.
type Record struct {
	Alarms        []Alarm
	Mails         []Mail
	Hooks         []Hook
	Pushes        []Push
	Events        []Event
	Notifications []Notification
}

// Report counts what was judged and lists every breach.
type Report struct {
	Alarms, Acknowledged     int
	SecondMails, Unknown     int
	RepeatedHooks, Delivered int
	RepeatedPushes           int
	Breaches                 []string
}

// Judge applies invariants 1 to 3 of the design to the record.
func Judge(r Record) Report {
	rep := Report{Alarms: len(r.Alarms)}
	breach := func(format string, args ...any) {
		rep.Breaches = append(rep.Breaches, fmt.Sprintf(format, args...))
	}
	eventsByText := map[string][]Event{}
	for _, e := range r.Events {
		eventsByText[e.Text] = append(eventsByText[e.Text], e)
	}
	byEvent := map[string][]Notification{}
	for _, n := range r.Notifications {
		byEvent[n.EventID] = append(byEvent[n.EventID], n)
		switch n.State {
		case "unknown":
			rep.Unknown++
		case "delivered":
			rep.Delivered++
		}
	}
	mails, hooks := index(r)
	pushes := map[string][]Push{}
	for _, p := range r.Pushes {
		text := Marked(p.Body)
		pushes[text] = append(pushes[text], p)
	}
	for _, a := range r.Alarms {
		if a.Acknowledged {
			rep.Acknowledged++
		}
		events := eventsByText[a.Text]
		if len(events) == 0 {
			if a.Acknowledged {
				breach("alarm %q was acknowledged and is no event at central", a.Text)
			}
			continue
		}
		if len(events) > 1 {
			breach("alarm %q is %d events", a.Text, len(events))
		}
		judgeDeliveries(&rep, breach, a.Text, byEvent[events[0].ID], mails[a.Text], hooks[a.Text])
		rep.RepeatedPushes += judgePushes(breach, a.Text, byEvent[events[0].ID], pushes[a.Text])
	}
	return rep
}

func judgeDeliveries(rep *Report, breach func(string, ...any), text string, ns []Notification, mails []Mail, hooks []Hook) {
	seen := map[string]Notification{}
	for _, n := range ns {
		if _, twice := seen[n.Channel]; twice {
			breach("alarm %q has two notifications by %s for one contact", text, n.Channel)
		}
		seen[n.Channel] = n
		if n.State == "pending" {
			breach("alarm %q: notification by %s never got an outcome", text, n.Channel)
		}
	}
	for _, channel := range []string{"email", "webhook"} {
		if _, ok := seen[channel]; !ok {
			breach("alarm %q has no notification by %s", text, channel)
		}
	}
	mail := seen["email"].State
	switch {
	case len(mails) == 0 && mail != "unknown":
		breach("alarm %q: no mail arrived, the outcome says %s", text, mail)
	case len(mails) > 1 && mail != "unknown":
		breach("alarm %q: %d mails arrived, the outcome says %s", text, len(mails), mail)
	}
	if len(mails) > 1 {
		rep.SecondMails += len(mails) - 1
		for _, m := range mails[1:] {
			if m.MessageID != mails[0].MessageID {
				breach("alarm %q: its mails have different Message-IDs", text)
			}
		}
	}
	hook := seen["webhook"].State
	if len(hooks) == 0 && hook != "unknown" {
		breach("alarm %q: no webhook call arrived, the outcome says %s", text, hook)
	}
	if len(hooks) > 1 {
		rep.RepeatedHooks += len(hooks) - 1
	}
	for _, h := range hooks {
		if h.ID != hooks[0].ID {
			breach("alarm %q: webhook called under two ids", text)
		}
	}
}

// index finds, for each alarm's text, what the catcher holds for it. Texts are
// words between two tildes, so that one is never part of another.
func index(r Record) (mails map[string][]Mail, hooks map[string][]Hook) {
	mails, hooks = map[string][]Mail{}, map[string][]Hook{}
	for _, m := range r.Mails {
		text := Marked(m.Body)
		mails[text] = append(mails[text], m)
	}
	for _, h := range r.Hooks {
		text := Marked(h.Body)
		hooks[text] = append(hooks[text], h)
	}
	return mails, hooks
}

// Marked returns the first "~...~" of s, the generator's mark of an alarm.
func Marked(s string) string {
	_, rest, ok := strings.Cut(s, "~")
	if !ok {
		return ""
	}
	word, _, ok := strings.Cut(rest, "~")
	if !ok {
		return ""
	}
	return "~" + word + "~"
}
