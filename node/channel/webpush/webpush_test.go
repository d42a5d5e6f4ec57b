package webpush

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/node/channel/call"
	"vedetta/ops/catcher"
	"vedetta/wire/decision"
	"vedetta/wire/push"
)

func yes() bool { return true }

func key(t testing.TB) push.Key {
	t.Helper()
	k, err := push.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// local is a channel as `local up` has it.
func local(t testing.TB, cfg Config) *Channel {
	t.Helper()
	cfg.AllowPrivate, cfg.Subject = true, "alarm@vedetta.example"
	if cfg.Key.IsZero() {
		cfg.Key = key(t)
	}
	c, err := New(cfg, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// browser is a subscription whose endpoint is url.
func browser(t testing.TB, url string) string {
	t.Helper()
	b, err := json.Marshal(push.Subscription{Endpoint: url,
		P256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", Auth: "BTBZMqHH6r4Tts7J_aSIgg"})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sample(address string) channel.Message {
	return channel.Message{
		Notification: "n1", Contact: "c1", Language: "it", Address: address,
		Panel: channel.Panel{ID: "p1", Name: "Casa", Account: "1234", TimeZone: "Europe/Rome"},
		Event: channel.Event{ID: "arezzo.1-0000000000000001.7.0", Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary",
			Meaning: "Burglary alarm", MeaningIT: "Allarme intrusione", Zone: "1", ZoneName: "Ingresso", Text: "PORTA <è> aperta", Copies: 1,
			Received: time.Date(2026, 7, 1, 10, 0, 1, 5e6, time.UTC)},
	}
}

// service is the catcher with one browser, bound to k.
func service(t *testing.T, k push.Key, f catcher.Fault) (*catcher.Catcher, string) {
	t.Helper()
	c, err := catcher.New(catcher.Config{HTTP: "127.0.0.1:0", SMTP: "127.0.0.1:0", Faults: catcher.Faults{Push: f}}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("catcher: %v", err)
		}
	})
	if _, _, err := c.Addresses(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := c.Subscribe("b1", k.Public())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(b)
}

func TestDelivered(t *testing.T) {
	k := key(t)
	c, to := service(t, k, catcher.Fault{})
	got := local(t, Config{Key: k, Portal: "http://127.0.0.1:7700/"}).Send(t.Context(), sample(to), yes)
	if got.State != decision.StateDelivered || got.HandedOver.IsZero() || got.ProviderRef != "http 201" {
		t.Fatalf("outcome %+v", got)
	}
	list := c.Pushes()
	if len(list) != 1 || list[0].ID != "n1" {
		t.Fatalf("kept %+v", list)
	}
	want := `{"version":1,"id":"n1","web_push":8030,"notification":{"title":"ALLARME Furto - Casa - Zona 1 Ingresso","body":"Allarme intrusione\nPORTA <è> aperta\n1 luglio 2026, 12:00:01 (CEST)","lang":"it","dir":"ltr","tag":"Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY","silent":false,"renotify":false,"requireInteraction":false,"timestamp":1782900001005,"navigate":"http://127.0.0.1:7700/events/arezzo.1-0000000000000001.7.0"},"event":{"id":"arezzo.1-0000000000000001.7.0","standard":"SIA-DCS","code":"BA","qualifier":"new","category":"burglary","meaning":"Allarme intrusione","partition":null,"zone":"1","zone_name":"Ingresso","user":null,"text":"PORTA <è> aperta","panel_time":null,"received_time":"2026-07-01T10:00:01.005Z","late":false},"panel":{"id":"p1","name":"Casa"}}`
	if list[0].Payload != want {
		t.Errorf("a released form has changed:\n got %s\nwant %s", list[0].Payload, want)
	}
	if h := list[0].Headers; h["urgency"] != "high" || h["ttl"] != "14400" {
		t.Errorf("headers %v", h)
	}
}

func TestLanguageUrgencyAndTTL(t *testing.T) {
	k := key(t)
	c, to := service(t, k, catcher.Fault{})
	ch := local(t, Config{Key: k})
	for _, one := range []struct {
		category, qualifier string
		urgent              bool
		urgency, ttl, title string
	}{
		{"fire", "new", true, "high", "172800", "ALARM Fire - Casa - Zone 1 Ingresso"},
		{"fire", "restore", true, "high", "172800", "RESTORED Fire - Casa - Zone 1 Ingresso"},
		{"burglary", "new", false, "high", "14400", "ALARM Burglary - Casa - Zone 1 Ingresso"},
		{"burglary", "restore", false, "normal", "14400", "RESTORED Burglary - Casa - Zone 1 Ingresso"},
		{"other", "new", false, "high", "14400", "ALARM"},
		{"openclose", "new", false, "normal", "14400", "NOTICE"},
		{"test", "new", false, "normal", "14400", "NOTICE Test"},
	} {
		m := sample(to)
		m.Language, m.Urgent, m.Event.Category, m.Event.Qualifier = "en", one.urgent, one.category, one.qualifier
		if got := ch.Send(t.Context(), m, yes); got.State != decision.StateDelivered {
			t.Fatalf("%s: %+v", one.category, got)
		}
		list := c.Pushes()
		last := list[len(list)-1]
		if last.Headers["urgency"] != one.urgency || last.Headers["ttl"] != one.ttl || !strings.Contains(last.Payload, `"title":"`+one.title) || !strings.Contains(last.Payload, "Burglary alarm") || strings.Contains(last.Payload, "web_push") {
			t.Errorf("%s %s: %v %s", one.category, one.qualifier, last.Headers, last.Payload)
		}
	}
}

func TestRule10_SameTopicTagAndPayloadAtEveryAttempt(t *testing.T) {
	k := key(t)
	c, to := service(t, k, catcher.Fault{})
	for range 2 { // two nodes with the mesh's key
		local(t, Config{Key: k}).Send(t.Context(), sample(to), yes)
	}
	other := sample(to)
	other.Notification = "n2"
	local(t, Config{Key: k}).Send(t.Context(), other, yes)
	l := c.Pushes()
	if len(l) != 3 || l[0].Topic != l[1].Topic || l[0].Tag != l[1].Tag || l[0].Payload != l[1].Payload || l[0].Topic == l[2].Topic {
		t.Fatalf("a repetition can't be recognised: %+v", l)
	}
	if l[0].Topic != "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY" || l[0].Tag != l[0].Topic { // printf n1 | sha256sum, 24 bytes
		t.Errorf("topic %q, tag %q", l[0].Topic, l[0].Tag)
	}
}

func TestWhatTheServiceDid(t *testing.T) {
	type want struct {
		state  decision.State
		reason string
		retry  bool
		kept   int
	}
	for name, one := range map[string]struct {
		fault catcher.Fault
		want
	}{
		"201":                            {catcher.Fault{}, want{decision.StateDelivered, "", false, 1}},
		"400":                            {catcher.Fault{Mode: catcher.ModeRefuse}, want{decision.StateRefused, channel.ReasonProviderRefused, false, 0}},
		"410":                            {catcher.Fault{Mode: catcher.ModeUnwanted}, want{decision.StateRefused, channel.ReasonGone, false, 0}},
		"302, not followed":              {catcher.Fault{Mode: catcher.ModeRedirect}, want{decision.StateRefused, channel.ReasonProviderRefused, false, 0}},
		"429":                            {catcher.Fault{Mode: catcher.ModeThrottle}, want{decision.StateRefused, channel.ReasonProviderBusy, true, 0}},
		"503":                            {catcher.Fault{Mode: catcher.ModeBusy}, want{decision.StateRefused, channel.ReasonProviderBusy, true, 0}},
		"cut before":                     {catcher.Fault{Mode: catcher.ModeCutBefore}, want{decision.StateUnknown, channel.ReasonNoAnswer, true, 0}},
		"did it, then cut the line":      {catcher.Fault{Mode: catcher.ModeCutAfter}, want{decision.StateUnknown, channel.ReasonNoAnswer, true, 1}},
		"did it, then never answered":    {catcher.Fault{Mode: catcher.ModeHang}, want{decision.StateUnknown, channel.ReasonNoAnswer, true, 1}},
		"did it, then answered nonsense": {catcher.Fault{Mode: catcher.ModeNonsense}, want{decision.StateUnknown, channel.ReasonNoAnswer, true, 1}},
		"slow, longer than we wait":      {catcher.Fault{DelaySeconds: 1}, want{decision.StateUnknown, channel.ReasonNoAnswer, true, 1}},
		"slow, but in time":              {catcher.Fault{DelaySeconds: 0.05}, want{decision.StateDelivered, "", false, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			k := key(t)
			c, to := service(t, k, one.fault)
			got := local(t, Config{Key: k, AnswerTimeout: 300 * time.Millisecond}).Send(t.Context(), sample(to), yes)
			if got.State != one.state || got.Reason != one.reason || got.Retry != one.retry || len(c.Pushes()) != one.kept {
				t.Errorf("outcome %+v, kept %d; want %+v", got, len(c.Pushes()), one.want)
			}
			if one.fault.Mode == catcher.ModeThrottle && got.After != 2*time.Second {
				t.Errorf("Retry-After became %s", got.After)
			}
		})
	}
}

func TestEveryAnswerOfAServer(t *testing.T) {
	var status atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "<html>whatever</html>")
	}))
	defer s.Close()
	ch := local(t, Config{})
	for code, want := range map[int]string{
		200: "refused provider_refused", 201: "delivered ", 202: "delivered ", 204: "refused provider_refused", 301: "refused provider_refused",
		400: "refused provider_refused", 401: "refused provider_refused", 403: "refused provider_refused", 404: "refused gone", 405: "refused provider_refused",
		408: "again provider_busy", 410: "refused gone", 413: "refused provider_refused", 425: "again provider_busy", 429: "again provider_busy",
		500: "again provider_busy", 502: "again provider_busy", 503: "again provider_busy", 507: "again provider_busy",
	} {
		status.Store(int64(code))
		got := ch.Send(t.Context(), sample(browser(t, s.URL)), yes)
		said := string(got.State) + " " + got.Reason
		if got.Retry {
			said = "again " + got.Reason
		}
		if said != want || got.Retry != (got.After == 2*time.Minute) {
			t.Errorf("%d: %+v, want %s", code, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "Tue, 24 Nov 2026 10:01:30 GMT": 90 * time.Second, "Tue, 24 Nov 2026 09:00:00 GMT": 0,
		"999999999999": time.Duration(1<<20) * time.Second,
	} {
		a := call.Answer{Status: 429, Header: http.Header{"Retry-After": {s}}}
		if got := judge(a, now); got.After != want {
			t.Errorf("%q: %s, want %s", s, got.After, want)
		}
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	_, to := service(t, key(t), catcher.Fault{})
	if got := local(t, Config{}).Send(t.Context(), sample(to), yes); got.State != decision.StateRefused || got.ProviderRef != "http 403" || got.Retry {
		t.Errorf("outcome %+v", got)
	}
}

func TestRule23_NoBodyWithoutTheClaim(t *testing.T) {
	k := key(t)
	c, to := service(t, k, catcher.Fault{})
	ch := local(t, Config{Key: k})
	for range 2 { // on a fresh connection and on a kept one
		got := ch.Send(t.Context(), sample(to), func() bool { return false })
		if got.State != decision.StatePending || !got.Retry || got.Reason != channel.ReasonTooLate || len(c.Pushes()) != 0 {
			t.Errorf("outcome %+v, kept %d", got, len(c.Pushes()))
		}
		if got := ch.Send(t.Context(), sample(to), yes); got.State != decision.StateDelivered {
			t.Fatalf("outcome %+v", got)
		}
		if n := len(c.Pushes()); n != 1 {
			t.Fatalf("kept %d", n)
		}
		resp, err := http.NewRequest(http.MethodDelete, strings.Split(mustEndpoint(t, to), "/push/")[0]+"/pushes", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := http.DefaultClient.Do(resp); err != nil {
			t.Fatal(err)
		} else {
			r.Body.Close()
		}
	}
}

func mustEndpoint(t *testing.T, to string) string {
	t.Helper()
	s, err := push.Parse([]byte(to), true)
	if err != nil {
		t.Fatal(err)
	}
	return s.Endpoint
}

func TestRule23_AskedRightBeforeTheBody(t *testing.T) {
	var arrived atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := r.Body.Read(make([]byte, 1))
		arrived.Add(int64(n))
		w.WriteHeader(http.StatusCreated)
	}))
	defer s.Close()
	asked := 0
	got := local(t, Config{}).Send(t.Context(), sample(browser(t, s.URL)), func() bool {
		asked++
		if arrived.Load() != 0 {
			t.Error("asked after the first byte of the body")
		}
		return true
	})
	if asked != 1 || got.State != decision.StateDelivered || arrived.Load() != 1 {
		t.Errorf("asked %d times, outcome %+v, %d bytes", asked, got, arrived.Load())
	}
}

func TestRule23_CutWhenTheClaimEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	// TLS against a listener that never answers: nothing of the call is out.
	got := local(t, Config{}).Send(ctx, sample(browser(t, "https://"+l.Addr().String())), yes)
	if got.State != decision.StatePending || got.Reason != channel.ReasonTooLate {
		t.Errorf("outcome %+v", got)
	}
}

