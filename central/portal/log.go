package portal

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"vedetta/central/history"
)

const linesPerPage = 50

// logPage is the notification log.
type logPage struct {
	Lines    []logLine
	Panels   []choice
	Contacts []choice
	Channels []choice
	States   []choice
	Filtered bool
	Older    string // link, empty on the last page
	First    string // link of the first page, empty on it
}

type logLine struct {
	notificationView
	Title, Panel, Link string // of the event
	Category           string
	EventTone          string
}

// channels and states that can occur, in the order in which they are shown.
func channels() []string { return []string{"email", "webpush", "webhook"} }

func states() []string {
	return []string{"pending", "delivered", "refused", "unknown", "cancelled", "expired"}
}

func (p *Portal) notifications(v visit) error {
	ctx, get := v.r.Context(), v.r.URL.Query().Get
	panel := get("panel")
	q := history.LogQuery{State: get("state"), Channel: get("channel"), Contact: get("contact"), Query: history.Query{Cursor: get("before"), Limit: linesPerPage}}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	if panel != "" {
		chosen, ok := view.names.Panels[panel]
		if !ok {
			return errNotFound
		}
		q.Account = chosen.Account
	}
	found, err := p.history.Log(ctx, v.user.Customer, q)
	if err != nil {
		return err
	}
	here := func(before string) string {
		return with("/notifications", "panel", panel, "contact", q.Contact, "channel", q.Channel, "state", q.State, "before", before)
	}
	content := logPage{Panels: view.choices("", panel), Contacts: view.contacts(q.Contact), Channels: v.options("channel.", channels(), q.Channel),
		States: v.options("state.", states(), q.State), Filtered: panel != "" || q.Contact != "" || q.Channel != "" || q.State != ""}
	if content.Lines, err = p.lines(ctx, v, view, found.Items); err != nil {
		return err
	}
	if found.Next != nil {
		content.Older = here(*found.Next)
	}
	if q.Cursor != "" {
		content.First = here("")
	}
	pg := v.page("log", "log.title")
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "log.html", pg)
	return nil
}

func (p *Portal) lines(ctx context.Context, v visit, view *viewer, list []history.Notification) ([]logLine, error) {
	events := map[string]history.Event{}
	var out []logLine
	for _, n := range list {
		e, ok := events[n.EventID]
		if !ok {
			var err error
			if e, _, err = p.history.Event(ctx, v.user.Customer, n.EventID); err != nil {
				return nil, err
			}
			events[n.EventID] = e
		}
		line := logLine{notificationView: view.notification(n, view.zone(e.Panel), ""), Title: title(v.lang, e), Panel: view.names.Panels[e.Panel].Name,
			Link: eventLink(e.ID), Category: e.Category, EventTone: tone(e.Category, e.Qualifier)}
		line.Clock = v.lang.Stamp(time.Time(n.Time).In(view.zone(e.Panel)))
		out = append(out, line)
	}
	return out, nil
}

// options of a closed list, named by the catalogue.
func (v visit) options(family string, values []string, chosen string) []choice {
	var list []choice
	for _, s := range values {
		list = append(list, choice{Value: s, Name: v.lang.T(family + s), Chosen: s == chosen})
	}
	return list
}

// contacts lists the customer's contacts by name.
func (v *viewer) contacts(chosen string) []choice {
	var list []choice
	for id, name := range v.names.Contacts {
		list = append(list, choice{Value: id, Name: name, Chosen: id == chosen})
	}
	slices.SortFunc(list, func(a, b choice) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	return list
}
