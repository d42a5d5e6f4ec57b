package portal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/premises"
)

// panelForm is the page to add or edit a panel.
type panelForm struct {
	*form
	New                                   bool
	KeySet                                bool
	KeyText                               string
	Made                                  bool // the key in the form was drawn here just now
	Name, Account, Prefix, Receiver       input
	Key, Poll, Grace, TimeZone            input
	Profile                               input
	Alternative                           []input // how it is known
	AlternativeTimes                      []input
	AlternativeOpen                       bool
	ZoneRows                              []zoneRow
	Rows                                  int
	KeyRemoved                            bool
	Reception                             receptionForm
	Ring                                  ringForm
	SupervisionFault, KeyFault, ZoneFault bool // opens what is folded
}

type zoneRow struct{ Number, Name input }

func (p *Portal) newPanel(v visit) error {
	b := premises.NewPanel()
	b.Account = strings.ToUpper(randomHex(4))
	return p.showPanel(v, "", "", panelValues(b), premises.PanelBody{}, nil)
}

func (p *Portal) editPanel(v visit) error {
	b, err := p.onePanel(v)
	if err != nil {
		return err
	}
	return p.showPanel(v, b.ID, b.Tag, panelValues(b), b, nil)
}

func (p *Portal) onePanel(v visit) (premises.PanelBody, error) {
	b, err := p.premises.Panel(v.r.Context(), v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, premises.ErrNone) {
		err = errNotFound
	}
	return b, err
}

// savePanel adds a panel or, with an id in the path, changes one.
func (p *Portal) savePanel(v visit) error {
	ctx, id, values := v.r.Context(), v.r.PathValue("id"), v.r.PostForm
	packZones(values)
	var had premises.PanelBody
	if id != "" {
		var err error
		if had, err = p.onePanel(v); err != nil {
			return err
		}
	}
	tag := values.Get("tag")
	switch values.Get("action") {
	case "rows":
		values.Set("rows", strconv.Itoa(number(values.Get("rows"))+10))
		return p.showPanel(v, id, tag, values, had, nil)
	case "make_key":
		values.Set("key", strings.ToUpper(randomHex(16)))
		return p.showPanel(v, id, tag, values, had, nil)
	case "make_next_key":
		values.Set("next_key", strings.ToUpper(randomHex(16)))
		return p.showPanel(v, id, tag, values, had, nil)
	}
	var saved premises.PanelBody
	err := p.premises.Edit(ctx, time.Now(), v.user.Customer, func(c *premises.Change) (err error) {
		if id == "" {
			b := premises.NewPanel()
			panelOf(values, &b)
			if saved, err = c.AddPanel(b); err != nil {
				return err
			}
			return retyped(values, "key")
		}
		if values.Get("action") == "promote_key" {
			saved, err = c.PromoteKey(id, tag, premises.PreviousKept)
			return err
		}
		if saved, err = c.EditPanel(id, tag, func(b *premises.PanelBody) error { panelOf(values, b); return nil }); err != nil {
			return err
		}
		return retyped(values, "key", "next_key")
	})
	if errors.Is(err, premises.ErrNone) {
		return errNotFound
	}
	if err != nil {
		return p.showPanel(v, id, tag, values, had, err)
	}
	p.await(ctx, v, saved.Revision)
	if id == "" {
		return v.to("/panels/"+saved.ID, "added")
	}
	return v.to("/panels/"+saved.ID, "saved")
}

// awaitInForce is how long an answer waits for the mesh to have a change, so
// that the page that comes can say it is in force.
const awaitInForce = 1500 * time.Millisecond

func (p *Portal) await(ctx context.Context, v visit, revision uint64) {
	if _, err := p.premises.AwaitInForce(ctx, v.user.Customer, revision, awaitInForce); err != nil && ctx.Err() == nil {
		p.log.Error("not known whether the mesh has a change", "err", err) // the page tells it as not yet in force
	}
}

