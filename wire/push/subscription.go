package push

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Lengths of a subscription's parts in bytes, decoded.
const (
	PointBytes = 65 // uncompressed P-256 point
	AuthBytes  = 16 // RFC 8291, 3.2
	// MaxEndpoint bounds an endpoint's length; push services give about 200.
	MaxEndpoint = 2000
)

// ErrSubscription is what every error of Parse and Check is about.
var ErrSubscription = errors.New("push subscription")

// Subscription is PushSubscription.toJSON() of a browser, flat: the value of a
// contact's address of channel webpush.
type Subscription struct {
	Endpoint string `json:"endpoint"` // URL of the push service
	P256dh   string `json:"p256dh"`   // browser's public key, base64url
	Auth     string `json:"auth"`     // 16 secret bytes, base64url
}

// Parse reads the JSON of one subscription, checks it and puts it into canonical form. allowPlain lets an
// endpoint be http.
func Parse(value []byte, allowPlain bool) (Subscription, error) {
	var s Subscription
	d := json.NewDecoder(bytes.NewReader(value))
	if err := d.Decode(&s); err != nil {
		return Subscription{}, fmt.Errorf("%w: want {\"endpoint\",\"p256dh\",\"auth\"} as JSON", ErrSubscription)
	}
	return s.Canonical(), s.Check(allowPlain)
}

// Canonical writes the keys the way every library reads them.
func (s Subscription) Canonical() Subscription {
	for _, field := range []*string{&s.P256dh, &s.Auth} {
		if b, err := Decode(*field); err == nil {
			*field = base64.RawURLEncoding.EncodeToString(b)
		}
	}
	return s
}

// Check says which field can't be used and what is expected.
func (s Subscription) Check(allowPlain bool) error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(s.Endpoint) > MaxEndpoint,
		u.Scheme != "https" && !(allowPlain && u.Scheme == "http"):
		return fmt.Errorf("%w: endpoint: want an https URL of at most %d characters", ErrSubscription, MaxEndpoint)
	}
	if p, err := Decode(s.P256dh); err != nil || len(p) != PointBytes || !onCurve(p) {
		return fmt.Errorf("%w: p256dh: want a P-256 public key of %d bytes in base64url", ErrSubscription, PointBytes)
	}
	if a, err := Decode(s.Auth); err != nil || len(a) != AuthBytes {
		return fmt.Errorf("%w: auth: want %d bytes in base64url", ErrSubscription, AuthBytes)
	}
	return nil
}

// Decode reads base64url or plain base64, with or without padding: browsers
// and libraries write all four.
func Decode(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: want base64url", ErrSubscription) // the library's error tells where
	}
	return b, nil
}

func onCurve(point []byte) bool {
	_, err := ecdh.P256().NewPublicKey(point)
	return err == nil
}
