package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vedetta/central/premises"
	"vedetta/central/watch"
	"vedetta/central/web"
	wire "vedetta/wire/watch"
)

// watchPage is what an installer looks at while a panel tries to get through.
type watchPage struct {
	Panel    premises.PanelBody
	Settings []fact // what is entered here, to be compared with the panel's menu
	Nodes    nodesView
	Tries    []tryView // newest first
	Stream   string
	Busy     bool // too many look already
}

// nodesView is how the datacenters stand.
type nodesView struct {
	Lang  Language
	Nodes []nodeView
}

type nodeView struct {
	Name     string
	Watching bool
}

// T is a text of the view's language.
func (v nodesView) T(key string, args ...any) string { return v.Lang.T(key, args...) }

// tryView is one attempt.
type tryView struct {
	Lang       Language
	ID         string
	SentMs     int64
	Clock, ISO string
	Tone       string
	Icon       string
	Datacenter string
	Answer     string // in words
	Reason     string // the word
	What, Do   string
	Note       string // why it is shown though it isn't known to be this panel's
	EventLink  string
	Facts      []fact
	Data       string
	Extended   []string
	Frame, Hex string
	Answered   string
}

// T is a text of the view's language.
func (v tryView) T(key string, args ...any) string { return v.Lang.T(key, args...) }

// view is what the visitor may see of the panel.
func (p *Portal) view(v visit) (watch.View, premises.PanelBody, error) {
	ctx := v.r.Context()
	b, err := p.premises.Panel(ctx, v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, premises.ErrNone) {
		return watch.View{}, b, errNotFound
	} else if err != nil {
		return watch.View{}, b, err
	}
	addresses, err := p.watching.Addresses(ctx, time.Now(), v.user.Customer, b.ID, b.Account, p.cfg.Proxies.Client(v.r))
	return watch.View{Customer: v.user.Customer, Panel: b.ID, Addresses: addresses}, b, err
}

func (p *Portal) watch(v visit) error {
	view, b, err := p.view(v)
	if err != nil {
		return err
	}
	content := watchPage{Panel: b, Settings: p.settings(v.lang, b), Stream: "/panels/" + url.PathEscape(b.ID) + "/watch/stream"}
	list, nodes, err := p.watching.Recent(v.r.Context(), view)
	switch {
	case errors.Is(err, watch.ErrBusy):
		content.Busy = true
	case err != nil:
		return err
	}
	zone, err := p.panelZone(v.r.Context(), v, b.ID)
	if err != nil {
		return err
	}
	content.Nodes = nodesOf(v.lang, nodes)
	for _, a := range list {
		content.Tries = append(content.Tries, tryOf(v.lang, zone, a))
	}
	pg := v.page("panels", "watch.page", b.Name)
	pg.Content = content
	if !content.Busy {
		pg.Scripts = []string{"watch.js"}
	}
	p.render(v.w, v.r, http.StatusOK, "watch.html", pg)
	return nil
}

func (p *Portal) panelZone(ctx context.Context, v visit, panel string) (*time.Location, error) {
	names, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return nil, err
	}
	return names.zone(panel), nil
}

// watchStream sends each attempt as the page's own HTML.
func (p *Portal) watchStream(v visit) error {
	ctx, token := v.r.Context(), p.token(v.r)
	view, b, err := p.view(v)
	if err != nil {
		return err
	}
	zone, err := p.panelZone(ctx, v, b.ID)
	if err != nil {
		return err
	}
	var s *web.Stream
	err = p.watching.Follow(ctx, view, func(u watch.Update) error {
		if s == nil {
			s = web.NewStream(v.w)
			if err := s.Alive(); err != nil {
				return err
			}
		}
		if _, err := p.accounts.Session(ctx, time.Now(), token); err != nil {
			return err // logged out meanwhile
		}
		if _, err := p.premises.Panel(ctx, view.Customer, view.Panel); err != nil {
			return err // deleted meanwhile
		}
		switch {
		case u.Attempt != nil:
			t := tryOf(v.lang, zone, *u.Attempt)
			said := ""
			if !u.Again {
				said = v.lang.T("watch.spoken", t.Clock, t.What)
			}
			return p.sendPart(s, "attempt", "try", t, map[string]any{"sent": t.SentMs, "spoken": said})
		case u.Nodes != nil:
			return p.sendPart(s, "nodes", "nodes", nodesOf(v.lang, u.Nodes), map[string]any{})
		case u.Lost > 0:
			return p.sendPart(s, "lost", "", nil, map[string]any{"text": v.lang.N("watch.lost", u.Lost)})
		}
		return s.Alive()
	})
	if s == nil {
		if errors.Is(err, watch.ErrBusy) {
			v.w.Header().Set("Retry-After", "5")
			http.Error(v.w, v.lang.T("watch.busy"), http.StatusTooManyRequests)
			return nil
		}
		return err
	}
	if ctx.Err() == nil {
		p.log.Info("watch ended", "err", err)
	}
	return nil // the answer has begun
}

