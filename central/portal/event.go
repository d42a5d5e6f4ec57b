package portal

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/wire/entry"
	wire "vedetta/wire/event"
)

// eventPage is all that is known of one event.
type eventPage struct {
	Event      eventView
	PanelLink  string
	Rows       []fact
	Extended   []extendedView
	Deliveries []deliveryView
	Frames     []frameView
}

// extendedView is one field of extended data.
type extendedView struct {
	Name  string
	Value string
	Parts []part       // of the value: addresses that a browser may open, never fetched by us, and the rest
	Place template.URL // geo: address of the coordinates, ours
}

type part struct{ Text, Link string }

// linked cuts a value before each further address; several links in one field are
// separated by commas (reference row 35).
func linked(value string) []part {
	var parts []part
	for rest := value; rest != ""; {
		at := len(rest)
		for _, scheme := range []string{",http://", ",https://"} {
			if i := strings.Index(rest, scheme); i >= 0 {
				at = min(at, i)
			}
		}
		one := part{Text: rest[:at]}
		if u, err := url.Parse(strings.TrimSpace(one.Text)); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
			one.Link = u.String()
		}
		parts = append(parts, one)
		rest = strings.TrimPrefix(rest[at:], ",")
	}
	return parts
}

// deliveryView is one notification with its attempts.
type deliveryView struct {
	notificationView
	Link     string // of the rule, empty when it is gone
	Rule     string
	Due      string
	Repeated int // 0: the first
	Attempts []attemptView
}

type attemptView struct {
	Number    int
	StateName string
	Tone      string
	Reason    string
	Clock     string
	Reference string
	Double    bool
}

// frameView is one message as a receiver took it.
type frameView struct {
	Datacenter string
	Position   string
	Opened     bool
	Rows       []fact
	Raw        string
	Data       string
	Extended   []string
}

func (p *Portal) event(v visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	e, ok, err := p.history.Event(ctx, v.user.Customer, id)
	if err != nil {
		return err
	}
	if !ok {
		return errNotFound
	}
	list, err := p.history.Deliveries(ctx, v.user.Customer, id)
	if err != nil {
		return err
	}
	frames, err := p.history.Frames(ctx, v.user.Customer, id)
	if err != nil {
		return err
	}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	rules, err := p.ruleNames(ctx, v.user.Customer)
	if err != nil {
		return err
	}
	content := eventPage{Event: view.event(e, nil), Rows: view.rows(e, frames), Extended: view.extended(e)}
	if _, ok := view.names.Panels[e.Panel]; ok {
		content.PanelLink = "/panels/" + e.Panel
	}
	for _, d := range list {
		content.Deliveries = append(content.Deliveries, view.delivery(d, view.zone(e.Panel), rules))
	}
	for _, f := range frames {
		content.Frames = append(content.Frames, view.frame(f, view.zone(e.Panel)))
	}
	pg := v.page("events", "event.page", content.Event.Title)
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "event.html", pg)
	return nil
}

// rows are the facts of the event itself, each with its name.
func (v *viewer) rows(e history.Event, frames []history.Frame) []fact {
	l, zone := v.lang, v.zone(e.Panel)
	rows := v.event(e, nil).Facts
	said := l.T("event.no_clock")
	if e.PanelTime != nil {
		said = l.Precise(time.Time(*e.PanelTime).In(zone))
	}
	rows = append(rows, fact{l.T("event.at_panel"), said}, fact{l.T("event.at_receiver"), l.Precise(time.Time(e.ReceivedTime).In(zone))})
	if len(frames) > 0 {
		rows = append(rows, fact{l.T("event.datacenter"), frames[0].Position.Origin.Node})
	}
	rows = append(rows, fact{l.T("event.code"), standard(e.Standard) + " " + e.Code})
	if e.Late {
		rows = append(rows, fact{l.T("event.note"), l.T("event.late_text")})
	}
	return rows
}

// extended are the facts that the panel adds to its event. The alarm's text, when
// that is the event's own, isn't said again.
func (v *viewer) extended(e history.Event) []extendedView {
	var list []extendedView
	for _, x := range e.Extended {
		if x.ID == "I" && x.Value != nil && e.Text != nil && *x.Value == *e.Text {
			continue
		}
		f := wire.Extended{ID: x.ID}
		row := extendedView{Name: f.Name(v.lang.Code)}
		switch {
		case x.Value != nil:
			row.Value = *x.Value
		case f.Secret():
			row.Value = v.lang.T("event.secret")
		}
		row.Parts = linked(row.Value)
		list = append(list, row)
	}
	if c := e.Coordinates; c != nil {
		at := fmt.Sprintf("%.5f,%.5f", c.Latitude, c.Longitude)
		list = append(list, extendedView{Name: v.lang.T("event.place"), Value: strings.Replace(at, ",", ", ", 1), Place: template.URL("geo:" + at)})
	}
	return list
}

