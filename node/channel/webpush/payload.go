package webpush

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"vedetta/node/channel"
	"vedetta/node/channel/wording"
	"vedetta/wire/event"
)

const (
	payloadVersion = 1
	// maxPayload is what one record of 4096 bytes holds: less 86 of its head,
	// 16 of its tag and 1 that ends the text (RFC 8188, 2).
	maxPayload = 4096 - 86 - 16 - 1
	// declarative is the number by which a browser knows a message that it may
	// show without a worker (W3C Push API, declarative push message).
	declarative = 8030
	textBytes   = 600 // of each text that people wrote
)

type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

type payload struct {
	Version      int          `json:"version"`
	ID           string       `json:"id"`
	WebPush      int          `json:"web_push,omitempty"`
	Notification notification `json:"notification"`
	Event        eventBody    `json:"event"`
	Panel        panel        `json:"panel"`
}

type notification struct {
	Title              string `json:"title"`
	Body               string `json:"body"`
	Lang               string `json:"lang"`
	Dir                string `json:"dir"`
	Tag                string `json:"tag"`
	Silent             bool   `json:"silent"`
	Renotify           bool   `json:"renotify"`
	RequireInteraction bool   `json:"requireInteraction"`
	Timestamp          int64  `json:"timestamp"` // Unix milliseconds
	Navigate           string `json:"navigate,omitempty"`
}

type eventBody struct {
	ID           string  `json:"id"`
	Standard     string  `json:"standard"`
	Code         string  `json:"code"`
	Qualifier    string  `json:"qualifier"`
	Category     string  `json:"category"`
	Meaning      *string `json:"meaning"`
	Partition    *string `json:"partition"`
	Zone         *string `json:"zone"`
	ZoneName     *string `json:"zone_name"`
	User         *string `json:"user"`
	Text         *string `json:"text"`
	PanelTime    *stamp  `json:"panel_time"`
	ReceivedTime stamp   `json:"received_time"`
	Late         bool    `json:"late"`
}

type panel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Topic is the first 24 bytes of SHA-256 of a notification's id, base64url:
// the 32 characters that RFC 8030 allows (rule 10). It is the tag as well.
func Topic(notification string) string {
	sum := sha256.Sum256([]byte(notification))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// compose makes the payload, the same at every attempt. Texts are cut until it fits.
func (c *Channel) compose(m channel.Message) ([]byte, error) {
	for limit := textBytes; limit > 0; limit /= 2 {
		b, err := c.composeWithin(m, limit)
		if err != nil || len(b) <= maxPayload {
			return b, err
		}
	}
	return nil, fmt.Errorf("webpush: notification %s doesn't fit into %d bytes", m.Notification, maxPayload)
}

func (c *Channel) composeWithin(m channel.Message, limit int) ([]byte, error) {
	w, e := wording.Of(m), m.Event
	cut := func(s string) string { return clip(wording.OneLine(s), limit) }
	orNull := func(s string) *string {
		if s = cut(s); s == "" {
			return nil
		}
		return &s
	}
	var body []string
	add := func(line string) {
		if line != "" {
			body = append(body, line)
		}
	}
	if e.Late {
		add(w.Pick("In ritardo: fa fede l'ora indicata.", "Late: the time below counts."))
	}
	add(cut(w.Meaning))
	add(cut(e.Text))
	if e.PanelTime.IsZero() {
		add(c.zones.When(e.Received, m.Panel.TimeZone, w.Lang))
	} else {
		add(c.zones.When(e.PanelTime, m.Panel.TimeZone, w.Lang))
	}
	p := payload{
		Version: payloadVersion, ID: m.Notification,
		Notification: notification{
			Title: clip(w.Headline(), limit), Body: strings.Join(body, "\n"), Lang: w.Lang, Dir: "ltr", Tag: Topic(m.Notification),
			RequireInteraction: m.Urgent, Timestamp: e.Received.UnixMilli(),
		},
		Event: eventBody{
			ID: e.ID, Standard: e.Standard, Code: cut(e.Code), Qualifier: e.Qualifier, Category: e.Category, Meaning: orNull(w.Meaning), Partition: orNull(e.Partition),
			Zone: orNull(e.Zone), ZoneName: orNull(e.ZoneName), User: orNull(e.User), Text: orNull(e.Text), ReceivedTime: stamp(e.Received), Late: e.Late,
		},
		Panel: panel{m.Panel.ID, cut(m.Panel.Name)},
	}
	if !e.PanelTime.IsZero() {
		at := stamp(e.PanelTime)
		p.Event.PanelTime = &at
	}
	if c.cfg.Portal != "" {
		p.WebPush = declarative
		p.Notification.Navigate = strings.TrimRight(c.cfg.Portal, "/") + EventPath(e.ID)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // no page is made of it
	if err := enc.Encode(p); err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// EventPath is where the portal shows one event; its worker opens the same.
func EventPath(id string) string { return "/events/" + url.PathEscape(id) }

// clip cuts s to at most n bytes, between two characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const dots = "…"
	n = max(0, n-len(dots))
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}

// urgent says whether a device may be woken for it (RFC 8030, 5.3): for an
// alarm it is; other events wait until it wakes by itself.
func urgent(m channel.Message) bool {
	if m.Urgent {
		return true
	}
	if m.Event.Qualifier == "restore" {
		return false
	}
	switch event.Category(m.Event.Category) {
	case event.OpenClose, event.Bypass, event.Access, event.Test, event.System:
		return false
	}
	return true
}
