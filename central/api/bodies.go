package api

import (
	"encoding/json"

	"vedetta/central/premises"
)

// readOnly are members of answers that are passed over where a client sends
// them back. An id is not: it would say which thing is meant.
func readOnly(o *object, id string, names ...string) {
	var given string
	o.text("id", &given)
	if given != "" && given != id {
		o.faults.Add("id", "read_only")
	}
	for _, name := range append(names, "revision", "in_force", "warnings") {
		o.take(name)
	}
}

// readPanel sets what m says of a panel; b.ID is the panel's, empty for a new one.
func readPanel(m map[string]any, b *premises.PanelBody) error {
	var f premises.Faults
	o := &object{m: m, faults: &f}
	o.text("name", &b.Name)
	o.text("listener", &b.Listener)
	o.optional("prefix", &b.Prefix)
	o.optional("receiver", &b.Receiver)
	o.text("account", &b.Account)
	readKeys(o, b)
	o.number("poll_seconds", &b.PollSeconds)
	o.number("grace_seconds", &b.GraceSeconds)
	o.inner("supervision", func(o *object) { b.Supervision = readSupervision(o) })
	o.inner("reception", func(o *object) { b.Reception = readReception(o) })
	o.text("time_zone", &b.TimeZone)
	zones := []premises.ZoneBody{}
	o.objects("zones", func(o *object) {
		var z premises.ZoneBody
		o.text("number", &z.Number)
		o.text("name", &z.Name)
		zones = append(zones, z)
	})
	b.Zones = zones
	readOnly(o, b.ID, "key_set", "key_form", "next_key_set", "next_key_form")
	o.rest()
	return fault(f)
}

func readSupervision(o *object) *premises.SupervisionBody {
	s := &premises.SupervisionBody{}
	o.optional("profile", &s.Profile)
	o.inner("alternative", func(o *object) {
		s.Alternative = &premises.PathBody{}
		o.number("poll_seconds", &s.Alternative.PollSeconds)
		o.number("grace_seconds", &s.Alternative.GraceSeconds)
		o.optional("transport", &s.Alternative.Transport)
		o.optional("prefix", &s.Alternative.Prefix)
		o.optional("receiver", &s.Alternative.Receiver)
	})
	return s
}

func readContact(m map[string]any, b *premises.ContactBody) error {
	var f premises.Faults
	o := &object{m: m, faults: &f}
	o.text("name", &b.Name)
	o.optional("email", &b.Email)
	o.optional("phone", &b.Phone)
	o.text("language", &b.Language)
	o.inner("webhook", func(o *object) {
		b.Webhook = &premises.WebhookBody{}
		o.text("url", &b.Webhook.URL)
		o.text("secret", &b.Webhook.Secret)
	})
	b.Push = []premises.PushBody{}
	o.objects("push", func(o *object) {
		var d premises.PushBody
		o.text("endpoint", &d.Endpoint)
		o.text("p256dh", &d.P256dh)
		o.text("auth", &d.Auth)
		b.Push = append(b.Push, d)
	})
	readOnly(o, b.ID)
	o.rest()
	return fault(f)
}

func readRule(m map[string]any, b *premises.RuleBody) error {
	var f premises.Faults
	o := &object{m: m, faults: &f}
	o.text("name", &b.Name)
	o.texts("panels", &b.Panels)
	o.texts("partitions", &b.Partitions)
	o.texts("zones", &b.Zones)
	o.texts("categories", &b.Categories)
	o.texts("codes", &b.Codes)
	o.texts("qualifiers", &b.Qualifiers)
	o.numbers("days", &b.Days)
	o.optional("from", &b.From)
	o.optional("to", &b.To)
	b.Steps = []premises.StepBody{}
	o.objects("steps", func(o *object) {
		s := premises.StepBody{Contacts: []string{}, Channels: []string{}}
		o.texts("contacts", &s.Contacts)
		o.texts("channels", &s.Channels)
		o.number("after_seconds", &s.AfterSeconds)
		o.number("repeat", &s.Repeat)
		b.Steps = append(b.Steps, s)
	})
	o.flag("until_acknowledged", &b.UntilAcknowledged)
	o.flag("bundle", &b.Bundle)
	o.flag("enabled", &b.Enabled)
	readOnly(o, b.ID)
	o.rest()
	return fault(f)
}

func fault(f premises.Faults) error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// members are a body's as a merge patch finds them.
func members(b any) (map[string]any, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return decode(text)
}

// patchPanel applies a merge patch to a panel. What the patch removes is again
// as in a new panel.
func patchPanel(b *premises.PanelBody, patch map[string]any) error {
	now, err := members(*b)
	if err != nil {
		return err
	}
	if b.Key != "" {
		now["key"] = b.Key
	}
	if b.NextKey != "" {
		now["next_key"] = b.NextKey
	}
	next := premises.NewPanel()
	next.ID, next.PreviousKeyUntil = b.ID, b.PreviousKeyUntil
	if err := readPanel(merge(now, patch), &next); err != nil {
		return err
	}
	next.KeySet, next.KeyForm, next.State = b.KeySet, b.KeyForm, b.State
	next.NextKeySet, next.NextKeyForm = b.NextKeySet, b.NextKeyForm
	*b = next
	return nil
}

func patchContact(b *premises.ContactBody, patch map[string]any) error {
	now, err := members(*b)
	if err != nil {
		return err
	}
	next := premises.NewContact()
	next.ID = b.ID
	if err := readContact(merge(now, patch), &next); err != nil {
		return err
	}
	next.State = b.State
	*b = next
	return nil
}

func patchRule(b *premises.RuleBody, patch map[string]any) error {
	now, err := members(*b)
	if err != nil {
		return err
	}
	next := premises.NewRule()
	next.ID = b.ID
	if err := readRule(merge(now, patch), &next); err != nil {
		return err
	}
	next.State = b.State
	*b = next
	return nil
}
