package portal

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/wire/event"
	"vedetta/wire/mesh"
)

// defaultZone is where a panel stands that says nothing else.
const defaultZone = "Europe/Rome"

// eventView is one event as the page shows it.
type eventView struct {
	ID            string
	ReceivedMs    int64
	Day, DayName  string
	Clock, ISO    string
	PanelClock    string // empty when the panel said nothing or the same second
	Category      string
	CategoryName  string
	Qualifier     string
	QualifierName string
	Tone          string // danger, alarm, notice, good, quiet: the colour, and said in words by the others
	Title         string
	Code          string
	Panel         string
	Account       string
	Link          string // its own page
	Facts         []fact
	Text          string
	Copies        int
	Late          bool
	Ours          bool // the mesh made it, such as of a silence: nothing has come from the panel
	Notifications []notificationView
	Lang          Language
}

// T is a text of the view's language.
func (v eventView) T(key string, args ...any) string { return v.Lang.T(key, args...) }

// N is a text of the view's language that depends on a number.
func (v eventView) N(key string, n int, args ...any) string { return v.Lang.N(key, n, args...) }

type fact struct{ Name, Value string }

type notificationView struct {
	Channel, ChannelName string
	Contact              string
	State, StateName     string
	Reason               string
	Clock, ISO           string
	Attempts             int
	Tone                 string
}

// viewer turns rows into views for one page.
type viewer struct {
	lang  Language
	names premises.Names
	zones map[string]*time.Location
}

func (p *Portal) viewer(ctx context.Context, lang Language, customer string) (*viewer, error) {
	names, err := p.premises.Names(ctx, customer)
	if err != nil {
		return nil, err
	}
	return &viewer{lang, names, map[string]*time.Location{}}, nil
}

func (v *viewer) zone(panel string) *time.Location {
	name := v.names.Panels[panel].TimeZone
	if l, ok := v.zones[name]; ok {
		return l
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "" {
		if l, err = time.LoadLocation(defaultZone); err != nil {
			l = time.UTC
		}
	}
	v.zones[name] = l
	return l
}

func (v *viewer) event(e history.Event, list []history.Notification) eventView {
	l, zone := v.lang, v.zone(e.Panel)
	at := time.Time(e.ReceivedTime).In(zone)
	out := eventView{
		ID: e.ID, ReceivedMs: at.UnixMilli(), Day: at.Format(time.DateOnly), DayName: l.Day(at), Clock: l.Clock(at), ISO: at.Format(time.RFC3339),
		Category: e.Category, CategoryName: event.Category(e.Category).Name(l.Code),
		Qualifier: e.Qualifier, QualifierName: l.Or("qualifier."+e.Qualifier, e.Qualifier), Tone: tone(e.Category, e.Qualifier),
		Code: e.Code, Panel: v.names.Panels[e.Panel].Name, Account: e.Account, Link: eventLink(e.ID), Copies: e.Copies, Late: e.Late, Lang: l,
		Ours:  strings.HasPrefix(e.Origin, mesh.AgreementNode+"."),
		Title: title(l, e),
	}
	if e.PanelTime != nil {
		said := time.Time(*e.PanelTime).In(zone)
		switch diff := at.Sub(said).Abs(); {
		case diff < 2*time.Second:
		case said.Format(time.DateOnly) == out.Day:
			out.PanelClock = l.Clock(said)
		default:
			out.PanelClock = l.Stamp(said)
		}
	}
	if e.Partition != nil {
		out.Facts = append(out.Facts, fact{l.T("event.partition"), *e.Partition})
	}
	if e.Zone != nil {
		value := *e.Zone
		if e.ZoneName != nil {
			value += " · " + *e.ZoneName
		}
		out.Facts = append(out.Facts, fact{l.T("event.zone"), value})
	}
	if e.User != nil {
		out.Facts = append(out.Facts, fact{l.T("event.user"), *e.User})
	}
	if e.Text != nil {
		out.Text = *e.Text
	}
	for _, n := range list {
		out.Notifications = append(out.Notifications, v.notification(n, zone, out.Day))
	}
	return out
}

// title is what an event means, in words.
func title(l Language, e history.Event) string {
	meaning := e.Meaning
	if l.Code == "it" {
		meaning = e.MeaningIt
	}
	if meaning != nil {
		return *meaning
	}
	return l.T("event.unknown_code", e.Code)
}

func eventLink(id string) string { return "/events/" + url.PathEscape(id) }

func (v *viewer) notification(n history.Notification, zone *time.Location, day string) notificationView {
	l := v.lang
	at := n.Time
	if n.HandedOverTime != nil {
		at = *n.HandedOverTime
	}
	t := time.Time(at).In(zone)
	out := notificationView{
		Channel: n.Channel, ChannelName: l.Or("channel."+n.Channel, n.Channel), Contact: v.names.Contacts[n.ContactID],
		State: n.State, StateName: l.Or("state."+n.State, n.State), Clock: l.Clock(t), ISO: t.Format(time.RFC3339), Attempts: n.Attempts,
	}
	if t.Format(time.DateOnly) != day {
		out.Clock = l.Stamp(t)
	}
	if out.Contact == "" {
		out.Contact = l.T("contact.deleted")
	}
	if n.Reason != nil {
		out.Reason = reason(l, n.Channel, *n.Reason)
		if n.Channel == "webhook" && strings.HasPrefix(text(n.ProviderRef), "http ") {
			out.Reason += " (" + *n.ProviderRef + ")"
		}
	}
	out.Tone = stateTone(n.State)
	return out
}

// reason says a reason in words. A webhook has no provider: it is the customer's
// own server that refuses.
func reason(l Language, channel, word string) string {
	return l.Or("reason."+channel+"."+word, l.Or("reason."+word, word))
}

// stateTone is the colour of a notification's state.
func stateTone(state string) string {
	switch state {
	case "delivered":
		return "good"
	case "pending":
		return "notice"
	case "refused", "expired", "unknown":
		return "alarm"
	}
	return "quiet"
}

// tone is how loud an event looks: life safety, alarms, faults, the end of
// something, and daily life.
func tone(category, qualifier string) string {
	switch c := event.Category(category); {
	case qualifier == string(event.Restore) && c != event.OpenClose && c != event.Access && c != event.Bypass:
		return "good"
	case c.LifeSafety():
		return "danger"
	case slices.Contains([]event.Category{event.Burglary, event.Tamper, event.Water, event.Other}, c):
		return "alarm"
	case slices.Contains([]event.Category{event.Technical, event.Trouble, event.Power, event.Communication}, c):
		return "notice"
	}
	return "quiet"
}
