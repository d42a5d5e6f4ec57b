package portal

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vedetta/central/premises"
)

// removePage asks before something is deleted, or says why it can't be.
type removePage struct {
	Question string
	Text     string
	Action   string
	Tag      string
	Back     string
	InUse    []choice // rules that depend on it
	Conflict bool     // it was changed since the question was asked
}

// removal is how one kind of thing is deleted.
type removal struct {
	section, path string // panels, /panels
	key           string // of texts
	find          func(ctx context.Context, customer, id string) (name, tag string, err error)
	remove        func(c *premises.Change, id, tag string) error
}

func (p *Portal) removals() map[string]removal {
	return map[string]removal{
		"panels": {"panels", "/panels", "remove.panel", func(ctx context.Context, customer, id string) (string, string, error) {
			b, err := p.premises.Panel(ctx, customer, id)
			return b.Name, b.Tag, err
		}, (*premises.Change).DeletePanel},
		"contacts": {"contacts", "/contacts", "remove.contact", func(ctx context.Context, customer, id string) (string, string, error) {
			b, err := p.premises.Contact(ctx, customer, id)
			return b.Name, b.Tag, err
		}, (*premises.Change).DeleteContact},
		"rules": {"rules", "/rules", "remove.rule", func(ctx context.Context, customer, id string) (string, string, error) {
			b, err := p.premises.Rule(ctx, customer, id)
			return b.Name, b.Tag, err
		}, (*premises.Change).DeleteRule},
	}
}

// askRemove shows the question.
func (p *Portal) askRemove(k removal) func(visit) error {
	return func(v visit) error { return p.showRemove(v, k, nil) }
}

// doRemove deletes what the question was about.
func (p *Portal) doRemove(k removal) func(visit) error {
	return func(v visit) error {
		err := p.premises.Edit(v.r.Context(), time.Now(), v.user.Customer, func(c *premises.Change) error {
			return k.remove(c, v.r.PathValue("id"), v.r.PostFormValue("tag"))
		})
		if err != nil {
			return p.showRemove(v, k, err)
		}
		return v.to(k.path, "deleted")
	}
}

func (p *Portal) showRemove(v visit, k removal, err error) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	name, tag, gone := k.find(ctx, v.user.Customer, id)
	if errors.Is(gone, premises.ErrNone) {
		return errNotFound
	} else if gone != nil {
		return gone
	}
	content := removePage{Question: v.lang.T(k.key, name), Text: v.lang.T(k.key + "_text"), Action: k.path + "/" + id + "/delete", Tag: tag, Back: k.path + "/" + id}
	status := http.StatusOK
	var use premises.InUse
	switch {
	case err == nil:
	case errors.As(err, &use):
		status = http.StatusConflict
		names, err := p.ruleNames(ctx, v.user.Customer)
		if err != nil {
			return err
		}
		for _, rule := range use.Rules {
			content.InUse = append(content.InUse, choice{Name: names[rule], Link: "/rules/" + rule})
		}
	case errors.Is(err, premises.ErrTag):
		status, content.Conflict = http.StatusConflict, true
	default:
		return err
	}
	pg := v.page(k.section, k.key+"_title")
	pg.Content = content
	p.render(v.w, v.r, status, "remove.html", pg)
	return nil
}
