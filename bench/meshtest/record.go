package meshtest

import (
	"fmt"
	"net/url"

	"vedetta/bench/verdict"
)

// Record collects what the catcher holds and what central shows; the alarms
// are the caller's to add.
func (m *Mesh) Record() (verdict.Record, error) {
	var r verdict.Record
	var err error
	if r.Mails, r.Hooks, err = m.Caught(); err != nil {
		return r, err
	}
	if r.Pushes, err = m.Pushes(); err != nil {
		return r, err
	}
	type event struct {
		ID     string  `json:"id"`
		Text   *string `json:"text"`
		Copies int     `json:"copies"`
	}
	events, err := pages[event](m, "/api/v1/events")
	if err != nil {
		return r, err
	}
	for _, e := range events {
		if e.Text != nil {
			r.Events = append(r.Events, verdict.Event{ID: e.ID, Text: verdict.Marked(*e.Text), Copies: e.Copies})
		}
	}
	type notification struct {
		ID      string  `json:"id"`
		EventID string  `json:"event_id"`
		Channel string  `json:"channel"`
		State   string  `json:"state"`
		Reason  *string `json:"reason"`
	}
	notifications, err := pages[notification](m, "/api/v1/notifications")
	if err != nil {
		return r, err
	}
	for _, n := range notifications {
		v := verdict.Notification{ID: n.ID, EventID: n.EventID, Channel: n.Channel, State: n.State}
		if n.Reason != nil {
			v.Reason = *n.Reason
		}
		r.Notifications = append(r.Notifications, v)
	}
	return r, nil
}

// Caught is what the catcher holds.
func (m *Mesh) Caught() ([]verdict.Mail, []verdict.Hook, error) {
	var mails []struct {
		To      any            `json:"to"`
		Subject string         `json:"subject"`
		Text    string         `json:"text"`
		Headers map[string]any `json:"headers"`
	}
	if err := m.Get(m.Catcher+"/messages", &mails); err != nil {
		return nil, nil, err
	}
	var hooks []struct {
		ID   string `json:"id"`
		Body any    `json:"body"`
	}
	if err := m.Get(m.Catcher+"/webhooks", &hooks); err != nil {
		return nil, nil, err
	}
	outMails := []verdict.Mail{}
	for _, x := range mails {
		id := fmt.Sprint(x.Headers["Message-Id"])
		if x.Headers["Message-Id"] == nil {
			id = fmt.Sprint(x.Headers["Message-ID"])
		}
		outMails = append(outMails, verdict.Mail{MessageID: id, To: fmt.Sprint(x.To), Body: x.Subject + "\n" + x.Text})
	}
	outHooks := []verdict.Hook{}
	for _, h := range hooks {
		outHooks = append(outHooks, verdict.Hook{ID: h.ID, Body: fmt.Sprint(h.Body)})
	}
	return outMails, outHooks, nil
}

// Pushes is what the catcher holds of push messages, opened.
func (m *Mesh) Pushes() ([]verdict.Push, error) {
	var pushes []struct {
		ID      string `json:"id"`
		Topic   string `json:"topic"`
		Tag     string `json:"tag"`
		Payload any    `json:"payload"`
	}
	if err := m.Get(m.Catcher+"/pushes", &pushes); err != nil {
		return nil, err
	}
	out := []verdict.Push{}
	for _, p := range pushes {
		out = append(out, verdict.Push{ID: p.ID, Topic: p.Topic, Tag: p.Tag, Body: fmt.Sprint(p.Payload)})
	}
	return out, nil
}

// pages reads a whole list of the API, page by page.
func pages[T any](m *Mesh, path string) ([]T, error) {
	var all []T
	cursor := ""
	for {
		q := url.Values{"limit": {"1000"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var p struct {
			Items []T     `json:"items"`
			Next  *string `json:"next"`
		}
		if err := m.Get(m.Central+path+"?"+q.Encode(), &p); err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if p.Next == nil {
			return all, nil
		}
		cursor = *p.Next
	}
}
