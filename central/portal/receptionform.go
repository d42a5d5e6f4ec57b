package portal

import (
	"net/url"
	"strconv"
	"time"

	"vedetta/central/premises"
)

// receptionForm is the folded part of a panel's form about how its messages are
// judged and answered.
type receptionForm struct {
	Open                    bool
	Behind, Ahead           input
	Duplicate               input
	Ack, Answer, Token      input
	Text                    input
	Window, Local, Plain    flag
	StrictAccount, FreeForm flag
}

// ringForm is the part about a panel's keys beside the current one.
type ringForm struct {
	Open           bool
	Made           bool // the next key in the form was drawn here just now
	Next           input
	NextText       string // "" while there is none
	Previous       string // until when the previous key is taken, "" for none
	Forget, Remove flag
}

// flag is one box to tick.
type flag struct {
	ID, Name, Label, Hint string
	Checked               bool
	Faults                []string
}

const receptionField = "reception."

func (f *form) flag(name, label, hint string) flag {
	b := flag{ID: idOf(name), Name: name, Label: f.T(label), Checked: f.values.Get(name) != ""}
	if hint != "" {
		b.Hint = f.T(hint)
	}
	b.Faults = f.take(name, b.ID, b.Label)
	return b
}

func (c *panelForm) reception(had premises.PanelBody) {
	r := receptionForm{}
	choice := func(name string, values []string) input {
		var list []tick
		for _, v := range values {
			list = append(list, tick{Value: v, Label: c.T("reception." + name + "." + v)})
		}
		return c.input(input{Name: receptionField + name, Label: "reception." + name, Hint: "reception." + name + "_hint", Pick: list})
	}
	span := func(name string) input {
		return c.input(input{Name: receptionField + name, Label: "reception." + name, Mode: "numeric", Short: true, Autocomplete: "off"})
	}
	box := func(name string) flag {
		return c.flag(receptionField+name, "reception."+name, "reception."+name+"_hint")
	}
	r.Window, r.Local, r.Plain, r.StrictAccount, r.FreeForm = box("time_window"), box("local_time"), box("allow_plain"), box("strict_account"), box("opaque_account")
	r.Behind, r.Ahead, r.Duplicate = span("behind_seconds"), span("ahead_seconds"), span("duplicate_seconds")
	r.Ack, r.Answer = choice("ack", premises.AckKinds), choice("answer", premises.AnswerForms)
	r.Token, r.Text = choice("unknown_token", premises.TokenAnswers), choice("text", premises.TextEncodings)
	r.Open = had.Reception != nil
	for _, in := range []input{r.Behind, r.Ahead, r.Duplicate, r.Ack, r.Answer, r.Token, r.Text} {
		r.Open = r.Open || len(in.Faults) > 0
	}
	for _, b := range []flag{r.Window, r.Local, r.Plain, r.StrictAccount, r.FreeForm} {
		r.Open = r.Open || len(b.Faults) > 0
	}
	c.Reception = r
}

func (c *panelForm) ring(had premises.PanelBody, zone *time.Location, made, refused bool) {
	r := ringForm{NextText: nextKeyText(c.Lang, had), Previous: previousText(c.Lang, had, zone), Made: made}
	waive := "panel.next_key_waive"
	if had.NextKeySet {
		waive = "form.secret_keep"
	}
	r.Next = c.secret(input{Name: "next_key", Label: "panel.next_key", Hint: "panel.next_key_hint", Autocomplete: "off", SpellFree: true}, made, refused, "panel.key_again", waive)
	r.Remove = c.flag("next_key_remove", "panel.next_key_remove", "")
	r.Forget = c.flag("previous_key_end", "panel.previous_key_end", "")
	r.Open = had.NextKeySet || r.Previous != "" || made || len(r.Next.Faults) > 0 || r.Next.Again != nil
	c.Ring = r
}

// nextKeyText says whether there is a next key and as what it was taken.
func nextKeyText(l Language, b premises.PanelBody) string {
	switch {
	case !b.NextKeySet:
		return ""
	case b.NextKeyForm == nil:
		return l.T("panel.key_set")
	}
	return l.T("panel.key_as_" + *b.NextKeyForm)
}

// previousText says until when the previous key is taken; empty when there is
// none or its time is over.
func previousText(l Language, b premises.PanelBody, zone *time.Location) string {
	if b.PreviousKeyUntil == nil {
		return ""
	}
	until, err := time.Parse(time.RFC3339, *b.PreviousKeyUntil)
	if err != nil || !time.Now().Before(until) {
		return ""
	}
	return l.T("panel.previous_key", l.Stamp(until.In(zone)))
}

// receptionValues are a panel's settings as its form has them.
func receptionValues(b *premises.ReceptionBody, values url.Values) {
	r := premises.NewReception()
	if b != nil {
		r = *b
	}
	for name, n := range map[string]int{"behind_seconds": r.BehindSeconds, "ahead_seconds": r.AheadSeconds, "duplicate_seconds": r.DuplicateSeconds} {
		values.Set(receptionField+name, strconv.Itoa(n))
	}
	for name, word := range map[string]string{"ack": r.Ack, "answer": r.Answer, "unknown_token": r.UnknownToken, "text": r.Text} {
		values.Set(receptionField+name, word)
	}
	for name, on := range map[string]bool{"time_window": r.TimeWindow, "local_time": r.LocalTime, "allow_plain": r.AllowPlain,
		"strict_account": r.StrictAccount, "opaque_account": r.OpaqueAccount} {
		if on {
			values.Set(receptionField+name, "yes")
		}
	}
}

// receptionTyped is what a form says; a form without this part changes nothing.
func receptionTyped(values url.Values, b *premises.PanelBody) {
	if !values.Has(receptionField + "ack") {
		return
	}
	on := func(name string) bool { return values.Get(receptionField+name) != "" }
	n := func(name string) int { return number(values.Get(receptionField + name)) }
	word := func(name string) string { return values.Get(receptionField + name) }
	b.Reception = &premises.ReceptionBody{TimeWindow: on("time_window"), BehindSeconds: n("behind_seconds"), AheadSeconds: n("ahead_seconds"), LocalTime: on("local_time"),
		DuplicateSeconds: n("duplicate_seconds"), Answer: word("answer"), AllowPlain: on("allow_plain"), Ack: word("ack"), UnknownToken: word("unknown_token"),
		StrictAccount: on("strict_account"), OpaqueAccount: on("opaque_account"), Text: word("text")}
	if *b.Reception == premises.NewReception() {
		b.Reception = nil
	}
}

// ringTyped is what a form says of the keys beside the current one.
func ringTyped(values url.Values, b *premises.PanelBody) {
	keyTyped(values.Get("next_key"), values.Get("next_key_remove") != "", &b.NextKey)
	if values.Get("previous_key_end") != "" {
		b.PreviousKeyUntil = nil
	}
}