// showPanel shows the form; err is what premises said to the values.
func (p *Portal) showPanel(v visit, id, tag string, values url.Values, had premises.PanelBody, err error) error {
	action := "/panels"
	if id != "" {
		action += "/" + id
	}
	f, handled := newForm(v.lang, action, tag, values, err)
	if !handled {
		return err
	}
	if f.Conflict {
		f.Tag, f.stored = had.Tag, panelValues(had)
	}
	made, nextMade := values.Get("action") == "make_key", values.Get("action") == "make_next_key"
	c := panelForm{form: f, New: id == "", KeySet: had.KeySet, KeyText: keyText(v.lang, had), Made: made, KeyRemoved: values.Get("key_remove") != ""}
	c.Name = f.input(input{Name: "name", Label: "panel.name", Hint: "panel.name_hint", Required: true, Autocomplete: "off"})
	c.Account = f.input(input{Name: "account", Label: "panel.account", Hint: "panel.account_hint", Required: true, Short: true, Autocomplete: "off", SpellFree: true})
	keyHint, keyWaive := "panel.key_hint", "panel.key_waive"
	if had.KeySet {
		keyHint, keyWaive = "panel.key_hint_kept", "form.secret_keep"
	}
	c.Key = f.secret(input{Name: "key", Label: "panel.key", Hint: keyHint, Autocomplete: "off", SpellFree: true}, made, err != nil, "panel.key_again", keyWaive)
	c.ring(had, p.zoneOf(had), nextMade, err != nil)
	c.reception(had)
	c.Prefix = f.input(input{Name: "prefix", Label: "panel.prefix", Hint: "panel.prefix_hint", Short: true, Autocomplete: "off", SpellFree: true})
	c.Receiver = f.input(input{Name: "receiver", Label: "panel.receiver", Hint: "panel.receiver_hint", Short: true, Autocomplete: "off", SpellFree: true})
	c.Poll = f.input(input{Name: "poll_seconds", Label: "panel.poll_seconds", Hint: "panel.poll_hint", Mode: "numeric", Short: true, Autocomplete: "off"})
	c.Grace = f.input(input{Name: "grace_seconds", Label: "panel.grace_seconds", Hint: "panel.grace_hint", Mode: "numeric", Short: true, Autocomplete: "off"})
	c.supervision(values)
	c.TimeZone = f.input(input{Name: "time_zone", Label: "panel.time_zone", Hint: "panel.time_zone_hint", Pick: zoneNames(values.Get("time_zone"))})
	c.zones(values)
	f.end()
	title := "panel.new"
	if id != "" {
		title = "panel.edit"
	}
	return p.showForm(v, "panels", title, "panelform.html", c, f, err)
}

// zoneOf is the time zone of a panel's premises.
func (p *Portal) zoneOf(b premises.PanelBody) *time.Location {
	if zone, err := time.LoadLocation(b.TimeZone); err == nil {
		return zone
	}
	return time.UTC
}

// showForm answers a form that is shown again, or for the first time.
func (p *Portal) showForm(v visit, section, title, template string, content any, f *form, err error) error {
	status := http.StatusOK
	switch {
	case f.Conflict:
		status = http.StatusConflict
	case err != nil:
		status = http.StatusUnprocessableEntity
	}
	pg := v.page(section, title)
	pg.Content, pg.Problems = content, len(f.Problems)
	if f.Conflict {
		pg.Problems++
	}
	p.render(v.w, v.r, status, template, pg)
	return nil
}

func (c *panelForm) zones(values url.Values) {
	n := 0
	for ; values.Has(zoneField(n, "number")); n++ {
	}
	c.Rows = max(number(values.Get("rows")), n+3, 4)
	c.Rows = min(c.Rows, 1000)
	for i := range c.Rows {
		row := zoneRow{
			c.input(input{Name: zoneField(i, "number"), Label: "panel.zone_number_of", Row: i + 1, Autocomplete: "off", SpellFree: true}),
			c.input(input{Name: zoneField(i, "name"), Label: "panel.zone_name_of", Row: i + 1, Autocomplete: "off"})}
		c.ZoneRows = append(c.ZoneRows, row)
	}
}

