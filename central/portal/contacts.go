package portal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vedetta/central/premises"
)

// contactsPage lists contacts.
type contactsPage struct {
	Contacts []contactRow
	Older    string
}

type contactRow struct {
	premises.ContactBody
	EmailParts  []string // a line may end between them, not within a word
	WebhookHost string
	Devices     string // how many, empty: none
	Warnings    []string
}

func (p *Portal) contacts(v visit) error {
	found, err := p.premises.Contacts(v.r.Context(), v.user.Customer, premises.Query{Limit: thingsPerPage, Cursor: v.r.URL.Query().Get("after")})
	if err != nil {
		return err
	}
	content := contactsPage{}
	for _, b := range found.Items {
		row := contactRow{ContactBody: b, Warnings: warnings(v.lang, b.Warnings)}
		if b.Email != nil {
			row.EmailParts = emailParts(*b.Email)
		}
		if b.Webhook != nil {
			row.WebhookHost = host(b.Webhook.URL)
		}
		if n := len(b.Push); n > 0 {
			row.Devices = v.lang.N("contact.devices", n)
		}
		content.Contacts = append(content.Contacts, row)
	}
	if found.Next != nil {
		content.Older = with("/contacts", "after", *found.Next)
	}
	pg := v.page("contacts", "contacts.title")
	pg.Content = content
	p.render(v.w, v.r, http.StatusOK, "contacts.html", pg)
	return nil
}

// emailParts cuts an address before its @ and its dots.
func emailParts(address string) []string {
	var parts []string
	for i := strings.LastIndexAny(address, "@."); i > 0; i = strings.LastIndexAny(address, "@.") {
		parts, address = append(parts, address[i:]), address[:i]
	}
	parts = append(parts, address)
	slices.Reverse(parts)
	return parts
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Host
}

// contactForm is the page to add or edit a contact.
type contactForm struct {
	*form
	New                bool
	Heading            string
	Name, Language     input
	Email, Phone       input
	WebhookURL, Secret input
	HasSecret          string // the secret that signs the calls; empty: none yet
	Devices            []device
	DevicesFault       []string
	Warnings           []string
	ID                 string
}

// device is one browser with a push subscription.
type device struct {
	ID, Value, Service string
	Removed            bool
}

func (p *Portal) newContact(v visit) error {
	b := premises.NewContact()
	b.Language = v.lang.Code
	return p.showContact(v, "", "", contactValues(b), premises.ContactBody{}, nil)
}

func (p *Portal) oneContact(v visit) (premises.ContactBody, error) {
	b, err := p.premises.Contact(v.r.Context(), v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, premises.ErrNone) {
		err = errNotFound
	}
	return b, err
}

func (p *Portal) contact(v visit) error {
	b, err := p.oneContact(v)
	if err != nil {
		return err
	}
	return p.showContact(v, b.ID, b.Tag, contactValues(b), b, nil)
}

// saveContact adds a contact or, with an id in the path, changes one.
func (p *Portal) saveContact(v visit) error {
	ctx, id, values := v.r.Context(), v.r.PathValue("id"), v.r.PostForm
	var had, saved premises.ContactBody
	if id != "" {
		var err error
		if had, err = p.oneContact(v); err != nil {
			return err
		}
	}
	tag := values.Get("tag")
	err := p.premises.Edit(ctx, time.Now(), v.user.Customer, func(c *premises.Change) (err error) {
		if id == "" {
			b := premises.NewContact()
			contactOf(values, &b)
			if saved, err = c.AddContact(b); err != nil {
				return err
			}
			return retypedSecret(values)
		}
		if saved, err = c.EditContact(id, tag, func(b *premises.ContactBody) error { contactOf(values, b); return nil }); err != nil {
			return err
		}
		return retypedSecret(values)
	})
	if errors.Is(err, premises.ErrNone) {
		return errNotFound
	}
	if err != nil {
		return p.showContact(v, id, tag, values, had, err)
	}
	p.await(ctx, v, saved.Revision)
	if id == "" {
		return v.to("/contacts/"+saved.ID, "added")
	}
	return v.to("/contacts/"+saved.ID, "saved")
}

// retypedSecret is retyped for a webhook's secret; without a webhook it is none.
func retypedSecret(values url.Values) error {
	if strings.TrimSpace(values.Get("webhook.url")) == "" {
		return nil
	}
	return retyped(values, "webhook.secret")
}

