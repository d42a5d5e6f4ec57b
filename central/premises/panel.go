package premises

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"vedetta/wire/dc09"
	"vedetta/wire/roster"
)

// Limits of panels.
const (
	MaxPanels  = 50_000         // of a customer
	MaxZones   = 1_000          // of a panel
	maxSeconds = 32 * 24 * 3600 // the longest reporting time of EN 50136
	maxName    = 100            // characters
)

// Of a new panel that doesn't say: an alarm receiver that doesn't notice a
// silent panel is the worse mistake.
const (
	defaultPoll  = 90
	defaultGrace = 30
)

// KeyKept is the Key of a panel that has one, in an edit: it is never shown,
// and left like this it stays.
const KeyKept = "\x00kept"

// PanelBody is a panel as its owner enters and sees it (design.md section 7).
type PanelBody struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Listener     string           `json:"listener"`
	Prefix       *string          `json:"prefix"`
	Receiver     *string          `json:"receiver"`
	Account      string           `json:"account"`
	Key          string           `json:"-"`        // as typed; empty: none, KeyKept: the one it has. Write only
	KeySet       bool             `json:"key_set"`  // read only
	KeyForm      *string          `json:"key_form"` // hex or text, as it was taken; null: no key, or not known. Read only
	PollSeconds  int              `json:"poll_seconds"`
	GraceSeconds int              `json:"grace_seconds"`
	Supervision  *SupervisionBody `json:"supervision"` // null: one path, by the two above
	TimeZone     string           `json:"time_zone"`
	Zones        []ZoneBody       `json:"zones"`
	Reception    *ReceptionBody   `json:"reception"` // null: as usual

	NextKey          string  `json:"-"`                  // as Key: taken beside the current key until it is promoted
	NextKeySet       bool    `json:"next_key_set"`       // read only
	NextKeyForm      *string `json:"next_key_form"`      // read only
	PreviousKeyUntil *string `json:"previous_key_until"` // when the previous key ends, RFC 3339; null: there is none. Only null can be written

	State
}

// ZoneBody names a zone.
type ZoneBody struct {
	Number string `json:"number"`
	Name   string `json:"name"`
}

// State is what every body says besides what was entered; read only.
type State struct {
	Revision uint64  `json:"revision"` // of the customer's document with the last change of this
	InForce  bool    `json:"in_force"` // the mesh has it: an alarm from now on is planned by it
	Warnings []Fault `json:"warnings"` // legal, and perhaps not what was meant
	Tag      string  `json:"-"`        // changes with every change
}

func (r reading) state(m record, tag string) State {
	return State{Revision: m.Revision, InForce: m.Revision <= r.inForce, Warnings: []Fault{}, Tag: tag}
}

// storedPanel is the sealed form. A Document reads the first part only.
type storedPanel struct {
	roster.Panel
	record
}

// NewPanel is what a new panel is before its owner says anything.
func NewPanel() PanelBody {
	return PanelBody{Listener: "main", PollSeconds: defaultPoll, GraceSeconds: defaultGrace, TimeZone: "Europe/Rome", Zones: []ZoneBody{}}
}

// Panels is a page of a customer's panels.
func (p *Premises) Panels(ctx context.Context, customer string, q Query) (Page[PanelBody], error) {
	return page(ctx, p, panels, customer, q, reading.panel)
}

// Panel is one panel of a customer, or ErrNone.
func (p *Premises) Panel(ctx context.Context, customer, id string) (PanelBody, error) {
	return one(ctx, p, panels, customer, id, reading.panel)
}

func (r reading) panel(f row) (PanelBody, error) {
	var s storedPanel
	if err := json.Unmarshal(f.plain, &s); err != nil {
		return PanelBody{}, err
	}
	b := PanelBody{ID: f.id, Name: s.Name, Listener: s.Listener, Prefix: s.Prefix, Receiver: s.Receiver, Account: s.Account,
		KeySet: len(s.Key) > 0, PollSeconds: s.PollSeconds, GraceSeconds: s.GraceSeconds, Supervision: supervisionOf(s.Panel), TimeZone: s.TimeZone, Zones: []ZoneBody{}, State: r.state(s.record, f.tag)}
	for _, z := range s.Zones {
		b.Zones = append(b.Zones, ZoneBody(z))
	}
	if b.KeySet && s.KeyForm != "" {
		b.KeyForm = &s.KeyForm
	}
	b.Reception = receptionOf(s.Panel)
	b.ring(s)
	var w Faults
	if !b.KeySet {
		w.Add("key", "key_absent")
	}
	if b.PollSeconds == 0 {
		w.Add("poll_seconds", "not_supervised")
	}
	b.Reception.warnings(&w, b.KeySet)
	b.Warnings = append(b.Warnings, w...)
	return b, nil
}