func standard(s string) string {
	switch s {
	case "SIA-DCS":
		return "SIA"
	case "ADM-CID":
		return "Contact ID"
	}
	return "Vedetta"
}

func (v *viewer) delivery(d history.Delivery, zone *time.Location, rules map[string]string) deliveryView {
	l := v.lang
	out := deliveryView{notificationView: v.notification(d.Notification, zone, ""), Repeated: d.Repetition, Rule: rules[d.Rule]}
	if out.Rule != "" {
		out.Link = "/rules/" + d.Rule
	}
	if !d.Due.IsZero() {
		out.Due = l.Stamp(d.Due.In(zone))
	}
	for _, a := range d.Settled {
		at := attemptView{Number: a.Number, StateName: l.Or("state."+a.State, a.State), Tone: stateTone(a.State), Reference: a.ProviderRef, Double: a.Double}
		if a.State == "pending" { // settled as not handed over: it was tried again
			at.StateName, at.Tone = l.T("attempt.not_sent"), "notice"
		}
		if a.Reason != "" {
			at.Reason = reason(l, d.Channel, a.Reason)
		}
		if a.HandedOverMs != 0 {
			at.Clock = l.Precise(time.UnixMilli(a.HandedOverMs).In(zone))
		}
		out.Attempts = append(out.Attempts, at)
	}
	return out
}

func (v *viewer) frame(f history.Frame, zone *time.Location) frameView {
	l := v.lang
	out := frameView{Datacenter: f.Position.Origin.Node, Position: f.Position.String(), Opened: f.Opened}
	if !f.Opened {
		return out
	}
	add := func(key, value string) { out.Rows = append(out.Rows, fact{l.T(key), value}) }
	add("frame.received", l.Precise(f.Received.In(zone)))
	if f.Timestamp != nil {
		add("frame.stamped", l.Precise(f.Timestamp.In(zone)))
		off := f.Timestamp.Sub(f.Received.Add(-time.Duration(f.OffsetMs) * time.Millisecond)).Round(time.Second)
		switch {
		case off <= -2*time.Second:
			add("frame.clock", l.T("frame.clock_behind", l.Span(-off)))
		case off >= 2*time.Second:
			add("frame.clock", l.T("frame.clock_ahead", l.Span(off)))
		}
	}
	add("frame.path", strings.ToUpper(f.Transport)+", "+f.Listener)
	token := f.Token
	if f.Encrypted {
		token += " (" + l.T("frame.encrypted") + ")"
	} else {
		token += " (" + l.T("frame.plain") + ")"
	}
	add("frame.token", token)
	number := f.Account
	if f.Prefix != nil {
		number = "L" + *f.Prefix + " " + number
	}
	if f.Receiver != nil {
		number = "R" + *f.Receiver + " " + number
	}
	add("frame.account", number)
	add("frame.sequence", strconv.Itoa(f.Sequence))
	add("frame.source", f.Peer)
	if f.Key != "" {
		add("frame.key", l.T(map[string]string{entry.KeyNext: "frame.key_next", entry.KeyPrevious: "frame.key_previous"}[f.Key]))
	}
	if len(f.Quirks) > 0 {
		add("frame.quirks", strings.Join(f.Quirks, ", "))
	}
	answer := map[entry.Answer]string{entry.AnswerACK: "frame.ack", entry.AnswerDUH: "frame.duh", entry.AnswerSilence: "frame.silence"}[f.Answer]
	said := l.T(answer)
	if f.Ack != "" && f.Answer == entry.AnswerACK {
		said += " (" + l.T(map[string]string{"local": "frame.ack_local", "all": "frame.ack_all"}[f.Ack]) + ")"
	}
	add("frame.answer", said)
	raw := f.Raw
	for _, x := range f.XData {
		if len(x) > 1 && (wire.Extended{ID: string(x[:1])}).Secret() { // the evidence keeps it, a page doesn't show it
			raw = bytes.ReplaceAll(raw, x, append(bytes.Clone(x[:1]), "..."...))
			x = append(bytes.Clone(x[:1]), "..."...)
		}
		out.Extended = append(out.Extended, visible(x))
	}
	out.Raw, out.Data = visible(raw), visible(f.Data)
	return out
}

// visible writes bytes so that each can be seen: control characters by their
// symbol, what is not ASCII in hex.
func visible(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		switch {
		case c < 0x20:
			s.WriteRune('\u2400' + rune(c))
		case c == 0x7f:
			s.WriteRune('\u2421')
		case c > 0x7f:
			s.WriteString(`\x` + strconv.FormatUint(uint64(c), 16))
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}
