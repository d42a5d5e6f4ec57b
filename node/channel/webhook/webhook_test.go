package webhook

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/ops/catcher"
	"vedetta/wire/decision"
	wire "vedetta/wire/event"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func yes() bool { return true }

func sample(url, secret string) channel.Message {
	address, _ := json.Marshal(target{url, secret})
	return channel.Message{
		Notification: "n1", Contact: "c1", Language: "it", Address: string(address),
		Panel: channel.Panel{ID: "p1", Name: "Casa", Account: "1234", TimeZone: "Europe/Rome"},
		Event: channel.Event{ID: "arezzo.1-0000000000000001.7.0", Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary",
			Meaning: "Burglary alarm", MeaningIT: "Allarme furto", Zone: "1", ZoneName: "Ingresso", Text: "PORTA <è> aperta", Origin: "arezzo.1-0000000000000001.7", Copies: 1,
			Received: time.Date(2026, 7, 1, 10, 0, 1, 5e6, time.UTC)},
	}
}

func start(t *testing.T, f catcher.Fault) (*catcher.Catcher, string) {
	t.Helper()
	c, err := catcher.New(catcher.Config{HTTP: "127.0.0.1:0", SMTP: "127.0.0.1:0", Faults: catcher.Faults{Webhook: f}}, env.Quiet(1))
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
	web, _, err := c.Addresses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c, "http://" + web + "/hook"
}

func local(c Config) *Channel {
	c.AllowPrivate = true
	return New(c, env.Quiet(1))
}

