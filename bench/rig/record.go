package rig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"time"

	"vedetta/bench/verdict"
)

// Record collects what central shows and what the catcher holds; the alarms are
// the caller's to add. The catcher is asked last: what was delivered when
// central was asked is there then.
func (m *Mesh) Record() (verdict.Record, error) {
	var r verdict.Record
	type event struct {
		ID     string  `json:"id"`
		Text   *string `json:"text"`
		Origin string  `json:"origin"`
		Copies int     `json:"copies"`
	}
	events, err := pages[event](m, "/api/v1/events")
	if err != nil {
		return r, err
	}
	for _, e := range events {
		if e.Text != nil {
			r.Events = append(r.Events, verdict.Event{ID: e.ID, Text: verdict.Marked(*e.Text), Position: e.Origin, Copies: e.Copies})
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
	r.Handed, err = m.Caught()
	return r, err
}

// Caught is what the catcher holds, of every kind.
func (m *Mesh) Caught() ([]verdict.Handed, error) {
	out := []verdict.Handed{}
	var mails []struct {
		To       string            `json:"to"`
		Subject  string            `json:"subject"`
		Text     string            `json:"text"`
		Headers  map[string]string `json:"headers"`
		Received time.Time         `json:"received"`
	}
	if err := m.list("/messages", &mails); err != nil {
		return nil, err
	}
	for _, x := range mails {
		out = append(out, verdict.Handed{Channel: "email", ID: x.Headers["Message-Id"], To: x.To, Body: x.Subject + "\n" + x.Text, At: x.Received})
	}
	var hooks []struct {
		ID       string    `json:"id"`
		Body     string    `json:"body"`
		Received time.Time `json:"received"`
	}
	if err := m.list("/webhooks", &hooks); err != nil {
		return nil, err
	}
	for _, h := range hooks {
		out = append(out, verdict.Handed{Channel: "webhook", ID: h.ID, Body: h.Body, At: h.Received})
	}
	var pushes []struct {
		ID       string    `json:"id"`
		Topic    string    `json:"topic"`
		Tag      string    `json:"tag"`
		Payload  any       `json:"payload"`
		Received time.Time `json:"received"`
	}
	if err := m.list("/pushes", &pushes); err != nil {
		return nil, err
	}
	for _, p := range pushes {
		out = append(out, verdict.Handed{Channel: "webpush", ID: p.ID, Topic: p.Topic, Tag: p.Tag, Body: fmt.Sprint(p.Payload), At: p.Received})
	}
	return out, nil
}

// list reads a list of the catcher, however long.
func (m *Mesh) list(path string, into any) error {
	return m.get(m.Catcher+path, listsIn, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
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