// AddPanel adds a panel; its id and state are ours.
func (c *Change) AddPanel(b PanelBody) (PanelBody, error) {
	if err := c.room(panels, MaxPanels); err != nil {
		return b, err
	}
	b.ID = NewID()
	if b.Key == KeyKept {
		b.Key = ""
	}
	if b.NextKey == KeyKept {
		b.NextKey = ""
	}
	return c.savePanel(b, storedPanel{})
}

// EditPanel changes a panel by fn, which gets it with KeyKept where it has a
// key. With a tag it is ErrTag when the panel has changed since. What fn leaves
// as it was is not written.
func (c *Change) EditPanel(id, tag string, fn func(*PanelBody) error) (PanelBody, error) {
	f, err := panels.one(c.ctx, c.tx, c.key, c.customer, id, tag)
	if err != nil {
		return PanelBody{}, err
	}
	var had storedPanel
	if err := json.Unmarshal(f.plain, &had); err != nil {
		return PanelBody{}, fmt.Errorf("panel %s: %w", id, err)
	}
	b, err := c.reading().panel(f)
	if err != nil {
		return b, err
	}
	if b.KeySet {
		b.Key = KeyKept
	}
	if b.NextKeySet {
		b.NextKey = KeyKept
	}
	before := b
	before.Zones = slices.Clone(b.Zones)
	if err := fn(&b); err != nil {
		return b, err
	}
	if same(before, b) && before.Key == b.Key && before.NextKey == b.NextKey {
		return before, nil
	}
	b.ID = id
	return c.savePanel(b, had)
}

// same tells whether two bodies say the same.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// DeletePanel removes a panel that no rule names: without it such a rule would
// be about all panels, or none.
func (c *Change) DeletePanel(id, tag string) error {
	if _, err := panels.one(c.ctx, c.tx, c.key, c.customer, id, tag); err != nil {
		return err
	}
	list, err := c.rules()
	if err != nil {
		return err
	}
	var use InUse
	for _, r := range list {
		if slices.Contains(r.Panels, id) {
			use.Rules = append(use.Rules, r.ID)
		}
	}
	if len(use.Rules) > 0 {
		return use
	}
	return c.delete(panels, id)
}

// savePanel checks and writes a panel.
func (c *Change) savePanel(b PanelBody, had storedPanel) (PanelBody, error) {
	s, f := c.stored(b, had)
	if err := f.err(); err != nil {
		return b, err
	}
	return c.writePanel(s)
}

// stored is the form that a panel is kept in, with all that is wrong with it.
func (c *Change) stored(b PanelBody, had storedPanel) (storedPanel, Faults) {
	f := panelFaults(b)
	b.byProfile()
	s := storedPanel{roster.Panel{ID: b.ID, Name: b.Name, Listener: b.Listener, Prefix: b.Prefix, Receiver: b.Receiver, Account: strings.ToUpper(b.Account),
		PollSeconds: b.PollSeconds, GraceSeconds: b.GraceSeconds, TimeZone: b.TimeZone}, record{Revision: c.revision}}
	b.Supervision.into(&s.Panel)
	set := b.Reception.stored()
	s.Reception = &set
	switch b.Key {
	case "":
	case KeyKept:
		s.Key, s.KeyForm = had.Key, had.KeyForm
	default:
		var err error
		if s.Key, s.KeyForm, err = dc09.ParseKey(b.Key); err != nil {
			f.Add("key", "key_form")
		}
	}
	b.putRing(&s, had, c.now, &f)
	s.setReception(set)
	for _, z := range b.Zones {
		s.Zones = append(s.Zones, roster.Zone(z))
	}
	return s, f
}

// writePanel writes a panel that is without fault.
func (c *Change) writePanel(s storedPanel) (PanelBody, error) {
	tag, err := c.putPanel(s)
	if errors.Is(err, ErrTaken) {
		var f Faults
		f.Add("account", "account_taken")
		return PanelBody{}, errors.Join(ErrTaken, f)
	} else if err != nil {
		return PanelBody{}, err
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return PanelBody{}, err
	}
	return c.reading().panel(row{id: s.ID, tag: tag, plain: plain})
}

// PutPanel creates or replaces a panel by its id, as it is.
func (c *Change) PutPanel(v roster.Panel) error {
	_, err := c.putPanel(storedPanel{v, record{Revision: c.revision}})
	return err
}