func TestAddresses(t *testing.T) {
	for name, one := range map[string]struct {
		address string
		allow   bool
		reason  string
	}{
		"loopback":         {browser(t, "https://127.0.0.1:1/x"), false, channel.ReasonInvalidAddress},
		"a name for it":    {browser(t, "https://localhost:1/x"), false, channel.ReasonInvalidAddress},
		"cloud metadata":   {browser(t, "https://169.254.169.254/"), false, channel.ReasonInvalidAddress},
		"private":          {browser(t, "https://10.0.0.1/"), false, channel.ReasonInvalidAddress},
		"plain http":       {browser(t, "http://93.184.216.34/"), false, channel.ReasonInvalidAddress},
		"login in the URL": {browser(t, "http://a:b@127.0.0.1/"), true, channel.ReasonInvalidAddress},
		"not a URL":        {browser(t, "x"), true, channel.ReasonInvalidAddress},
		"not even JSON":    {"https://push.example", true, channel.ReasonInvalidAddress},
		"no keys":          {`{"endpoint":"http://127.0.0.1:1/"}`, true, channel.ReasonInvalidAddress},
		"nobody listens":   {browser(t, "http://127.0.0.1:1/"), true, channel.ReasonUnreachable},
	} {
		ch, err := New(Config{Key: key(t), Subject: "noc@vedetta.it", AllowPrivate: one.allow}, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		got := ch.Send(t.Context(), sample(one.address), yes)
		if got.Reason != one.reason || got.Retry != (one.reason == channel.ReasonUnreachable) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEndlessAnswerIsCut(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	if got := local(t, Config{}).Send(t.Context(), sample(browser(t, s.URL)), yes); got.State != decision.StateDelivered {
		t.Errorf("outcome %+v", got)
	}
}

func TestConfig(t *testing.T) {
	k := key(t)
	for name, one := range map[string]struct {
		cfg  Config
		want string // of the error; empty: good
	}{
		"mail":                    {Config{Key: k, Subject: "noc@vedetta.it"}, ""},
		"mailto":                  {Config{Key: k, Subject: "mailto:noc@vedetta.it"}, ""},
		"https":                   {Config{Key: k, Subject: "https://vedetta.it/contact"}, ""},
		"no key":                  {Config{Subject: "noc@vedetta.it"}, "VAPID key"},
		"no subject":              {Config{Key: k}, "subject"},
		"a name in it":            {Config{Key: k, Subject: "NOC <noc@vedetta.it>"}, "subject"},
		"reserved name":           {Config{Key: k, Subject: "noc@vedetta.example"}, "subject"},
		"localhost":               {Config{Key: k, Subject: "https://localhost"}, "subject"},
		"reserved name, local up": {Config{Key: k, Subject: "noc@vedetta.example", AllowPrivate: true}, ""},
		"portal":                  {Config{Key: k, Subject: "noc@vedetta.it", Portal: "https://my.vedetta.it"}, ""},
		"portal without https":    {Config{Key: k, Subject: "noc@vedetta.it", Portal: "http://my.vedetta.it"}, "portal_url"},
	} {
		if _, err := New(one.cfg, env.Quiet(1)); (err == nil) != (one.want == "") || err != nil && !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, _ := checkSubject("mailto:noc@vedetta.it", false); s != "noc@vedetta.it" {
		t.Errorf("the library would write mailto twice: %q", s)
	}
}

// Whatever a panel or customer wrote: the message fits, is JSON, and says what it is about.
func TestPayloadAlwaysFits(t *testing.T) {
	ch := local(t, Config{Portal: "http://127.0.0.1:7700"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string {
			return strings.Repeat(rapid.String().Draw(t, name), rapid.IntRange(0, 200).Draw(t, name+" times"))
		}
		m := sample("")
		m.Panel.Name, m.Event.Text, m.Event.ZoneName, m.Event.User, m.Event.Zone, m.Event.Code = text("panel"), text("text"), text("zone"), text("user"), text("number"), text("code")
		m.Event.Partition, m.Event.Meaning, m.Event.MeaningIT = text("partition"), text("meaning"), text("meaning_it")
		b, err := ch.compose(m)
		if err != nil || len(b) > maxPayload || !utf8.Valid(b) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		var p struct {
			ID           string `json:"id"`
			Notification struct {
				Title string `json:"title"`
			} `json:"notification"`
		}
		if err := json.Unmarshal(b, &p); err != nil || p.ID != "n1" || !strings.HasPrefix(p.Notification.Title, "ALLARME") {
			t.Fatalf("%v: %s", err, b)
		}
	})
}

func TestOneByteMoreIsTooMany(t *testing.T) { // maxPayload is what the library takes
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 4096 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer s.Close()
	m := sample(browser(t, s.URL))
	for n := range 3 {
		m.Event.Text = strings.Repeat("\"", 590+n)
		m.Event.ZoneName, m.Panel.Name, m.Event.User = m.Event.Text, m.Event.Text, m.Event.Text
		if got := local(t, Config{}).Send(t.Context(), m, yes); got.State != decision.StateDelivered {
			t.Errorf("%+v", got)
		}
	}
}

// What one message costs: sealing, signing, and a service on loopback.
func BenchmarkSend(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	defer s.Close()
	ch, m := local(b, Config{}), sample(browser(b, s.URL))
	b.ReportAllocs()
	for b.Loop() {
		if got := ch.Send(b.Context(), m, yes); got.State != decision.StateDelivered {
			b.Fatalf("%+v", got)
		}
	}
}
