package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vedetta/central/premises"
	"vedetta/wire/push"
)

// Mesh is asked for the key that browsers subscribe under (central.push).
type Mesh interface {
	Call(ctx context.Context, method string, request []byte) ([]byte, error)
}

// devicePage lets the browser that shows it be alerted. What it can't do
// without script, asking the browser for a subscription, it says.
type devicePage struct {
	*form
	Key      string // public, base64url; empty: none can be had now
	Why      string // when there is no key
	Contact  input
	Contacts []deviceOwner
}

// deviceOwner is a contact with the devices that alert it.
type deviceOwner struct {
	ID, Name string
	Devices  string // ids, with spaces between
}

func (p *Portal) device(v visit) error {
	return p.showDevice(v, url.Values{"contact": {v.r.URL.Query().Get("contact")}}, nil)
}

// pushKey is the mesh's public key, or why there is none.
func (p *Portal) pushKey(ctx context.Context, l Language) (key, why string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	answer, err := p.mesh.Call(ctx, "central.push", nil)
	if err == nil {
		key, err = push.ReadAnnouncement(answer)
	}
	switch {
	case err != nil:
		p.log.Warn("key for push not read", "err", err)
		return "", l.T("device.unreachable")
	case key == "":
		return "", l.T("device.not_set_up")
	}
	return key, ""
}

// subscribe adds this browser's subscription to a contact. One that another
// contact has with the same endpoint stays: a device may alert for two.
func (p *Portal) subscribe(v visit) error {
	get := func(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }
	body := premises.PushBody{Endpoint: get("endpoint"), P256dh: get("p256dh"), Auth: get("auth")}
	err := p.editDevices(v, get("contact"), func(b *premises.ContactBody) {
		at := slices.IndexFunc(b.Push, func(d premises.PushBody) bool { return d.Endpoint == body.Endpoint })
		if at < 0 {
			b.Push = append(b.Push, body)
		} else {
			b.Push[at] = body // the browser has drawn new keys
		}
	})
	if err != nil {
		return p.showDevice(v, v.r.PostForm, err)
	}
	return v.to("/device", "subscribed")
}

// unsubscribe takes a device away from a contact, by the id of its endpoint.
func (p *Portal) unsubscribe(v visit) error {
	err := p.editDevices(v, v.r.PostForm.Get("contact"), func(b *premises.ContactBody) {
		b.Push = slices.DeleteFunc(b.Push, func(d premises.PushBody) bool { return deviceID(d.Endpoint) == v.r.PostForm.Get("device") })
	})
	if err != nil {
		return p.showDevice(v, v.r.PostForm, err)
	}
	return v.to("/device", "unsubscribed")
}

func (p *Portal) editDevices(v visit, contact string, fn func(*premises.ContactBody)) error {
	var saved premises.ContactBody
	err := p.premises.Edit(v.r.Context(), time.Now(), v.user.Customer, func(c *premises.Change) (err error) {
		saved, err = c.EditContact(contact, "", func(b *premises.ContactBody) error { fn(b); return nil })
		return err
	})
	if err == nil {
		p.await(v.r.Context(), v, saved.Revision)
	}
	return err
}

func (p *Portal) showDevice(v visit, values url.Values, err error) error {
	if errors.Is(err, premises.ErrNone) { // none was chosen, or it is gone
		err = premises.Faults{{Field: "contact", Code: "no_contact"}}
	}
	var use premises.InUse
	said := err
	if errors.As(err, &use) {
		said = nil
	}
	f, handled := newForm(v.lang, "/device", "", values, said)
	if !handled {
		return err
	}
	if err := p.inUse(v, f, use); err != nil {
		return err
	}
	view, failed := p.viewer(v.r.Context(), v.lang, v.user.Customer)
	if failed != nil {
		return failed
	}
	c := devicePage{form: f}
	c.Key, c.Why = p.pushKey(v.r.Context(), v.lang)
	var pick []tick
	for _, k := range view.contacts("") {
		b, err := p.premises.Contact(v.r.Context(), v.user.Customer, k.Value)
		if errors.Is(err, premises.ErrNone) {
			continue
		} else if err != nil {
			return err
		}
		var ids []string
		for _, d := range b.Push {
			ids = append(ids, deviceID(d.Endpoint))
		}
		c.Contacts = append(c.Contacts, deviceOwner{b.ID, b.Name, strings.Join(ids, " ")})
		pick = append(pick, tick{Value: b.ID, Label: b.Name})
	}
	c.Contact = f.input(input{Name: "contact", Label: "device.contact", Hint: "device.contact_hint", Pick: pick})
	f.end()
	pg := v.page("contacts", "device.title")
	pg.Content, pg.Problems, pg.Scripts = c, len(f.Problems), []string{"device.js"}
	status := http.StatusOK
	if err != nil {
		status = http.StatusUnprocessableEntity
	}
	p.render(v.w, v.r, status, "device.html", pg)
	return nil
}
