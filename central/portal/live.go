package portal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/history"
	"vedetta/central/web"
)

const eventsPerPage = 50

// livePage is what the live page shows.
type livePage struct {
	Events  []eventView
	Panels  []panelChoice
	Account string // of the panel that was chosen, empty: all
	Chosen  string
	Older   string // link, empty on the last page
	Newest  bool   // first page: kept up to date
	Stream  string // where its stream is, from where this page ends
}

type panelChoice struct {
	Name, Account string
	Link          string
	Chosen        bool
}

func link(account, cursor string) string {
	q := url.Values{}
	if account != "" {
		q.Set("account", account)
	}
	if cursor != "" {
		q.Set("before", cursor)
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

func (p *Portal) live(w http.ResponseWriter, r *http.Request, u account.User) error {
	ctx := r.Context()
	query := history.Query{Account: r.URL.Query().Get("account"), Cursor: r.URL.Query().Get("before"), Limit: eventsPerPage}
	// The stream begins before what is read below: what comes meanwhile is shown twice in one place, never missed.
	from, err := p.history.LastChange(ctx, u.Customer)
	if err != nil {
		return err
	}
	pg := p.page(r, "live.title", "")
	pg.LoggedIn = true
	v, err := p.viewer(ctx, pg.Lang, u.Customer)
	if err != nil {
		return err
	}
	events, err := p.history.Events(ctx, u.Customer, query)
	if err != nil {
		return err
	}
	content := livePage{Account: query.Account, Newest: query.Cursor == ""}
	for _, e := range events.Items {
		list, err := p.history.OfEvent(ctx, u.Customer, e.ID)
		if err != nil {
			return err
		}
		content.Events = append(content.Events, v.event(e, list))
	}
	if events.Next != nil {
		content.Older = link(query.Account, *events.Next)
	}
	content.Stream = "/live?" + url.Values{"after": {strconv.FormatInt(from, 10)}, "account": {query.Account}}.Encode()
	content.Panels = v.choices(query.Account)
	for _, c := range content.Panels {
		if c.Chosen {
			content.Chosen = c.Name
		}
	}
	pg.Content = content
	p.render(w, r, http.StatusOK, "live.html", pg)
	return nil
}

// choices lists the customer's panels by name.
func (v *viewer) choices(chosen string) []panelChoice {
	var list []panelChoice
	for _, d := range v.names.Panels {
		list = append(list, panelChoice{d.Name, d.Account, link(d.Account, ""), strings.EqualFold(d.Account, chosen)})
	}
	slices.SortFunc(list, func(a, b panelChoice) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Account, b.Account))
	})
	return list
}

// change is what the stream sends about one event.
type change struct {
	ID       string `json:"id"`
	Received int64  `json:"received"`
	Day      string `json:"day"`
	DayName  string `json:"day_name"`
	Spoken   string `json:"spoken"` // for screen readers
	HTML     string `json:"html"`
}

// stream sends events that are new or changed, each as the page's own HTML.
func (p *Portal) stream(w http.ResponseWriter, r *http.Request, u account.User) error {
	ctx, lang, token := r.Context(), p.words.Of(r), p.token(r)
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	after, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		if after, err = p.history.LastChange(ctx, u.Customer); err != nil {
			return err
		}
	}
	only := r.URL.Query().Get("account")
	s := web.NewStream(w)
	if s.Alive() != nil {
		return nil // the client is gone
	}
	err = p.history.Follow(ctx, u.Customer, after, func(changes []history.Change) error {
		if len(changes) == 0 {
			if _, err := p.accounts.Session(ctx, time.Now(), token); err != nil {
				return err // logged out meanwhile
			}
			return s.Alive()
		}
		return p.sendChanges(r, s, lang, u, only, changes)
	})
	if ctx.Err() == nil {
		p.log.Info("live stream ended", "err", err)
	}
	return nil // the answer has begun
}

func (p *Portal) sendChanges(r *http.Request, s *web.Stream, lang Language, u account.User, only string, changes []history.Change) error {
	ctx := r.Context()
	v, err := p.viewer(ctx, lang, u.Customer)
	if err != nil {
		return err
	}
	latest := map[string]int64{} // event -> last change of it or of its notifications
	var order []string
	for _, ch := range changes {
		id := ch.Ref
		if ch.Name == history.ChangeNotification {
			n, ok, err := p.history.Notification(ctx, u.Customer, ch.Ref)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			id = n.EventID
		}
		if _, seen := latest[id]; !seen {
			order = append(order, id)
		}
		latest[id] = ch.Seq
	}
	for i, id := range order {
		e, ok, err := p.history.Event(ctx, u.Customer, id)
		if err != nil {
			return err
		}
		if !ok || only != "" && !strings.EqualFold(e.Account, only) {
			continue
		}
		list, err := p.history.OfEvent(ctx, u.Customer, id)
		if err != nil {
			return err
		}
		data, err := p.changeOf(v.event(e, list))
		if err != nil {
			return err
		}
		// Only the last may carry the last number: who comes back gets the others again.
		seq := changes[0].Seq - 1
		if i == len(order)-1 {
			seq = changes[len(changes)-1].Seq
		}
		if err := s.Send(seq, "event", data); err != nil {
			return err
		}
	}
	return nil
}

func (p *Portal) changeOf(v eventView) ([]byte, error) {
	var html bytes.Buffer
	if err := p.pages.ExecuteTemplate(&html, "event", v); err != nil {
		return nil, err
	}
	return json.Marshal(change{v.ID, v.ReceivedMs, v.Day, v.DayName, v.Lang.T("live.spoken", v.Title, v.Panel), html.String()})
}
