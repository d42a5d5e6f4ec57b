package portal

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vedetta/central/discovery"
	"vedetta/central/premises"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/event"
)

// operator serves pages to who runs the service; to all others there is no such page.
func (p *Portal) operator(fn func(visit) error) func(visit) error {
	return func(v visit) error {
		if !v.user.Operator() {
			return errNotFound
		}
		return fn(v)
	}
}

// unknownPage lists what nobody has entered.
type unknownPage struct {
	Panels []unknownView
	Older  string
}

// unknownView is one unknown panel.
type unknownView struct {
	discovery.Panel
	Link        string
	Where       string // prefix, receiver and listener, as far as there are any
	First, Last string
	Counted     string
	Ambiguous   bool
	Fit         string // what the account is by now, empty: nobody's
	Seen        []messageView
}

// messageView is one held message.
type messageView struct {
	Clock, ISO string
	From       string
	Events     []heldEvent
	Note       string // instead of events
	Left       string
	Raw        string
	Entry      string
	Answer     string
}

type heldEvent struct {
	Title, CategoryName, QualifierName, Tone string
	Facts                                    []fact
	Text                                     string
}

func (p *Portal) unknownPanels(v visit) error {
	found, err := p.unknown.List(v.r.Context(), time.Now(), thingsPerPage, v.r.URL.Query().Get("after"))
	if errors.Is(err, discovery.ErrCursor) {
		return errNotFound
	} else if err != nil {
		return err
	}
	content := unknownPage{}
	for _, u := range found.Items {
		content.Panels = append(content.Panels, unknownOf(v.lang, u))
	}
	if found.Next != nil {
		content.Older = with("/unknown", "after", *found.Next)
	}
	pg := v.page("panels", "unknown.title")
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "unknown.html", pg)
	return nil
}

func unknownOf(l Language, u discovery.Panel) unknownView {
	zone := &viewer{lang: l, zones: map[string]*time.Location{}}
	here := zone.zone("")
	out := unknownView{Panel: u, Link: "/unknown/" + url.PathEscape(u.ID), First: l.Stamp(time.Time(u.FirstTime).In(here)), Last: l.Stamp(time.Time(u.LastTime).In(here)),
		Counted: l.N("unknown.count", u.Count), Ambiguous: u.Reason == string(dc09.ReasonAmbiguous) && len(u.Fits) != 1}
	var where []string
	if u.Prefix != nil {
		where = append(where, "L"+*u.Prefix)
	}
	if u.Receiver != nil {
		where = append(where, "R"+*u.Receiver)
	}
	if u.Listener != "main" {
		where = append(where, l.T("unknown.listener", u.Listener))
	}
	out.Where = strings.Join(where, " · ")
	switch {
	case len(u.Fits) > 1:
		out.Fit = l.N("unknown.fits", len(u.Fits))
	case len(u.Fits) == 1:
		out.Fit = l.T("unknown.known")
	}
	for _, m := range u.Messages {
		at := time.Time(m.ReceivedTime).In(here)
		w := messageView{Clock: l.Stamp(at), ISO: at.Format(time.RFC3339), From: m.Address + " · " + strings.ToUpper(m.Transport), Raw: m.Raw, Entry: m.Entry,
			Answer: l.T("unknown.answer." + m.Answer)}
		for _, e := range m.Events {
			w.Events = append(w.Events, heldEventOf(l, e))
		}
		switch {
		case m.Encrypted:
			w.Note = l.T("unknown.encrypted")
		case dc09.KindOf(m.Token) == dc09.KindPoll:
			w.Note = l.T("unknown.poll")
		case len(m.Events) == 0:
			w.Note = l.T("unknown.no_event")
		}
		if m.Left != nil {
			w.Left = l.Or("unknown.left."+*m.Left, *m.Left)
		}
		out.Seen = append(out.Seen, w)
	}
	return out
}

func heldEventOf(l Language, e discovery.Event) heldEvent {
	meaning := e.Meaning
	if l.Code == "it" {
		meaning = e.MeaningIt
	}
	out := heldEvent{Title: l.T("event.unknown_code", e.Code), CategoryName: event.Category(e.Category).Name(l.Code),
		QualifierName: l.Or("qualifier."+e.Qualifier, e.Qualifier), Tone: tone(e.Category, e.Qualifier), Text: text(e.Text)}
	if meaning != nil {
		out.Title = *meaning
	}
	for _, f := range []struct {
		name  string
		value *string
	}{{"event.partition", e.Partition}, {"event.zone", e.Zone}, {"event.user", e.User}} {
		if f.value != nil {
			out.Facts = append(out.Facts, fact{l.T(f.name), *f.value})
		}
	}
	return out
}

// adoptPage is one unknown panel with the form that makes it somebody's.
type adoptPage struct {
	*form
	Unknown                unknownView
	Customer, Name, Key    input
	Prefix, Receiver, Tell input
	Existing               input
	Anyway                 bool // the key was refused: it may be taken all the same
}

func (p *Portal) unknownPanel(v visit) error {
	return p.showUnknown(v, url.Values{"tell": {string(entry.TellRecent)}}, nil)
}

