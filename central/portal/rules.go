package portal

import (
	"errors"
	"net/http"
	"time"

	"vedetta/central/premises"
	"vedetta/wire/roster"
)

// rulesPage lists rules in plain words.
type rulesPage struct {
	Rules []ruleRow
	Older string
	Start start // what reaches nobody
}

type ruleRow struct {
	premises.RuleBody
	Summary  string
	Warnings []string
}

func (p *Portal) rules(v visit) error {
	ctx := v.r.Context()
	found, err := p.premises.Rules(ctx, v.user.Customer, premises.Query{Limit: thingsPerPage, Cursor: v.r.URL.Query().Get("after")})
	if err != nil {
		return err
	}
	view, err := p.viewer(ctx, v.lang, v.user.Customer)
	if err != nil {
		return err
	}
	content := rulesPage{Start: start{Lang: v.lang, Gaps: view.gaps(view.names.Document)}}
	for _, b := range found.Items {
		content.Rules = append(content.Rules, ruleRow{b, view.summary(rosterRule(b)), warnings(v.lang, b.Warnings)})
	}
	if found.Next != nil {
		content.Older = with("/rules", "after", *found.Next)
	}
	pg := v.page("rules", "rules.title")
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "rules.html", pg)
	return nil
}

// rosterRule is a rule's body as the mesh reads it.
func rosterRule(b premises.RuleBody) roster.Rule {
	r := roster.Rule{ID: b.ID, Name: b.Name, Panels: b.Panels, Partitions: b.Partitions, Zones: b.Zones, Categories: b.Categories, Codes: b.Codes,
		Qualifiers: b.Qualifiers, Days: b.Days, From: text(b.From), To: text(b.To), Enabled: b.Enabled}
	for _, s := range b.Steps {
		r.Steps = append(r.Steps, roster.Step(s))
	}
	return r
}

// enableRule switches a rule on or off.
func (p *Portal) enableRule(v visit) error {
	on := v.r.PostFormValue("enabled") == "yes"
	var saved premises.RuleBody
	err := p.premises.Edit(v.r.Context(), time.Now(), v.user.Customer, func(c *premises.Change) (err error) {
		saved, err = c.EditRule(v.r.PathValue("id"), v.r.PostFormValue("tag"), func(b *premises.RuleBody) error { b.Enabled = on; return nil })
		return err
	})
	var faults premises.Faults
	switch {
	case errors.Is(err, premises.ErrNone):
		return errNotFound
	case errors.Is(err, premises.ErrTag):
		return v.to("/rules", "changed_meanwhile")
	case errors.As(err, &faults): // what it says now must be mended first
		b, stored := p.oneRule(v)
		if stored != nil {
			return stored
		}
		return p.showRule(v, b.ID, b.Tag, ruleValues(b), b, err)
	case err != nil:
		return err
	}
	p.await(v.r.Context(), v, saved.Revision)
	if on {
		return v.to("/rules", "enabled")
	}
	return v.to("/rules", "disabled")
}
