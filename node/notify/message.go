package notify

import (
	"strings"
	"time"

	"vedetta/node/alerting"
	"vedetta/node/channel"
	"vedetta/node/roster"
	"vedetta/wire/event"
	"vedetta/wire/mesh"
)

// message gathers what a channel words. value is the opened address.
func message(item alerting.Item, value, language string, place Place) channel.Message {
	n, e := item.Notification, item.Event
	if language == "" {
		language = item.Language
	}
	m := channel.Message{
		Notification: n.ID, Customer: item.Customer, Contact: n.Contact, Language: language, Address: value, Urgent: n.Urgent,
		Panel: channel.Panel{ID: item.Panel, Name: item.PanelName, Account: item.Account, TimeZone: item.TimeZone},
		Event: channel.Event{
			ID: n.Event, Standard: e.Standard, Code: e.Code, Qualifier: e.Qualifier, Category: e.Category, Partition: e.Partition, Zone: e.Zone,
			ZoneName: place.ZoneName, User: e.User, Text: e.Text, Extended: event.ExtendedLines(e.Extended), Prefix: place.Prefix, Receiver: place.Receiver, Copies: 1, Late: item.Late,
			Received: item.Received,
		},
	}
	if e.PanelMs != 0 {
		m.Event.PanelTime = time.UnixMilli(e.PanelMs).UTC()
	}
	m.Event.Meaning, m.Event.MeaningIT = meaning(e.Standard, e.Code, e.Qualifier)
	if i := strings.LastIndexByte(n.Event, '.'); i > 0 { // an event id is the entry's place and an index (rule 10)
		m.Event.Origin = n.Event[:i]
		if p, err := mesh.ParsePosition(m.Event.Origin); err == nil {
			m.Event.Datacenter = p.Origin.Node
		}
	}
	return m
}

func meaning(standard, code, qualifier string) (en, it string) {
	row, ok := event.Lookup(event.Standard(standard), code)
	if !ok {
		return "", ""
	}
	if qualifier == string(event.Restore) && row.Restored != "" {
		return row.Restored, row.RestoredIT
	}
	return row.Meaning, row.MeaningIT
}

// FromRoster is the Addressbook over a node's roster.
func FromRoster(r *roster.Roster) Addressbook { return book{r} }

type book struct{ *roster.Roster }

// Place is Addressbook.
func (b book) Place(customer, panel, zone string) Place {
	l, ok := b.Snapshot().Customer(customer)
	if !ok {
		return Place{}
	}
	p, ok := l.Panel(panel)
	if !ok {
		return Place{}
	}
	return Place{ZoneName: roster.ZoneName(p, zone), Prefix: p.Prefix, Receiver: p.Receiver}
}