func (p *Portal) showUnknown(v visit, values url.Values, err error) error {
	ctx := v.r.Context()
	u, missing := p.unknown.Panel(ctx, time.Now(), v.r.PathValue("id"))
	if errors.Is(missing, discovery.ErrNone) {
		return errNotFound
	} else if missing != nil {
		return missing
	}
	f, handled := newForm(v.lang, "/unknown/"+url.PathEscape(u.ID), "", values, err)
	if !handled {
		return err
	}
	customers, err2 := p.accounts.Customers(ctx)
	if err2 != nil {
		return err2
	}
	c := adoptPage{form: f, Unknown: unknownOf(v.lang, u)}
	var faults premises.Faults
	c.Anyway = errors.As(err, &faults) && slices.ContainsFunc(faults, func(x premises.Fault) bool { return strings.HasPrefix(x.Code, "held_") })
	var pick []tick
	for _, one := range customers {
		label := one.ID
		if one.Email != "" {
			label = one.Email
		}
		pick = append(pick, tick{Value: one.ID, Label: label})
	}
	if values.Get("customer_id") == "" && len(u.Fits) > 0 {
		values.Set("customer_id", u.Fits[0].Customer)
	}
	c.Customer = f.input(input{Name: "customer_id", Label: "unknown.customer", Hint: "unknown.customer_hint", Pick: pick})
	existing := []tick{{Value: "", Label: v.lang.T("unknown.new_panel")}}
	for _, fit := range u.Fits {
		if b, err := p.premises.Panel(ctx, fit.Customer, fit.Panel); err == nil {
			existing = append(existing, tick{Value: fit.Panel, Label: b.Name})
		}
	}
	if err == nil && len(u.Fits) > 0 && values.Get("panel_id") == "" {
		values.Set("panel_id", u.Fits[0].Panel)
	}
	c.Existing = f.input(input{Name: "panel_id", Label: "unknown.which", Hint: "unknown.which_hint", Pick: existing})
	c.Name = f.input(input{Name: "name", Label: "panel.name", Hint: "panel.name_hint", Autocomplete: "off"})
	c.Key = f.secret(input{Name: "key", Label: "panel.key", Hint: "unknown.key_hint", Autocomplete: "off", SpellFree: true}, false, err != nil, "panel.key_again", "unknown.key_waive")
	c.Prefix = f.input(input{Name: "prefix", Label: "panel.prefix", Hint: "panel.prefix_hint", Short: true, Autocomplete: "off", SpellFree: true})
	c.Receiver = f.input(input{Name: "receiver", Label: "panel.receiver", Hint: "panel.receiver_hint", Short: true, Autocomplete: "off", SpellFree: true})
	var tells []tick
	for _, t := range []entry.Tell{entry.TellRecent, entry.TellAll, entry.TellNone} {
		tells = append(tells, tick{Value: string(t), Label: v.lang.T("unknown.tell." + string(t))})
	}
	c.Tell = f.input(input{Name: "tell", Label: "unknown.tell", Hint: "unknown.tell_hint", Pick: tells})
	f.end()
	return p.showForm(v, "panels", "unknown.one", "unknownpanel.html", c, f, err)
}

func (p *Portal) adopt(v visit) error {
	values := v.r.PostForm
	get := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	r := discovery.Request{Customer: get("customer_id"), PanelID: get("panel_id"), Tell: entry.Tell(get("tell")), Anyway: values.Get("anyway") != "", New: premises.NewPanel()}
	r.New.Name, r.New.Prefix, r.New.Receiver = get("name"), optional(values.Get("prefix")), optional(values.Get("receiver"))
	if r.New.Key = values.Get("key"); !strings.HasPrefix(r.New.Key, "text:") {
		r.New.Key = strings.TrimSpace(r.New.Key)
	}
	if r.PanelID == "" { // a new panel has the key that is typed; an adoption can't be taken back
		if err := retyped(values, "key"); err != nil {
			return p.showUnknown(v, values, err)
		}
	}
	a, err := p.unknown.Adopt(v.r.Context(), time.Now(), v.r.PathValue("id"), r)
	if errors.Is(err, discovery.ErrNone) {
		return errNotFound
	}
	if err != nil {
		return p.showUnknown(v, values, err)
	}
	p.history.Hub.Changed(a.Customer)
	if _, err := p.unknown.Await(v.r.Context(), a.ID, awaitInForce); err != nil {
		return err
	}
	return v.to("/adoptions/"+a.ID, "")
}

// adoptionPage is what became of an adoption.
type adoptionPage struct {
	discovery.Adoption
	Name    string // of the panel; empty: it was removed since
	Running bool
	Rows    []fact
	Left    []fact
	Link    string // of the panel, where it is the operator's own customer's
}

func (p *Portal) adoption(v visit) error {
	ctx, l := v.r.Context(), v.lang
	a, err := p.unknown.Adoption(ctx, v.r.PathValue("id"))
	if errors.Is(err, discovery.ErrNone) {
		return errNotFound
	} else if err != nil {
		return err
	}
	c := adoptionPage{Adoption: a, Running: a.State != "done"}
	if b, err := p.premises.Panel(ctx, a.Customer, a.Panel); err == nil {
		c.Name = b.Name
		if a.Customer == v.user.Customer {
			c.Link = "/panels/" + url.PathEscape(b.ID)
		}
	} else if !errors.Is(err, premises.ErrNone) {
		return err
	}
	c.Rows = []fact{{l.T("adoption.total"), l.Number(a.Total)}, {l.T("adoption.adopted"), l.Number(a.Adopted)}, {l.T("adoption.polls"), l.Number(a.Polls)}, {l.T("adoption.waiting"), l.Number(a.Waiting)}}
	for _, reason := range slices.Sorted(maps.Keys(a.Left)) {
		c.Left = append(c.Left, fact{l.Or("unknown.left."+reason, reason), l.Number(a.Left[reason])})
	}
	pg := v.page("panels", "adoption.title")
	pg.Content = c
	p.render(v.w, v.r, http.StatusOK, "adoption.html", pg)
	return nil
}
