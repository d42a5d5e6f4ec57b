package catcher

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func decoded(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 8291, appendix A.
const (
	rfcPrivate = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
	rfcAuth    = "BTBZMqHH6r4Tts7J_aSIgg"
	rfcBody    = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	rfcText    = "When I grow up, I want to be a watermelon"
)

func rfcKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.P256().NewPrivateKey(decoded(t, rfcPrivate))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRFC8291_AppendixA(t *testing.T) {
	body, auth := decoded(t, rfcBody), decoded(t, rfcAuth)
	got, err := openPush(rfcKey(t), auth, body)
	if err != nil || string(got) != rfcText {
		t.Fatalf("opened %q, %v", got, err)
	}
	for i := range body { // every byte counts
		bad := bytes.Clone(body)
		bad[i] ^= 1
		if i >= saltBytes && i < saltBytes+4 {
			continue // the record's size is only a bound (RFC 8188, 2.1)
		}
		if _, err := openPush(rfcKey(t), auth, bad); err == nil {
			t.Errorf("byte %d changed, and it was opened", i)
		}
	}
	for n := range body {
		if _, err := openPush(rfcKey(t), auth, body[:n]); err == nil {
			t.Errorf("cut to %d bytes, and it was opened", n)
		}
	}
	if _, err := openPush(rfcKey(t), make([]byte, 16), body); err == nil {
		t.Error("opened with another secret")
	}
}

func FuzzOpenPush(f *testing.F) {
	f.Add(decoded(f, rfcBody))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := openPush(rfcKey(t), decoded(t, rfcAuth), b); err == nil && string(got) != rfcText {
			t.Errorf("opened %q, which nobody sealed", got)
		}
	})
}