func (c *Change) putPanel(s storedPanel) (tag string, err error) {
	if s.Listener == "" {
		s.Listener = "main"
	}
	if s.Zones == nil {
		s.Zones = []roster.Zone{}
	}
	number := NumberIndex(c.own, s.Listener, s.Account)
	if err := c.unambiguous(s.Panel, number); err != nil {
		return "", err
	}
	return c.keepPanel(s, number)
}

// keepPanel writes what was found to be one panel's and nobody else's.
func (c *Change) keepPanel(s storedPanel, number []byte) (tag string, err error) {
	return c.put(panels, s.ID, s, "unique_index", c.own.Index("panel", uniqueText(s.Panel)),
		"account_index", AccountIndex(c.key, s.Account), "number_index", number)
}

// unambiguous refuses a panel when a message could be taken for it or for
// another one. The nodes prefer a panel entered with all that a message says;
// where that doesn't decide, they would drop the message, and where it does,
// one customer could draw another's alarms to himself. So panels of one account
// that overlap must be of one customer, and one of them must say everything.
func (c *Change) unambiguous(v roster.Panel, number []byte) error {
	list, err := ofNumber(c.ctx, c.tx, c.ring, number)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.Panel != v.ID && (collide(v, o.panel) || o.Customer != c.customer && overlap(v, o.panel)) {
			return ErrTaken
		}
	}
	return nil
}

// collide tells whether two panels of one customer can't stand side by side.
func collide(a, b roster.Panel) bool {
	return overlap(a, b) && (uniqueText(a) == uniqueText(b) || !full(a) && !full(b))
}

func overlap(a, b roster.Panel) bool {
	fits := func(x, y *string) bool { return x == nil || y == nil || digits(x) == digits(y) }
	return a.Listener == b.Listener && strings.EqualFold(a.Account, b.Account) && fits(a.Prefix, b.Prefix) && fits(a.Receiver, b.Receiver)
}

func full(p roster.Panel) bool { return p.Prefix != nil && p.Receiver != nil }

// digits is the shortest spelling of a prefix or receiver, as the nodes compare them.
func digits(s *string) string {
	if s == nil {
		return "-"
	}
	return "=" + strings.TrimLeft(strings.ToUpper(*s), "0")
}

func uniqueText(v roster.Panel) string {
	return strings.Join([]string{v.Listener, digits(v.Prefix), digits(v.Receiver), strings.ToUpper(v.Account)}, "\x00")
}

var (
	accountForm  = regexp.MustCompile(`^[0-9A-Fa-f]{3,16}$`)
	opaqueForm   = regexp.MustCompile(`^[0-9A-Za-z._-]{1,32}$`)
	numberForm   = regexp.MustCompile(`^[0-9A-Fa-f]{1,6}$`)
	listenerForm = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
	zoneForm     = regexp.MustCompile(`^[0-9A-Za-z]{1,8}$`)
)

func panelFaults(b PanelBody) Faults {
	var f Faults
	f.name("name", b.Name, true)
	if !listenerForm.MatchString(b.Listener) {
		f.Add("listener", "listener_form")
	}
	if b.Prefix != nil && !numberForm.MatchString(*b.Prefix) {
		f.Add("prefix", "number_form")
	}
	if b.Receiver != nil && !numberForm.MatchString(*b.Receiver) {
		f.Add("receiver", "number_form")
	}
	opaque := b.Reception != nil && b.Reception.OpaqueAccount
	switch {
	case opaque && !opaqueForm.MatchString(b.Account):
		f.Add("account", "account_opaque")
	case !opaque && !accountForm.MatchString(b.Account):
		f.Add("account", "account_form")
	}
	if b.PollSeconds < 0 || b.PollSeconds > maxSeconds {
		f.Add("poll_seconds", "range", 0, maxSeconds)
	}
	if b.GraceSeconds < 0 || b.GraceSeconds > maxSeconds {
		f.Add("grace_seconds", "range", 0, maxSeconds)
	}
	b.Supervision.faults(&f)
	b.Reception.faults(&f)
	if _, err := time.LoadLocation(b.TimeZone); err != nil || b.TimeZone == "" || b.TimeZone == "Local" {
		f.Add("time_zone", "time_zone")
	}
	if len(b.Zones) > MaxZones {
		f.Add("zones", "too_many", MaxZones)
		return f
	}
	seen := map[string]bool{}
	for i, z := range b.Zones {
		at := fmt.Sprintf("zones[%d].", i)
		number := strings.TrimLeft(strings.ToUpper(z.Number), "0")
		switch {
		case !zoneForm.MatchString(z.Number):
			f.Add(at+"number", "zone_form")
		case seen[number]:
			f.Add(at+"number", "zone_twice")
		}
		seen[number] = true
		f.name(at+"name", z.Name, true)
	}
	return f
}
