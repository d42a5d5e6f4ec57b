package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"vedetta/node/channel"
	wire "vedetta/wire/event"
)

// bodyVersion is the version of the body's form.
const bodyVersion = 1

type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

type body struct {
	Version   int    `json:"version"`
	Type      string `json:"type"`
	Timestamp stamp  `json:"timestamp"`
	Data      data   `json:"data"`
}

type data struct {
	Event        event        `json:"event"`
	Panel        panel        `json:"panel"`
	Notification notification `json:"notification"`
}

// event has the keys of the API.
type event struct {
	ID           string  `json:"id"`
	Account      string  `json:"account"`
	Prefix       *string `json:"prefix"`
	Receiver     *string `json:"receiver"`
	Standard     string  `json:"standard"`
	Code         string  `json:"code"`
	Qualifier    string  `json:"qualifier"`
	Category     string  `json:"category"`
	Meaning      *string `json:"meaning"`
	MeaningIT    *string `json:"meaning_it"`
	Partition    *string `json:"partition"`
	Zone         *string `json:"zone"`
	ZoneName     *string `json:"zone_name"`
	User         *string `json:"user"`
	Text         *string `json:"text"`
	PanelTime    *stamp  `json:"panel_time"`
	ReceivedTime stamp   `json:"received_time"`
	Origin       string  `json:"origin"`
	Copies       int     `json:"copies"`
	Late         bool    `json:"late"`

	Extended    []extended   `json:"extended"`
	Coordinates *coordinates `json:"coordinates"`
}

// extended is one field of extended data.
type extended struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

type coordinates struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type panel struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Account string `json:"account"`
}

type notification struct {
	ID        string `json:"id"`
	EventID   string `json:"event_id"`
	ContactID string `json:"contact_id"`
	Channel   string `json:"channel"`
}

func compose(m channel.Message) ([]byte, error) {
	e := m.Event
	b := body{
		Version: bodyVersion, Type: "notification", Timestamp: stamp(e.Received),
		Data: data{
			Event: event{
				ID: e.ID, Account: m.Panel.Account, Prefix: e.Prefix, Receiver: e.Receiver, Standard: e.Standard, Code: e.Code,
				Qualifier: e.Qualifier, Category: e.Category, Meaning: orNull(e.Meaning), MeaningIT: orNull(e.MeaningIT),
				Partition: orNull(e.Partition), Zone: orNull(e.Zone), ZoneName: orNull(e.ZoneName), User: orNull(e.User), Text: orNull(e.Text),
				ReceivedTime: stamp(e.Received), Origin: e.Origin, Copies: max(1, e.Copies), Late: e.Late,
			},
			Panel:        panel{m.Panel.ID, m.Panel.Name, m.Panel.Account},
			Notification: notification{m.Notification, e.ID, m.Contact, "webhook"},
		},
	}
	if !e.PanelTime.IsZero() {
		at := stamp(e.PanelTime)
		b.Data.Event.PanelTime = &at
	}
	b.Data.Event.Extended = []extended{}
	for _, x := range e.Extended {
		b.Data.Event.Extended = append(b.Data.Event.Extended, extended{x.ID, x.Key(), orNull(x.Value)})
	}
	if latitude, longitude, ok := wire.Coordinates(e.Extended); ok {
		b.Data.Event.Coordinates = &coordinates{latitude, longitude}
	}
	out, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return out, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
