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
	Start  start // what is still to be done before alarms reach somebody
	Events []eventView
	Panels []choice
	Chosen string // name of the panel that was chosen, empty: all

	Unknown string // told to an operator: panels that nobody has entered

	Many      bool // too many panels to choose from: they are found by account
	Account   string
	NoAccount bool   // no panel has that account
	Older     string // link, empty on the last page
	Newest    bool   // first page: kept up to date
	First     string // link of the first page
	Stream    string // where its stream is, from where this page ends
}

// choice is one of several, as a link or as an option.
type choice struct {
	Value, Name, Detail string
	Link                string
	Chosen              bool
}

// with is a path with those parameters that are not empty.
func with(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (p *Portal) live(v visit) error {
	ctx := v.r.Context()
	panel := v.r.URL.Query().Get("panel")
	// The stream begins before what is read below: what comes meanwhile is shown twice in one place, never missed.
	from, err := p.history.LastChange(ctx, v.user.Customer)
	if err != nil {
		return err
	}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	account := strings.TrimSpace(v.r.URL.Query().Get("account"))
	if account != "" && panel == "" {
		panel = view.ofAccount(account)
	}
	query := history.Query{Cursor: v.r.URL.Query().Get("before"), Limit: eventsPerPage}
	content := livePage{Newest: query.Cursor == "", First: with("/", "panel", panel), Panels: view.choices("/", panel),
		Many: len(view.names.Panels) > maxChoices, Account: account, NoAccount: account != "" && panel == ""}
	if panel != "" {
		chosen, ok := view.names.Panels[panel]
		if !ok {
			return errNotFound
		}
		content.Chosen, query.Account = chosen.Name, chosen.Account
	}
	events, err := p.history.Events(ctx, v.user.Customer, query)
	if err != nil {
		return err
	}
	for _, e := range events.Items {
		if panel != "" && e.Panel != panel { // same account, other prefix
			continue
		}
		list, err := p.history.OfEvent(ctx, v.user.Customer, e.ID)
		if err != nil {
			return err
		}
		content.Events = append(content.Events, view.event(e, list))
	}
	if events.Next != nil {
		content.Older = with("/", "panel", panel, "before", *events.Next)
	}
	content.Stream = with("/live", "after", strconv.FormatInt(from, 10), "panel", panel)
	if content.Newest && panel == "" {
		content.Start = view.start(slices.ContainsFunc(content.Events, func(e eventView) bool { return !e.Ours }))
	}
	if content.Newest && v.user.Operator() {
		n, err := p.unknown.Waiting(ctx, time.Now())
		if err != nil {
			return err
		}
		if n > 0 {
			content.Unknown = v.lang.N("unknown.waiting", n)
		}
	}
	pg := v.page("events", "live.title")
	if content.Newest {
		pg.Scripts = []string{"live.js"}
	}
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "live.html", pg)
	return nil
}

// maxChoices is how many panels are listed to choose from; with more a page
// would be megabytes, and nobody would find one.
const maxChoices = 300

// ofAccount is the panel that has the account, the first by id when several
// have; empty: none.
func (v *viewer) ofAccount(account string) (found string) {
	for id, d := range v.names.Panels {
		if strings.EqualFold(d.Account, account) && (found == "" || id < found) {
			found = id
		}
	}
	return found
}

// choices lists the customer's panels by name; of very many only the chosen one.
func (v *viewer) choices(path string, chosen ...string) []choice {
	var list []choice
	for id, d := range v.names.Panels {
		if len(v.names.Panels) > maxChoices && !slices.Contains(chosen, id) {
			continue
		}
		list = append(list, choice{id, d.Name, d.Account, with(path, "panel", id), slices.Contains(chosen, id)})
	}
	slices.SortFunc(list, func(a, b choice) int {
		return cmp.Or(natural(a.Name, b.Name), cmp.Compare(a.Detail, b.Detail), cmp.Compare(a.Value, b.Value))
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
func (p *Portal) stream(v visit) error {
	ctx, token := v.r.Context(), p.token(v.r)
	text := v.r.Header.Get("Last-Event-ID")
	if text == "" {
		text = v.r.URL.Query().Get("after")
	}
	after, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		if after, err = p.history.LastChange(ctx, v.user.Customer); err != nil {
			return err
		}
	}
	only := v.r.URL.Query().Get("panel")
	s := web.NewStream(v.w)
	if s.Alive() != nil {
		return nil // the client is gone
	}
	err = p.history.Follow(ctx, v.user.Customer, after, func(changes []history.Change) error {
		if _, err := p.accounts.Session(ctx, time.Now(), token); err != nil {
			return err // logged out meanwhile
		}
		if len(changes) == 0 {
			return s.Alive()
		}
		return p.sendChanges(v.r, s, v.lang, v.user, only, changes)
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
		if !ok || only != "" && e.Panel != only {
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