// token makes an Authorization header.
func token(t *testing.T, key *ecdsa.PrivateKey, claims string) string {
	t.Helper()
	signed := coded([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + coded([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return "vapid t=" + signed + "." + coded(sig) + ", k=" + publicOf(t, key)
}

func publicOf(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	b, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return coded(b)
}

func TestVAPID(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := func(aud string, exp time.Time, sub string) string {
		return fmt.Sprintf(`{"aud":%q,"exp":%d,"sub":%q}`, aud, exp.Unix(), sub)
	}
	const aud, sub = "http://push.example", "mailto:a@example.it"
	good := token(t, key, claims(aud, now.Add(12*time.Hour), sub))
	for name, one := range map[string]struct {
		header string
		bound  string
		status int
	}{
		"good":                    {good, "", 200},
		"good, bound to it":       {good, publicOf(t, key), 200},
		"bound to another":        {good, publicOf(t, other), 403},
		"none":                    {"", "", 401},
		"bearer":                  {"Bearer x", "", 401},
		"another's key beside it": {good[:strings.Index(good, ", k=")] + ", k=" + publicOf(t, other), "", 403},
		"another service":         {token(t, key, claims("http://other.example", now.Add(time.Hour), sub)), "", 403},
		"past":                    {token(t, key, claims(aud, now.Add(-time.Second), sub)), "", 403},
		"two days":                {token(t, key, claims(aud, now.Add(48*time.Hour), sub)), "", 403},
		"mailto twice":            {token(t, key, claims(aud, now.Add(time.Hour), "mailto:"+sub)), "", 403},
		"no subject":              {token(t, key, claims(aud, now.Add(time.Hour), "")), "", 403},
		"no claims":               {token(t, key, "x"), "", 403},
		"cut":                     {good[:60], "", 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://push.example/push/x", nil)
		if one.header != "" {
			r.Header.Set("Authorization", one.header)
		}
		if status, err := checkVAPID(r, one.bound, now); status != one.status || (err == nil) != (status == 200) {
			t.Errorf("%s: %d, %v; want %d", name, status, err, one.status)
		}
	}
}

func TestPushesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catcher.jsonl")
	c, web, _, stop := start(t, Config{File: path})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A browser whose keys are the RFC's, so that the RFC's body is for it.
	if err := c.shelf.add(line{Kind: "device", Device: &device{ID: "rfc", Private: decoded(t, rfcPrivate), Auth: decoded(t, rfcAuth)}}); err != nil {
		t.Fatal(err)
	}
	post := func(change func(*http.Request)) int {
		req, err := http.NewRequest(http.MethodPost, web+"/push/rfc", bytes.NewReader(decoded(t, rfcBody)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token(t, key, fmt.Sprintf(`{"aud":%q,"exp":%d,"sub":"mailto:a@example.it"}`, web, time.Now().Add(time.Hour).Unix())))
		req.Header.Set("TTL", "60")
		req.Header.Set("Topic", "t1")
		req.Header.Set("Content-Encoding", "aes128gcm")
		change(req)
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	for name, one := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"no TTL":         {func(r *http.Request) { r.Header.Del("TTL") }, 400},
		"long topic":     {func(r *http.Request) { r.Header.Set("Topic", strings.Repeat("x", 33)) }, 400},
		"odd topic":      {func(r *http.Request) { r.Header.Set("Topic", "a b") }, 400},
		"odd urgency":    {func(r *http.Request) { r.Header.Set("Urgency", "now") }, 400},
		"older encoding": {func(r *http.Request) { r.Header.Set("Content-Encoding", "aesgcm") }, 400},
		"nobody":         {func(r *http.Request) { r.URL.Path = "/push/nobody" }, 404},
		"no token":       {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"for another": {func(r *http.Request) {
			if _, err := c.Subscribe("other", ""); err != nil {
				t.Error(err)
			}
			r.URL.Path = "/push/other"
		}, 400},
		"too large": {func(r *http.Request) {
			r.Body, r.ContentLength = http.NoBody, 0
			big := bytes.NewReader(make([]byte, maxPushBytes+1))
			r.Body, r.ContentLength = readCloser{big}, int64(big.Len())
		}, 413},
	} {
		if got := post(one.change); got != one.want {
			t.Errorf("%s: %d, want %d", name, got, one.want)
		}
	}
	if n := len(c.Pushes()); n != 0 {
		t.Fatalf("%d kept of what was refused", n)
	}
	for range 2 { // one topic twice: both are listed
		if got := post(func(*http.Request) {}); got != 201 {
			t.Fatalf("good: %d", got)
		}
	}
	stop()
	c, web, _, _ = start(t, Config{File: path})
	_, b := get(t, web+"/pushes")
	var list []map[string]any
	if err := json.Unmarshal([]byte(b), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v: %s", err, b)
	}
	if list[0]["payload"] != rfcText || list[0]["topic"] != "t1" || list[0]["tag"] != "" || list[0]["id"] != "1" || list[1]["id"] != "2" {
		t.Errorf("%s", b)
	}
	if code := do(t, "DELETE", web+"/push/rfc", ""); code != 204 {
		t.Errorf("DELETE: %d", code)
	}
	if got := post(func(*http.Request) {}); got != 410 {
		t.Errorf("ended: %d", got)
	}
	do(t, "DELETE", web+"/pushes", "")
	if len(c.Pushes()) != 0 {
		t.Error("not cleared")
	}
	do(t, "DELETE", web+"/", "")
	if got := post(func(*http.Request) {}); got != 410 {
		t.Errorf("the browser was forgotten with the messages: %d", got)
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func TestSubscribe(t *testing.T) {
	c, web, _, _ := start(t, Config{})
	r, err := http.Post(web+"/push/subscriptions", "application/json", strings.NewReader(`{"application_server_key":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var s Subscription
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.StatusCode != 201 {
		t.Fatalf("%d, %v", r.StatusCode, err)
	}
	if !strings.HasPrefix(s.Endpoint, web+"/push/") || len(decoded(t, s.P256dh)) != 65 || len(decoded(t, s.Auth)) != 16 {
		t.Errorf("%+v", s)
	}
	a, err1 := c.Subscribe("demo", "")
	b, err2 := c.Subscribe("demo", "")
	if err1 != nil || err2 != nil || a != b {
		t.Errorf("asked twice, %+v and %+v", a, b)
	}
}
