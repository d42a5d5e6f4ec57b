package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const secretPrefix = "whsec_"

// target is the value of a contact's address for this channel.
type target struct {
	URL    string `json:"url"`
	Secret string `json:"secret"` // whsec_ and base64, else the bytes themselves
}

var errTarget = errors.New("webhook address: want an https URL and a secret") // never tells them

func readTarget(address string, allowPlain bool) (*url.URL, []byte, error) {
	var t target
	if err := json.Unmarshal([]byte(address), &t); err != nil {
		return nil, nil, errTarget
	}
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(allowPlain && u.Scheme == "http") {
		return nil, nil, errTarget
	}
	u.Fragment = ""
	secret, err := readSecret(t.Secret)
	return u, secret, err
}

func readSecret(s string) ([]byte, error) {
	coded, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		if s == "" {
			return nil, errTarget
		}
		return []byte(s), nil
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if b, err := e.DecodeString(coded); err == nil && len(b) > 0 {
			return b, nil
		}
	}
	return nil, errTarget
}

// sign makes the webhook-signature of an attempt.
func sign(secret []byte, id string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s.%s.", id, strconv.FormatInt(at.Unix(), 10))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