func (p *Portal) showContact(v visit, id, tag string, values url.Values, had premises.ContactBody, err error) error {
	action := "/contacts"
	if id != "" {
		action += "/" + id
	}
	var use premises.InUse
	said := err
	if errors.As(err, &use) { // told above the form
		said = nil
	}
	f, handled := newForm(v.lang, action, tag, values, said)
	if !handled {
		return err
	}
	if err := p.inUse(v, f, use); err != nil {
		return err
	}
	if f.Conflict {
		f.Tag, f.stored = had.Tag, contactValues(had)
	}
	c := contactForm{form: f, New: id == "", ID: id, Warnings: warnings(v.lang, had.Warnings), Heading: f.T("contact.new")}
	if id != "" {
		c.Heading = had.Name
	}
	c.Name = f.input(input{Name: "name", Label: "contact.name", Required: true, Autocomplete: "off"})
	c.Language = f.input(input{Name: "language", Label: "contact.language", Hint: "contact.language_hint", Short: true,
		Pick: []tick{{Value: "it", Label: f.T("language.it")}, {Value: "en", Label: f.T("language.en")}}})
	c.Email = f.input(input{Name: "email", Label: "contact.email", Type: "email", Autocomplete: "off"})
	c.Phone = f.input(input{Name: "phone", Label: "contact.phone", Hint: "contact.phone_hint", Type: "tel", Autocomplete: "off"})
	c.WebhookURL = f.input(input{Name: "webhook.url", Label: "contact.webhook", Hint: "contact.webhook_hint", Type: "url", Autocomplete: "off", SpellFree: true})
	waive := "contact.secret_waive"
	if had.Webhook != nil {
		waive = "form.secret_keep"
	}
	c.Secret = f.secret(input{Name: "webhook.secret", Label: "contact.secret", Hint: "contact.secret_hint", Autocomplete: "off", SpellFree: true}, false, err != nil, "contact.secret_again", waive)
	if had.Webhook != nil {
		c.HasSecret = had.Webhook.Secret
	}
	removed := values["push_remove"]
	for i, d := range had.Push {
		at := device{ID: "f-push-" + deviceID(d.Endpoint), Value: deviceID(d.Endpoint), Service: pushService(d.Endpoint)}
		at.Removed = slices.Contains(removed, at.Value)
		for _, part := range []string{"endpoint", "p256dh", "auth"} {
			c.DevicesFault = append(c.DevicesFault, f.take(pushField(i, part), at.ID, f.T("contact.devices_title"))...)
		}
		c.Devices = append(c.Devices, at)
	}
	f.end()
	title := "contact.new"
	if id != "" {
		title = "contact.edit"
	}
	return p.showForm(v, "contacts", title, "contactform.html", c, f, err)
}

// inUse tells which rules a change would leave without effect.
func (p *Portal) inUse(v visit, f *form, use premises.InUse) error {
	if len(use.Rules) == 0 {
		return nil
	}
	names, err := p.ruleNames(v.r.Context(), v.user.Customer)
	if err != nil {
		return err
	}
	var list []string
	for _, id := range use.Rules {
		list = append(list, names[id])
	}
	f.Problems = append(f.Problems, problem{Label: f.T("menu.rules"), Text: f.T("form.in_use", f.Lang.List(list))})
	return nil
}

func pushField(i int, part string) string { return fmt.Sprintf("push[%d].%s", i, part) }

// deviceID names a subscription without showing its endpoint.
func deviceID(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// pushService is whose push service a subscription goes through, as people
// know it; else the host.
func pushService(endpoint string) string {
	h := host(endpoint)
	switch {
	case strings.HasSuffix(h, "googleapis.com"):
		return "Chrome, Edge, Android"
	case strings.HasSuffix(h, "mozilla.com"):
		return "Firefox"
	case strings.HasSuffix(h, "apple.com"):
		return "Safari, iPhone, iPad"
	case strings.HasSuffix(h, "windows.com"):
		return "Windows"
	}
	return h
}

func contactValues(b premises.ContactBody) url.Values {
	values := url.Values{"name": {b.Name}, "language": {b.Language}, "email": {text(b.Email)}, "phone": {text(b.Phone)}}
	if b.Webhook != nil {
		values.Set("webhook.url", b.Webhook.URL)
	}
	return values
}

// contactOf writes a form's values into a contact. A webhook without a typed
// secret keeps the one it has.
func contactOf(values url.Values, b *premises.ContactBody) {
	b.Name, b.Language = strings.TrimSpace(values.Get("name")), values.Get("language")
	b.Email, b.Phone = optional(values.Get("email")), optional(values.Get("phone"))
	address, secret := strings.TrimSpace(values.Get("webhook.url")), strings.TrimSpace(values.Get("webhook.secret"))
	switch {
	case address == "" && secret == "":
		b.Webhook = nil
	case b.Webhook == nil:
		b.Webhook = &premises.WebhookBody{URL: address, Secret: secret}
	default:
		b.Webhook.URL = address
		if secret != "" {
			b.Webhook.Secret = secret
		}
	}
	kept := []premises.PushBody{}
	for _, d := range b.Push {
		if !slices.Contains(values["push_remove"], deviceID(d.Endpoint)) {
			kept = append(kept, d)
		}
	}
	b.Push = kept
}