func zoneField(i int, part string) string { return fmt.Sprintf("zones[%d].%s", i, part) }

// packZones closes the gaps that empty rows leave, so that a zone's place in
// the form is its place in the body.
func packZones(values url.Values) {
	at := 0
	for i := 0; values.Has(zoneField(i, "number")) || values.Has(zoneField(i, "name")); i++ {
		number, name := strings.TrimSpace(values.Get(zoneField(i, "number"))), strings.TrimSpace(values.Get(zoneField(i, "name")))
		values.Del(zoneField(i, "number"))
		values.Del(zoneField(i, "name"))
		if number == "" && name == "" {
			continue
		}
		values.Set(zoneField(at, "number"), number)
		values.Set(zoneField(at, "name"), name)
		at++
	}
}

// panelValues is a panel as its form has it; the key isn't in it.
func panelValues(b premises.PanelBody) url.Values {
	values := url.Values{"name": {b.Name}, "account": {b.Account}, "prefix": {text(b.Prefix)}, "receiver": {text(b.Receiver)},
		"poll_seconds": {strconv.Itoa(b.PollSeconds)}, "grace_seconds": {strconv.Itoa(b.GraceSeconds)}, "time_zone": {b.TimeZone}}
	supervisionValues(b.Supervision, values)
	receptionValues(b.Reception, values)
	for i, z := range b.Zones {
		values.Set(zoneField(i, "number"), z.Number)
		values.Set(zoneField(i, "name"), z.Name)
	}
	return values
}

// panelOf writes a form's values into a panel.
func panelOf(values url.Values, b *premises.PanelBody) {
	get := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	b.Name, b.Account, b.TimeZone = get("name"), get("account"), get("time_zone")
	b.Prefix, b.Receiver = optional(values.Get("prefix")), optional(values.Get("receiver"))
	b.PollSeconds, b.GraceSeconds = number(get("poll_seconds")), number(get("grace_seconds"))
	b.Supervision = supervisionTyped(values)
	receptionTyped(values, b)
	keyTyped(values.Get("key"), values.Get("key_remove") != "", &b.Key)
	ringTyped(values, b)
	b.Zones = []premises.ZoneBody{}
	for i := 0; values.Has(zoneField(i, "number")); i++ {
		b.Zones = append(b.Zones, premises.ZoneBody{Number: values.Get(zoneField(i, "number")), Name: values.Get(zoneField(i, "name"))})
	}
}

// keyTyped sets a key that was typed, or takes it away.
func keyTyped(key string, remove bool, to *string) {
	switch {
	case strings.HasPrefix(key, "text:"): // spaces are part of it
		*to = key
	case strings.TrimSpace(key) != "":
		*to = strings.TrimSpace(key)
	case remove:
		*to = ""
	}
}

// zoneNames are the time zones to choose from; any other that is set stays.
func zoneNames(chosen string) []tick {
	names := []string{"Europe/Rome", "Europe/Amsterdam", "Europe/Athens", "Europe/Belgrade", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest",
		"Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Lisbon", "Europe/Ljubljana", "Europe/London", "Europe/Luxembourg", "Europe/Madrid", "Europe/Malta",
		"Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Sofia", "Europe/Stockholm", "Europe/Tirane", "Europe/Vienna", "Europe/Vilnius", "Europe/Warsaw", "Europe/Zagreb", "Europe/Zurich",
		"Atlantic/Canary", "Africa/Tunis", "UTC"}
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append([]string{chosen}, names...)
	}
	var list []tick
	for _, n := range names {
		list = append(list, tick{Value: n, Label: strings.ReplaceAll(n, "_", " ")})
	}
	return list
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
