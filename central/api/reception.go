package api

import (
	"fmt"
	"net/http"
	"time"

	"vedetta/central/account"
	"vedetta/central/premises"
)

// readReception sets what m says; what it leaves out is as usual.
func readReception(o *object) *premises.ReceptionBody {
	r := premises.NewReception()
	o.flag("time_window", &r.TimeWindow)
	o.number("behind_seconds", &r.BehindSeconds)
	o.number("ahead_seconds", &r.AheadSeconds)
	o.flag("local_time", &r.LocalTime)
	o.number("duplicate_seconds", &r.DuplicateSeconds)
	o.text("answer", &r.Answer)
	o.flag("allow_plain", &r.AllowPlain)
	o.text("ack", &r.Ack)
	o.text("unknown_token", &r.UnknownToken)
	o.flag("strict_account", &r.StrictAccount)
	o.flag("opaque_account", &r.OpaqueAccount)
	o.text("text", &r.Text)
	return &r
}

// readKeys sets the keys of a panel: null takes one away.
func readKeys(o *object, b *premises.PanelBody) {
	for _, k := range []struct {
		name string
		to   *string
	}{{"key", &b.Key}, {"next_key", &b.NextKey}} {
		o.text(k.name, k.to)
		if key, ok := o.m[k.name].(string); ok && key == "" {
			o.faults.Add(k.name, "key_form") // null says that there is none
		}
	}
	had := b.PreviousKeyUntil
	b.PreviousKeyUntil = nil
	o.optional("previous_key_until", &b.PreviousKeyUntil)
	if b.PreviousKeyUntil != nil && (had == nil || *had != *b.PreviousKeyUntil) {
		o.faults.Add("previous_key_until", "read_only") // only to be ended
	}
}

// promoteKey makes a panel's next key its current one.
func (a *API) promoteKey(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	tags, err := ifMatch(r)
	if err != nil {
		return err
	}
	kept := int(premises.PreviousKept.Seconds())
	if r.ContentLength != 0 {
		_, m, err := readBody(w, r, "application/json")
		if err != nil {
			return err
		}
		var f premises.Faults
		o := &object{m: m, faults: &f}
		o.number("previous_seconds", &kept)
		o.rest()
		if err := fault(f); err != nil {
			return err
		}
		if most := int(premises.MaxPreviousKept.Seconds()); kept < 0 || kept > most {
			return premises.Faults{{Field: "previous_seconds", Code: "range", Expected: fmt.Sprintf("0 to %d", most)}}
		}
	}
	var b premises.PanelBody
	err = a.edit(r, c, func(ch *premises.Change) error {
		return anyTag(tags, func(tag string) (err error) {
			b, err = ch.PromoteKey(r.PathValue("id"), tag, time.Duration(kept)*time.Second)
			return err
		})
	})
	if err != nil {
		return err
	}
	b.InForce = a.inForce(r.Context(), c.Customer, b.Revision)
	w.Header().Set("ETag", etag(b.Tag))
	return answer(w, b)
}
