// Package verdict judges a run from the outside's own records alone: what the
// generator sent and saw acknowledged, what the catcher caught, and the bytes
// on the nodes' disks. Central's account of it is compared with these, never
// trusted. It is arithmetic, with no I/O.
package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Alarm is one distinct alarm of the generator; Text is unique to it and is
// carried by every notification.
type Alarm struct {
	Text         string
	Acknowledged bool
}

// Handed is one thing that the catcher holds.
type Handed struct {
	Channel string // as the product names it
	ID      string // Message-ID, webhook-id or, of a push, the notification it is for
	To      string
	Topic   string // of a push
	Tag     string // of a push
	Body    string
	At      time.Time
}

// repeatable are the channels that show a repetition under the same id once;
// a second mail is a second mail.
func repeatable(channel string) bool { return channel != "email" }

// Event is one event as central shows it.
type Event struct {
	ID       string
	Text     string
	Position string // of its entry: node.incarnation.number
	Copies   int
}

// Notification is one notification as central shows it.
type Notification struct {
	ID      string
	EventID string
	Channel string
	State   string
	Reason  string
}

// Journal is what one surviving node holds on its disk: the digest of each
// entry's bytes, by position.
type Journal map[string]Digest

// Digest of an entry's bytes.
type Digest [32]byte

// Record is everything known after a run.
type Record struct {
	Alarms        []Alarm
	Handed        []Handed
	Events        []Event
	Notifications []Notification
	Channels      []string           // each alarm arrives by each of them; email, webhook and webpush when empty
	Journals      map[string]Journal // by node, of every surviving one; nil: not looked at
}

// Report counts what was judged and lists every breach.
type Report struct {
	Alarms        int `json:"alarms"`
	Acknowledged  int `json:"acknowledged"`
	Notifications int `json:"notifications"` // of the generator's alarms
	Delivered     int `json:"delivered"`
	Unknown       int `json:"unknown"`
	// SecondMails counts every mail beyond an alarm's first, Repeated every call
	// beyond the first under the same id, by channel.
	SecondMails int            `json:"second_mails"`
	Repeated    map[string]int `json:"repeated"`
	Breaches    []string       `json:"breaches"`
}

// judge is one judgement under way.
type judge struct {
	rep      Report
	channels []string
	events   map[string][]Event        // by text
	planned  map[string][]Notification // by event id
	handed   map[string][]Handed       // by channel and text
	journals map[string]Journal
	nodes    []string
}

// Judge applies invariants 1 to 3 of the design to the record.
func Judge(r Record) Report {
	j := judge{rep: Report{Alarms: len(r.Alarms), Repeated: map[string]int{}, Breaches: []string{}}, channels: r.Channels,
		events: map[string][]Event{}, planned: map[string][]Notification{}, handed: map[string][]Handed{},
		journals: r.Journals, nodes: slices.Sorted(maps.Keys(r.Journals))}
	if len(j.channels) == 0 {
		j.channels = []string{"email", "webhook", "webpush"}
	}
	for _, e := range r.Events {
		j.events[e.Text] = append(j.events[e.Text], e)
	}
	for _, n := range r.Notifications {
		j.planned[n.EventID] = append(j.planned[n.EventID], n)
	}
	// Texts are words between two tildes, so that one is never part of another.
	for _, h := range r.Handed {
		key := h.Channel + Marked(h.Body)
		j.handed[key] = append(j.handed[key], h)
	}
	known := map[string]bool{}
	for _, a := range r.Alarms {
		known[a.Text] = true
		j.alarm(a)
	}
	for _, h := range r.Handed {
		if text := Marked(h.Body); text != "" && !known[text] {
			j.breach("%s handed over for %q, which nobody sent", h.Channel, text)
		}
	}
	j.sameBytes()
	return j.rep
}

// RareSeconds adds the breach that more than one notification in a thousand
// was a second mail. It is a bound for long runs: short ones have no statistics.
func (r *Report) RareSeconds() {
	if r.SecondMails*1000 > r.Notifications {
		r.Breaches = append(r.Breaches, fmt.Sprintf("%d second mails of %d notifications are more than 1 in 1,000", r.SecondMails, r.Notifications))
	}
}

func (j *judge) breach(format string, args ...any) {
	j.rep.Breaches = append(j.rep.Breaches, fmt.Sprintf(format, args...))
}

func (j *judge) alarm(a Alarm) {
	if a.Acknowledged {
		j.rep.Acknowledged++
	}
	events := j.events[a.Text]
	switch {
	case len(events) == 0 && a.Acknowledged:
		j.breach("alarm %q was acknowledged and is no event at central", a.Text)
	case len(events) > 1:
		j.breach("alarm %q is %d events", a.Text, len(events))
	}
	if len(events) == 0 {
		// Not acknowledged, and yet somebody may have been told of it.
		for _, channel := range j.channels {
			if n := len(j.handed[channel+a.Text]); n > 0 {
				j.breach("alarm %q: %d handed over by %s, and it is no event at central", a.Text, n, channel)
			}
		}
		return
	}
	for _, node := range j.nodes {
		if _, ok := j.journals[node][events[0].Position]; !ok && a.Acknowledged {
			j.breach("alarm %q was acknowledged and its entry %s is missing on %s", a.Text, events[0].Position, node)
		}
	}
	j.deliveries(a.Text, j.planned[events[0].ID])
}

// deliveries compares an event's notifications with what was handed over.
func (j *judge) deliveries(text string, planned []Notification) {
	seen := map[string]Notification{}
	for _, n := range planned {
		j.rep.Notifications++
		if _, twice := seen[n.Channel]; twice {
			j.breach("alarm %q has two notifications by %s for one contact", text, n.Channel)
		}
		seen[n.Channel] = n
		switch n.State {
		case "pending":
			j.breach("alarm %q: notification by %s never got an outcome", text, n.Channel)
		case "unknown":
			j.rep.Unknown++
		case "delivered":
			j.rep.Delivered++
		}
	}
	j.pushes(text, planned)
	channels := j.channels
	if !slices.Contains(channels, "webpush") {
		channels = append(slices.Clone(channels), "webpush")
	}
	for _, channel := range channels {
		must := slices.Contains(j.channels, channel)
		n, ok := seen[channel]
		if !ok && must {
			j.breach("alarm %q has no notification by %s", text, channel)
		}
		handed := j.handed[channel+text]
		if len(handed) == 0 && (must && n.State != "unknown" || n.State == "delivered") {
			j.breach("alarm %q: nothing arrived by %s, the outcome says %s %s", text, channel, n.State, n.Reason)
		}
		for _, h := range handed[min(1, len(handed)):] {
			if h.ID != handed[0].ID {
				j.breach("alarm %q was handed over by %s under two ids, %s and %s", text, channel, handed[0].ID, h.ID)
			}
		}
		switch again := len(handed) - 1; {
		case again < 1:
		case repeatable(channel):
			j.rep.Repeated[channel] += again
		default:
			j.rep.SecondMails += again
			if n.State != "unknown" {
				j.breach("alarm %q: %d handed over by %s, the outcome says %s", text, len(handed), channel, n.State)
			}
		}
	}
}

// sameBytes compares what several nodes hold at one position.
func (j *judge) sameBytes() {
	for i, node := range j.nodes {
		for at, digest := range j.journals[node] {
			for _, other := range j.nodes[i+1:] {
				if d, ok := j.journals[other][at]; ok && d != digest {
					j.breach("entry %s differs between %s and %s", at, node, other)
				}
			}
		}
	}
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
