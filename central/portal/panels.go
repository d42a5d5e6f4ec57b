package portal

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/central/premises"
)

const thingsPerPage = 50

// fewPanels are found at a glance, without a search.
const fewPanels = 8

// Receiver is where panels report to, as an installer types it.
type Receiver struct {
	Datacenter string
	Address    string // host:port, TCP and UDP
}

// panelsPage lists panels.
type panelsPage struct {
	Panels   []panelRow
	Older    string // where the next page begins, empty on the last
	Find     string // words that name or account contain
	Search   bool   // there are so many that one looks for them
	Operator bool
}

type panelRow struct {
	premises.PanelBody
	ZoneCount string
	Warnings  []string
	Last      *eventView // the last event, nil: none yet
	LastTime  string
}

// panels lists them. What is looked for may be a person's name: it is posted, so
// that it stands in no address, history or log.
func (p *Portal) panels(v visit) error {
	ctx := v.r.Context()
	get := v.r.URL.Query().Get
	find := ""
	if v.r.Method == http.MethodPost {
		get = v.r.PostForm.Get
		find = strings.TrimSpace(get("find"))
	}
	from := 0
	if at := get("from"); at != "" {
		if from = number(at); from < 0 {
			return errNotFound
		}
	}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	content := panelsPage{Operator: v.user.Operator(), Find: find, Search: len(view.names.Panels) > fewPanels}
	found := view.find(content.Find)
	for _, d := range found[min(from, len(found)):min(from+thingsPerPage, len(found))] {
		b, err := p.premises.Panel(ctx, v.user.Customer, d.ID)
		if errors.Is(err, premises.ErrNone) {
			continue // deleted meanwhile
		} else if err != nil {
			return err
		}
		row := panelRow{PanelBody: b, ZoneCount: v.lang.N("panel.zone_count", len(b.Zones)), Warnings: warnings(v.lang, b.Warnings)}
		last, err := p.lastEvents(ctx, v, view, b, 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			row.Last, row.LastTime = &last[0], v.lang.Stamp(time.UnixMilli(last[0].ReceivedMs).In(view.zone(b.ID)))
		}
		content.Panels = append(content.Panels, row)
	}
	if next := from + thingsPerPage; next < len(found) {
		content.Older = strconv.Itoa(next)
	}
	pg := v.page("panels", "panels.title")
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "panels.html", pg)
	return nil
}

// lastEvents of a panel, newest first.
func (p *Portal) lastEvents(ctx context.Context, v visit, view *viewer, b premises.PanelBody, most int) ([]eventView, error) {
	found, err := p.history.Events(ctx, v.user.Customer, history.Query{Account: b.Account, Limit: most + 20})
	if err != nil {
		return nil, err
	}
	var out []eventView
	for _, e := range found.Items {
		if e.Panel == b.ID && len(out) < most { // others may have the same account under another prefix
			out = append(out, view.event(e, nil))
		}
	}
	return out, nil
}

// warnings of a body in words, each once.
func warnings(l Language, list []premises.Fault) []string {
	var out []string
	for _, w := range list {
		if text := faultText(l, w); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// panelPage is one panel: what to type into it, and what came from it.
type panelPage struct {
	premises.PanelBody
	Settings  []fact // to be typed into the panel
	KeyText   string
	Warnings  []string
	Last      []eventView
	Received  bool // something has come from it, and it isn't silent now
	Standing  standing
	EventLink string
}

func (p *Portal) panel(v visit) error {
	ctx := v.r.Context()
	b, err := p.premises.Panel(ctx, v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, premises.ErrNone) {
		return errNotFound
	} else if err != nil {
		return err
	}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	content := panelPage{PanelBody: b, Settings: p.settings(v.lang, b), Warnings: warnings(v.lang, b.Warnings), KeyText: keyText(v.lang, b),
		EventLink: with("/", "panel", b.ID)}
	last, err := p.lastEvents(ctx, v, view, b, 100) // a panel that comes and goes has many of ours before one of its own
	if err != nil {
		return err
	}
	content.Last = last[:min(len(last), 5)]
	content.Standing = p.standing(ctx, v.lang, b)
	own := slices.ContainsFunc(last, func(e eventView) bool { return !e.Ours })
	content.Received = (own || content.Standing.heard) && !content.Standing.gone
	pg := v.page("panels", "panel.page", b.Name)
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "panel.html", pg)
	return nil
}

// settings are what the installer types into the panel.
func (p *Portal) settings(l Language, b premises.PanelBody) []fact {
	rows := []fact{{l.T("panel.protocol"), l.T("panel.protocol_value")}}
	for i, r := range p.cfg.Receivers {
		host, port, err := net.SplitHostPort(r.Address)
		if err != nil {
			continue
		}
		rows = append(rows, fact{l.T("panel.receiver_number", i+1, r.Datacenter), l.T("panel.receiver_value", host, port)})
	}
	if len(p.cfg.Receivers) == 0 {
		rows = append(rows, fact{l.T("panel.receivers"), l.T("panel.receivers_unknown")})
	}
	rows = append(rows, fact{l.T("panel.account"), b.Account})
	if b.Prefix != nil {
		rows = append(rows, fact{l.T("panel.prefix"), "L" + *b.Prefix})
	}
	if b.Receiver != nil {
		rows = append(rows, fact{l.T("panel.receiver"), "R" + *b.Receiver})
	}
	rows = append(rows, fact{l.T("panel.key"), keyText(l, b)})
	if next := nextKeyText(l, b); next != "" {
		rows = append(rows, fact{l.T("panel.next_key"), next})
	}
	poll := l.T("panel.not_supervised")
	if b.PollSeconds > 0 {
		poll = l.T("panel.poll_value", l.Span(time.Duration(b.PollSeconds)*time.Second), l.Span(time.Duration(b.GraceSeconds)*time.Second))
	}
	rows = append(rows, fact{l.T("panel.poll"), poll})
	if s := b.Supervision; s != nil && s.Alternative != nil && b.PollSeconds > 0 {
		rows = append(rows, fact{l.T("panel.alternative"), l.T("panel.poll_value", l.Span(seconds(s.Alternative.PollSeconds)), l.Span(seconds(s.Alternative.GraceSeconds)))})
	}
	if s := b.Supervision; s != nil && s.Profile != nil {
		rows = append(rows, fact{l.T("panel.profile"), *s.Profile})
	}
	return append(rows, fact{l.T("panel.time_zone"), b.TimeZone})
}

// keyText says whether there is a key and as what it was taken; never the key.
func keyText(l Language, b premises.PanelBody) string {
	switch {
	case !b.KeySet:
		return l.T("panel.key_none")
	case b.KeyForm == nil:
		return l.T("panel.key_set")
	}
	return l.T("panel.key_as_" + *b.KeyForm)
}