func TestDelivered(t *testing.T) {
	c, url := start(t, catcher.Fault{})
	got := local(Config{}).Send(t.Context(), sample(url, secret), yes)
	if got.State != decision.StateDelivered || got.HandedOver.IsZero() || got.ProviderRef != "http 200" {
		t.Fatalf("outcome %+v", got)
	}
	hooks := c.Webhooks()
	if len(hooks) != 1 || hooks[0].ID != "n1" {
		t.Fatalf("kept %+v", hooks)
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for k, v := range hooks[0].Headers {
		h.Set(k, v)
	}
	if err := verifier.Verify([]byte(hooks[0].Body), h); err != nil {
		t.Errorf("an independent verifier says: %v", err)
	}
	want := `{"version":1,"type":"notification","timestamp":"2026-07-01T10:00:01.005Z","data":{"event":{"id":"arezzo.1-0000000000000001.7.0","account":"1234","prefix":null,"receiver":null,"standard":"SIA-DCS","code":"BA","qualifier":"new","category":"burglary","meaning":"Burglary alarm","meaning_it":"Allarme furto","partition":null,"zone":"1","zone_name":"Ingresso","user":null,"text":"PORTA \u003cè\u003e aperta","panel_time":null,"received_time":"2026-07-01T10:00:01.005Z","origin":"arezzo.1-0000000000000001.7","copies":1,"late":false,"extended":[],"coordinates":null},"panel":{"id":"p1","name":"Casa","account":"1234"},"notification":{"id":"n1","event_id":"arezzo.1-0000000000000001.7.0","contact_id":"c1","channel":"webhook"}}}`
	if hooks[0].Body != want {
		t.Errorf("a released form has changed:\n got %s\nwant %s", hooks[0].Body, want)
	}
}

// What a panel says besides its event is passed on; a key never.
func TestExtendedDataIsPassedOn(t *testing.T) {
	c, url := start(t, catcher.Fault{})
	m := sample(url, secret)
	m.Event.Extended = []wire.Extended{{ID: "V", Value: "https://example.org/a.jpg"}, {ID: "X", Value: "012W30"}, {ID: "Y", Value: "45N15"}, {ID: "K"}, {ID: "E", Value: "115000"}}
	if got := local(Config{}).Send(t.Context(), m, yes); got.State != decision.StateDelivered {
		t.Fatalf("outcome %+v", got)
	}
	const want = `"extended":[{"id":"V","name":"verification","value":"https://example.org/a.jpg"},{"id":"X","name":"longitude","value":"012W30"},{"id":"Y","name":"latitude","value":"45N15"},` +
		`{"id":"K","name":"new_key","value":null},{"id":"E","name":"e","value":"115000"}],"coordinates":{"latitude":45.25,"longitude":-12.5}}`
	if body := c.Webhooks()[0].Body; !strings.Contains(body, want) {
		t.Errorf("%s\nwant %s", body, want)
	}
}

func TestRule10_SameIDAndBodyAtEveryAttempt(t *testing.T) {
	c, url := start(t, catcher.Fault{})
	for range 2 {
		local(Config{}).Send(t.Context(), sample(url, secret), yes)
	}
	if h := c.Webhooks(); len(h) != 2 || h[0].ID != h[1].ID || h[0].Body != h[1].Body {
		t.Error("a repetition can't be recognised")
	}
}

func TestSecrets(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, s := range []string{secret, "plain words of a secret"} {
		key, err := readSecret(s)
		if err != nil {
			t.Fatal(err)
		}
		v, err := standardwebhooks.NewWebhook(s)
		if !strings.HasPrefix(s, secretPrefix) {
			v, err = standardwebhooks.NewWebhookRaw([]byte(s))
		}
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := v.Sign("id", at, []byte("body")); want != sign(key, "id", at, []byte("body")) {
			t.Errorf("secret %q: another signature than the library's", s)
		}
	}
	for _, s := range []string{"", "whsec_", "whsec_***"} {
		if _, err := readSecret(s); err == nil {
			t.Errorf("secret %q was taken", s)
		}
	}
}

func TestWhatTheReceiverDid(t *testing.T) {
	type want struct {
		state decision.State
		retry bool
		kept  int
	}
	for name, one := range map[string]struct {
		fault catcher.Fault
		want
	}{
		"200":                         {catcher.Fault{}, want{decision.StateDelivered, false, 1}},
		"400":                         {catcher.Fault{Mode: catcher.ModeRefuse}, want{decision.StateRefused, false, 0}},
		"410":                         {catcher.Fault{Mode: catcher.ModeUnwanted}, want{decision.StateRefused, false, 0}},
		"302, not followed":           {catcher.Fault{Mode: catcher.ModeRedirect, Count: 1}, want{decision.StateRefused, false, 0}},
		"503":                         {catcher.Fault{Mode: catcher.ModeBusy}, want{decision.StateRefused, true, 0}},
		"cut before":                  {catcher.Fault{Mode: catcher.ModeCutBefore}, want{decision.StateUnknown, true, 0}},
		"did it, then cut the line":   {catcher.Fault{Mode: catcher.ModeCutAfter}, want{decision.StateUnknown, true, 1}},
		"did it, then never answered": {catcher.Fault{Mode: catcher.ModeHang}, want{decision.StateUnknown, true, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c, url := start(t, one.fault)
			got := local(Config{AnswerTimeout: 300 * time.Millisecond}).Send(t.Context(), sample(url, secret), yes)
			if got.State != one.state || got.Retry != one.retry || len(c.Webhooks()) != one.kept {
				t.Errorf("outcome %+v, kept %d; want %+v", got, len(c.Webhooks()), one.want)
			}
		})
	}
	if got := judge(http.StatusTooManyRequests, time.Now()); !got.Retry {
		t.Errorf("429: %+v", got)
	}
}

func TestRule23_NoBodyWithoutTheClaim(t *testing.T) {
	c, url := start(t, catcher.Fault{})
	got := local(Config{}).Send(t.Context(), sample(url, secret), func() bool { return false })
	if got.State != decision.StatePending || !got.Retry || got.Reason != channel.ReasonTooLate || len(c.Webhooks()) != 0 {
		t.Errorf("outcome %+v, kept %d", got, len(c.Webhooks()))
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
	began := time.Now()
	// TLS against a listener that never answers: nothing of the call is out.
	got := local(Config{}).Send(ctx, sample("https://"+l.Addr().String(), secret), yes)
	if took := time.Since(began); got.State != decision.StatePending || got.Reason != channel.ReasonTooLate || took > 4*time.Second {
		t.Errorf("outcome %+v after %s", got, took)
	}
}

// The claim's end after the last byte doesn't cut the answer.
func TestRule23_TheAnswerIsAwaitedBeyondTheClaim(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	if got := local(Config{}).Send(ctx, sample(s.URL, secret), yes); got.State != decision.StateDelivered {
		t.Errorf("outcome %+v, want delivered", got)
	}
}

func TestAddresses(t *testing.T) {
	_, url := start(t, catcher.Fault{})
	for name, one := range map[string]struct {
		m      channel.Message
		allow  bool
		reason string
	}{
		"loopback":         {sample(strings.Replace(url, "http:", "https:", 1), secret), false, channel.ReasonInvalidAddress},
		"a name for it":    {sample("https://localhost:1/", secret), false, channel.ReasonInvalidAddress},
		"plain http":       {sample("http://93.184.216.34/", secret), false, channel.ReasonInvalidAddress},
		"not http":         {sample("file:///etc/passwd", secret), true, channel.ReasonInvalidAddress},
		"login in the URL": {sample("http://a:b@127.0.0.1/", secret), true, channel.ReasonInvalidAddress},
		"no secret":        {sample(url, ""), true, channel.ReasonInvalidAddress},
		"not even JSON":    {channel.Message{Address: "http://127.0.0.1"}, true, channel.ReasonInvalidAddress},
		"nobody listens":   {sample("http://127.0.0.1:1/", secret), true, channel.ReasonUnreachable},
	} {
		got := New(Config{AllowPrivate: one.allow}, env.Quiet(1)).Send(t.Context(), one.m, yes)
		if got.Reason != one.reason || got.Retry != (one.reason == channel.ReasonUnreachable) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEndlessAnswerIsCut(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	if got := local(Config{}).Send(t.Context(), sample(s.URL, secret), yes); got.State != decision.StateDelivered {
		t.Errorf("outcome %+v", got)
	}
}
