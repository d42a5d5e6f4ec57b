package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vedetta/wire/mesh"
)

// DemoOptions of `vedettactl local demo`.
type DemoOptions struct {
	Data   string
	Within time.Duration // for everything to be settled
	// Send sends one alarm to the addresses in turn and prints the exchange;
	// it returns 0 when it was acknowledged.
	Send func(ctx context.Context, to []string, account, key, data string, out io.Writer) int
}

type apiEvent struct {
	ID       string  `json:"id"`
	Code     string  `json:"code"`
	Category string  `json:"category"`
	Meaning  string  `json:"meaning"`
	Zone     *string `json:"zone"`
	Text     *string `json:"text"`
	Origin   string  `json:"origin"`
}

type apiNotification struct {
	ID      string  `json:"id"`
	EventID string  `json:"event_id"`
	Channel string  `json:"channel"`
	State   string  `json:"state"`
	Reason  *string `json:"reason"`
}

type page[T any] struct {
	Items []T `json:"items"`
}

// ShowAlarm sends an alarm to the running local mesh and follows it to its
// outcomes. It fails when a promise did not hold.
func ShowAlarm(ctx context.Context, o DemoOptions, out io.Writer) error {
	d, err := readDescription(o.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	text := "Prova " + time.Now().UTC().Format("15:04:05.000")
	var to []string
	for _, n := range d.Nodes {
		to = append(to, n.DC09)
	}
	fmt.Fprintf(out, "1. The panel %s reports a burglary in zone 1 (%s), encrypted.\n", d.Demo.Account, text)
	if code := o.Send(ctx, to, d.Demo.Account, d.Demo.Key, "Nri1/BA001^"+text+"^", out); code != 0 {
		return fmt.Errorf("the alarm was not acknowledged (exit %d)", code)
	}
	event, err := awaitEvent(ctx, d, text)
	if err != nil {
		return err
	}
	held, silent, err := durableSites(ctx, d, event.Origin)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "2. Acknowledged. Durable at %s.\n", strings.Join(held, ", "))
	if len(silent) > 0 {
		fmt.Fprintf(out, "   Not asked, for they don't answer now: %s.\n", strings.Join(silent, ", "))
	}
	if len(held)+len(silent) < len(d.Nodes)/2+1 {
		return fmt.Errorf("durable at %d datacenters only", len(held))
	}
	fmt.Fprintf(out, "3. The event: %s %s (%s), id %s.\n   On the page: %s (log in with %s, password %s).\n", event.Code, event.Meaning, event.Category, event.ID, d.Central, d.Demo.Email, d.Demo.Password)
	outcomes, err := awaitOutcomes(ctx, d, event.ID)
	if err != nil {
		return err
	}
	for _, n := range outcomes {
		reason := ""
		if n.Reason != nil {
			reason = " (" + *n.Reason + ")"
		}
		fmt.Fprintf(out, "4. Notification by %s: %s%s.\n", n.Channel, n.State, reason)
	}
	mails, pushes, hooks, err := caught(ctx, d, text)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "5. The catcher at %s holds %d mail, %d push message and %d webhook call for it.\n", d.Catcher, mails, pushes, hooks)
	if mails != 1 || pushes != 1 || hooks != 1 {
		return fmt.Errorf("want one mail, one push message and one webhook call, have %d, %d and %d", mails, pushes, hooks)
	}
	return nil
}

func readDescription(data string) (Description, error) {
	var d Description
	b, err := os.ReadFile(filepath.Join(data, DescriptionFile))
	if err != nil {
		return d, fmt.Errorf("no local mesh in %s (%w): start one with `make run`", data, err)
	}
	return d, json.Unmarshal(b, &d)
}

func awaitEvent(ctx context.Context, d Description, text string) (apiEvent, error) {
	for {
		var p page[apiEvent]
		away := get(ctx, d.Central+"/api/v1/events?limit=50", d.APIKey, &p) // it may be starting again
		for _, ev := range p.Items {
			if ev.Text != nil && strings.Contains(*ev.Text, text) {
				return ev, nil
			}
		}
		if err := pause(ctx, "the event at central"); err != nil {
			return apiEvent{}, errors.Join(err, away)
		}
	}
}

func awaitOutcomes(ctx context.Context, d Description, event string) ([]apiNotification, error) {
	for {
		var p page[apiNotification]
		away := get(ctx, d.Central+"/api/v1/notifications?limit=200", d.APIKey, &p)
		var mine []apiNotification
		settled := true
		for _, n := range p.Items {
			if n.EventID == event {
				mine = append(mine, n)
				settled = settled && n.State != "pending"
			}
		}
		if len(mine) > 0 && settled {
			return mine, nil
		}
		if err := pause(ctx, "the outcomes of its notifications"); err != nil {
			return nil, errors.Join(err, away)
		}
	}
}

// durableSites asks every node how far it has flushed the event's origin.
func durableSites(ctx context.Context, d Description, origin string) (held, silent []string, err error) {
	pos, err := mesh.ParsePosition(origin)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range d.Nodes {
		var st struct {
			Marks map[string]struct {
				Flushed uint64 `json:"flushed"`
			} `json:"marks"`
		}
		if err := get(ctx, n.Status+"/status", "", &st); err != nil {
			silent = append(silent, n.Site) // what it holds can't be shown now
			continue
		}
		if st.Marks[pos.Origin.String()].Flushed >= pos.Number {
			held = append(held, n.Site)
		}
	}
	return held, silent, nil
}

func caught(ctx context.Context, d Description, text string) (mails, pushes, hooks int, err error) {
	for path, n := range map[string]*int{"/messages": &mails, "/pushes": &pushes, "/webhooks": &hooks} {
		var list []map[string]any
		if err := get(ctx, d.Catcher+path, "", &list); err != nil {
			return 0, 0, 0, err
		}
		*n = holding(list, text)
	}
	return mails, pushes, hooks, nil
}

func holding(list []map[string]any, text string) (n int) {
	for _, m := range list {
		if b, err := json.Marshal(m); err == nil && strings.Contains(string(b), text) {
			n++
		}
	}
	return n
}

func get(ctx context.Context, url, key string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer (is `make run` still running?): %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func pause(ctx context.Context, what string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("waited too long for %s", what)
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}
