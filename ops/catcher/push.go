package catcher

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	maxPushBytes = 4096 // RFC 8030, 7.2: what a service takes at least; ours takes no more
	pushPath     = "/push/"
)

// Push is one push message, opened as its browser would.
type Push struct {
	ID       string            `json:"id"`    // of the notification that the payload names; else a number
	Topic    string            `json:"topic"` // several with one topic: a device shows the last
	Tag      string            `json:"tag"`
	Payload  string            `json:"payload"`
	Headers  map[string]string `json:"headers"` // ttl, urgency, topic, content-encoding
	Received Time              `json:"received"`
}

// Subscription is what a browser would give to the application.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	P256dh   string `json:"p256dh"`
	Auth     string `json:"auth"`
}

// device is a browser with one subscription.
type device struct {
	ID      string `json:"id"`
	Private []byte `json:"private"` // P-256 scalar
	Auth    []byte `json:"auth"`
	// ServerKey is the application's public key that it was subscribed under,
	// base64url; empty: any.
	ServerKey string `json:"server_key"`
	Ended     bool   `json:"ended"` // unsubscribed: 410 from then on
}

func (d device) key() (*ecdh.PrivateKey, error) { return ecdh.P256().NewPrivateKey(d.Private) }

// Subscribe makes a browser of that name, or returns the one that there is.
// serverKey is the application's public key in base64url; empty: any.
func (c *Catcher) Subscribe(name, serverKey string) (Subscription, error) {
	d, ok := c.shelf.device(name)
	if !ok {
		k, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return Subscription{}, err
		}
		d = device{ID: name, Private: k.Bytes(), Auth: make([]byte, 16), ServerKey: serverKey}
		rand.Read(d.Auth)
		if err := c.shelf.add(line{Kind: "device", Device: &d}); err != nil {
			return Subscription{}, err
		}
	}
	k, err := d.key()
	if err != nil {
		return Subscription{}, err
	}
	return Subscription{"http://" + c.address() + pushPath + d.ID, coded(k.PublicKey().Bytes()), coded(d.Auth)}, nil
}

// address is where this catcher is reached: as bound, else as configured.
func (c *Catcher) address() string {
	select {
	case <-c.ready:
		return c.http.String()
	default:
		return c.cfg.HTTP
	}
}

func coded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// subscribe is POST /push/subscriptions.
func (c *Catcher) subscribe(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ServerKey string `json:"application_server_key"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, `want {"application_server_key"} or nothing`, http.StatusBadRequest)
		return
	}
	s, err := c.Subscribe(rand.Text(), in.ServerKey)
	if err != nil {
		http.Error(w, "can't keep it", http.StatusInsufficientStorage)
		return
	}
	w.WriteHeader(http.StatusCreated)
	answer(w, s)
}

// unsubscribe is DELETE /push/{id}.
func (c *Catcher) unsubscribe(w http.ResponseWriter, r *http.Request) {
	d, ok := c.shelf.device(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	d.Ended = true
	if err := c.shelf.add(line{Kind: "device", Device: &d}); err != nil {
		http.Error(w, "can't keep it", http.StatusInsufficientStorage)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

var (
	topicForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // RFC 8030, 5.4
	ttlForm    = regexp.MustCompile(`^[0-9]{1,9}$`)          // RFC 8030, 5.2
	urgencies  = map[string]bool{"": true, "very-low": true, "low": true, "normal": true, "high": true}
	headerKept = []string{"TTL", "Urgency", "Topic", "Content-Encoding"}
)

// push takes a message as a push service does, or does what the fault says.
func (c *Catcher) push(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	f := c.faults.push()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPushBytes+1))
	if err != nil || len(body) > maxPushBytes {
		http.Error(w, "want a body of at most 4096 bytes", http.StatusRequestEntityTooLarge)
		return
	}
	c.env.Log.Debug("push came", "bytes", len(body), "fault", string(f.Mode))
	if f.answered(ctx, w, pushPath+"elsewhere") {
		return
	}
	p, status, why := c.open(r, body)
	if status != http.StatusCreated {
		c.env.Log.Warn("push was refused", "status", status, "why", why)
		http.Error(w, why, status)
		return
	}
	if err := c.shelf.add(line{Kind: "push", Push: &p}); err != nil {
		c.env.Log.Warn("push was not kept", "error", err)
		http.Error(w, "can't keep it", http.StatusInsufficientStorage)
		return
	}
	f.afterwards(ctx, w, r)
	w.Header().Set("Location", "/push/messages/"+p.ID)
	w.Header().Set("TTL", r.Header.Get("TTL"))
	w.WriteHeader(http.StatusCreated)
}

// open checks what a push service checks, and opens the message as the browser
// does afterwards. The status is 201 when all is well.
func (c *Catcher) open(r *http.Request, body []byte) (p Push, status int, why string) {
	d, ok := c.shelf.device(r.PathValue("id"))
	switch {
	case !ok:
		return p, http.StatusNotFound, "no such subscription"
	case d.Ended:
		return p, http.StatusGone, "the subscription has ended"
	}
	if status, err := checkVAPID(r, d.ServerKey, time.Now()); err != nil {
		return p, status, err.Error()
	}
	h := r.Header
	switch {
	case !ttlForm.MatchString(h.Get("TTL")):
		return p, http.StatusBadRequest, "TTL: want whole seconds"
	case h.Get("Topic") != "" && !topicForm.MatchString(h.Get("Topic")):
		return p, http.StatusBadRequest, "Topic: want at most 32 characters of base64url"
	case !urgencies[h.Get("Urgency")]:
		return p, http.StatusBadRequest, "Urgency: want very-low, low, normal or high"
	case h.Get("Content-Encoding") != "aes128gcm":
		return p, http.StatusBadRequest, "Content-Encoding: want aes128gcm"
	}
	key, err := d.key()
	if err != nil {
		return p, http.StatusInternalServerError, "the subscription's key is damaged"
	}
	plain, err := openPush(key, d.Auth, body)
	if err != nil {
		return p, http.StatusBadRequest, err.Error()
	}
	var form struct {
		ID           string `json:"id"`
		Tag          string `json:"tag"`
		Notification struct {
			Tag string `json:"tag"`
		} `json:"notification"`
	}
	_ = json.Unmarshal(plain, &form) // a payload may be anything
	p = Push{ID: form.ID, Topic: h.Get("Topic"), Tag: form.Notification.Tag, Payload: string(plain), Headers: map[string]string{}, Received: Time(time.Now())}
	if p.Tag == "" {
		p.Tag = form.Tag
	}
	for _, name := range headerKept {
		if v := h.Get(name); v != "" {
			p.Headers[strings.ToLower(name)] = v
		}
	}
	return p, http.StatusCreated, ""
}

// device finds a browser.
func (s *shelf) device(id string) (device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[id]
	return d, ok
}