// sendPart sends one event with a template's HTML.
func (p *Portal) sendPart(s *web.Stream, name, template string, content any, with map[string]any) error {
	if template != "" {
		var html bytes.Buffer
		if err := p.pages.ExecuteTemplate(&html, template, content); err != nil {
			return err
		}
		with["html"] = html.String()
	}
	data, err := json.Marshal(with)
	if err != nil {
		return err
	}
	return s.Tell(name, data)
}

func nodesOf(l Language, list []watch.Node) nodesView {
	out := nodesView{Lang: l}
	for _, n := range list {
		name := n.Site
		if name == "" {
			name = n.Node
		}
		out.Nodes = append(out.Nodes, nodeView{l.Upper(name), n.Watching})
	}
	return out
}

func tryOf(l Language, zone *time.Location, a wire.Attempt) tryView {
	at := time.Time(a.Time).In(zone)
	v := tryView{Lang: l, ID: a.ID, SentMs: at.UnixMilli(), Clock: l.Clock(at), ISO: at.Format(time.RFC3339), Tone: tryTone(a), Icon: "trouble", Datacenter: l.Upper(a.Site),
		Answer: l.Or("watch.answer_"+a.Answer, a.Answer), Reason: a.Reason, What: a.What, Do: a.Do, Frame: a.Frame.Text, Hex: spaced(a.Frame.Hex)}
	if at.Format(time.DateOnly) != time.Now().In(zone).Format(time.DateOnly) {
		v.Clock = l.Stamp(at)
	}
	if l.Code == "it" {
		v.What, v.Do = a.WhatIt, a.DoIt
	}
	if v.Tone == "good" {
		v.Icon = "test"
	}
	if a.Relation != wire.Own {
		v.Note = l.Or("watch.note_"+a.Relation, "")
	}
	if a.EventID != nil {
		v.EventLink = eventLink(*a.EventID)
	}
	if a.Answered != nil {
		v.Answered = a.Answered.Text
	}
	v.Facts = tryFacts(l, zone, a)
	if d := a.Decoded; d != nil {
		if d.Data != nil {
			v.Data = *d.Data
		}
		v.Extended = d.XData
	}
	return v
}

// tryTone is how loud an attempt looks.
func tryTone(a wire.Attempt) string {
	switch {
	case a.Answer == "ack" && !a.Unsent:
		return "good"
	case a.Relation == wire.Address || a.Relation == wire.Other:
		return "quiet"
	case a.Reason == "not_ready" || a.Reason == "not_durable":
		return "notice"
	}
	return "alarm"
}

// tryFacts are the decoding in rows.
func tryFacts(l Language, zone *time.Location, a wire.Attempt) []fact {
	rows := []fact{{l.T("watch.path"), strings.ToUpper(a.Transport) + ", " + a.Source + ", " + l.T("watch.listener", a.Listener)}}
	add := func(key, value string) { rows = append(rows, fact{l.T(key), value}) }
	rows = append(rows, fact{l.T("frame.answer"), l.T("watch.answered_in", l.Or("watch.answer_"+a.Answer, a.Answer), strconv.FormatFloat(a.Took*1000, 'f', 1, 64))})
	d := a.Decoded
	if d == nil {
		add("watch.length", l.N("watch.bytes", a.Frame.Length))
		return rows
	}
	form := l.T("frame.plain")
	if d.Encrypted {
		form = l.T("frame.encrypted")
	}
	add("frame.token", d.Token+", "+form)
	if d.Account != nil {
		add("frame.account", *d.Account)
	}
	add("frame.sequence", d.Seq)
	if d.Prefix != nil {
		add("panel.prefix", "L"+*d.Prefix)
	}
	if d.Receiver != nil {
		add("panel.receiver", "R"+*d.Receiver)
	}
	if d.Timestamp != nil {
		add("frame.stamped", l.Precise(time.Time(*d.Timestamp).In(zone)))
	}
	if d.CRC != "ok" || d.Length != "ok" {
		good := map[string]string{"ok": l.T("watch.good"), "bad": l.T("watch.bad")}
		add("watch.sums", l.T("watch.sums_value", good[d.CRC], d.CRCForm, good[d.Length]))
	}
	if len(d.Quirks) > 0 {
		add("watch.quirks", strings.Join(d.Quirks, ", "))
	}
	return rows
}

// spaced is hex in bytes.
func spaced(hex string) string {
	var b strings.Builder
	for i := 0; i+1 < len(hex); i += 2 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hex[i : i+2])
	}
	return b.String()
}
