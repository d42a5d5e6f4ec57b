package push

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// RFC 8291, appendix A: the browser's keys.
const (
	rfcPoint = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	rfcAuth  = "BTBZMqHH6r4Tts7J_aSIgg"
)

func TestSubscriptions(t *testing.T) {
	good := Subscription{"https://push.example/x", rfcPoint, rfcAuth}
	other := strings.NewReplacer("-", "+", "_", "/")
	for name, one := range map[string]struct {
		change func(*Subscription)
		plain  bool
		want   string // of the error; empty: good
	}{
		"as browsers write it": {func(*Subscription) {}, false, ""},
		"padded":               {func(s *Subscription) { s.P256dh += "="; s.Auth += "==" }, false, ""},
		"plain base64":         {func(s *Subscription) { s.P256dh = other.Replace(s.P256dh) }, false, ""},
		"http":                 {func(s *Subscription) { s.Endpoint = "http://push.example/x" }, false, "endpoint: want an https URL"},
		"http where allowed":   {func(s *Subscription) { s.Endpoint = "http://push.example/x" }, true, ""},
		"no host":              {func(s *Subscription) { s.Endpoint = "https:///x" }, true, "endpoint"},
		"a file":               {func(s *Subscription) { s.Endpoint = "file:///etc/passwd" }, true, "endpoint"},
		"login in it":          {func(s *Subscription) { s.Endpoint = "https://a:b@push.example" }, true, "endpoint"},
		"endless":              {func(s *Subscription) { s.Endpoint += strings.Repeat("x", MaxEndpoint) }, true, "endpoint"},
		"empty":                {func(s *Subscription) { s.Endpoint = "" }, true, "endpoint"},
		"key cut":              {func(s *Subscription) { s.P256dh = s.P256dh[:80] }, true, "p256dh: want a P-256 public key of 65 bytes"},
		"key not on the curve": {func(s *Subscription) { s.P256dh = s.P256dh[:40] + "AAAA" + s.P256dh[44:] }, true, "p256dh"},
		"key no base64":        {func(s *Subscription) { s.P256dh = "(" + s.P256dh[1:] }, true, "p256dh"},
		"secret of 15 bytes":   {func(s *Subscription) { s.Auth = s.Auth[:20] }, true, "auth: want 16 bytes"},
		"secret missing":       {func(s *Subscription) { s.Auth = "" }, true, "auth"},
	} {
		s := good
		one.change(&s)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b, one.plain)
		switch {
		case one.want == "" && (err != nil || got.P256dh != rfcPoint || got.Auth != rfcAuth || got.Endpoint != s.Endpoint):
			t.Errorf("%s: %v", name, err)
		case one.want != "" && (err == nil || !strings.Contains(err.Error(), one.want)):
			t.Errorf("%s: %v, want %q", name, err, one.want)
		case err != nil && (s.Endpoint != "" && strings.Contains(err.Error(), s.Endpoint) || s.Auth != "" && strings.Contains(err.Error(), s.Auth)):
			t.Errorf("%s: the error tells the subscription: %v", name, err)
		}
	}
	if _, err := Parse([]byte("no JSON"), true); err == nil {
		t.Error("no JSON was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"endpoint":"https://push.example/x","p256dh":"` + rfcPoint + `","auth":"` + rfcAuth + `"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b, true)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(again, true); err != nil || got != s {
			t.Errorf("what was taken is not taken again: %v", err)
		}
	})
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vapid")
	if err := NewKeyFile(path); err != nil {
		t.Fatal(err)
	}
	k, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{k.String(), fmt.Sprintf("%v %+v %#v", k, k, k), k.LogValue().String()} {
		if strings.Contains(shown, k.Private()) || !strings.Contains(shown, k.Public()) {
			t.Errorf("shown as %s", shown)
		}
	}
	if p, err := Decode(k.Public()); err != nil || len(p) != PointBytes || !onCurve(p) {
		t.Errorf("public key %s", k.Public())
	}
	if err := NewKeyFile(path); err == nil {
		t.Error("a key was overwritten")
	}
	if again, err := LoadKey(path); err != nil || again.Private() != k.Private() {
		t.Errorf("the refused overwriting changed it: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "mode 0644") {
		t.Errorf("a key that all may read: %v", err)
	}
	for _, bad := range []string{"", "vedetta-vapid-key-2 x", keyWord, keyWord + "AAAA", "text"} {
		path := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestAnnouncement(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		k    Key
		want string
	}{"with a key": {k, k.Public()}, "without": {Key{}, ""}} {
		b, err := Announce(one.k)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadAnnouncement(b); err != nil || got != one.want || strings.Contains(string(b), k.Private()) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"v":2}`, `{"v":1,"public_key":"x"}`} {
		if _, err := ReadAnnouncement([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
