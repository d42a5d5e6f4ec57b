package email

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/ops/catcher"
	"vedetta/wire/decision"
	"vedetta/wire/event"
)

const id = "n-_4567890123456789012345678901x"

func sample() channel.Message {
	return channel.Message{
		Notification: id, Contact: "c1", Language: "it", Address: "anna@example.it", Urgent: true,
		Panel: channel.Panel{ID: "p1", Name: "Casa", Account: "1234", TimeZone: "Europe/Rome"},
		Event: channel.Event{
			ID: "arezzo.1-0000000000000001.7.0", Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary",
			Meaning: "Burglary alarm", MeaningIT: "Allarme furto", Partition: "1", Zone: "1", ZoneName: "Ingresso", Text: "PORTA <INGRESSO> è aperta",
			Origin: "arezzo.1-0000000000000001.7", Datacenter: "arezzo", Copies: 1,
			PanelTime: time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC), Received: time.Date(2026, 7, 1, 10, 0, 1, 0, time.UTC),
		},
	}
}

func yes() bool { return true }

// start runs a catcher and returns it with a channel that sends to it.
func start(t *testing.T, cc catcher.Config, ec Config) (*catcher.Catcher, *Channel) {
	t.Helper()
	cc.HTTP, cc.SMTP = "127.0.0.1:0", "127.0.0.1:0"
	e := env.Quiet(1)
	c, err := catcher.New(cc, e)
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
	_, ec.Address, err = c.Addresses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ec.From == "" {
		ec.From = "alarm@vedetta.example"
	}
	ch, err := New(ec, e)
	if err != nil {
		t.Fatal(err)
	}
	return c, ch
}

func TestDelivered(t *testing.T) {
	c, ch := start(t, catcher.Config{}, Config{})
	got := ch.Send(t.Context(), sample(), yes)
	if got.State != decision.StateDelivered || got.Reason != "" || got.HandedOver.IsZero() || got.ProviderRef == "" {
		t.Fatalf("outcome %+v", got)
	}
	ms := c.Messages()
	if len(ms) != 1 {
		t.Fatalf("%d mails", len(ms))
	}
	m := ms[0]
	if m.Subject != "ALLARME Furto - Casa - Zona 1 Ingresso" {
		t.Errorf("subject %q", m.Subject)
	}
	if m.To != "anna@example.it" || m.Headers["Message-Id"] != "<"+id+"@vedetta.example>" || m.Headers["From"] != `"Vedetta" <alarm@vedetta.example>` {
		t.Errorf("to %q, headers %v", m.To, m.Headers)
	}
	if m.Headers["Auto-Submitted"] != "auto-generated" || m.Headers["Importance"] != "high" {
		t.Errorf("headers %v", m.Headers)
	}
	for _, want := range []string{"PORTA <INGRESSO> è aperta", "Allarme furto", "Casa", "1 Ingresso", "1 luglio 2026, 12:00:00 (CEST)", "1 luglio 2026, 12:00:01 (CEST)", "Datacenter: arezzo", id} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("text lacks %q:\n%s", want, m.Text)
		}
		if h := strings.NewReplacer("<", "&lt;", ">", "&gt;", "Datacenter: arezzo", "arezzo").Replace(want); !strings.Contains(m.HTML, h) {
			t.Errorf("HTML lacks %q", h)
		}
	}
	if strings.Contains(m.HTML, "http") {
		t.Error("the mail asks a third party for something")
	}
	if dir := os.Getenv("VEDETTA_MAIL_SAMPLES"); dir != "" {
		os.WriteFile(filepath.Join(dir, "it.html"), []byte(m.HTML), 0o644)
	}
}

// What the panel says besides its event stands in the mail, a key never, and the
// alarm's text once.
func TestExtendedDataIsInTheMail(t *testing.T) {
	c, ch := start(t, catcher.Config{}, Config{})
	m := sample()
	m.Event.Extended = []event.Extended{{ID: "V", Value: "https://example.org/a.jpg"}, {ID: "L", Value: "Scala\nB"}, {ID: "K"}, {ID: "I", Value: m.Event.Text}}
	ch.Send(t.Context(), m, yes)
	mail := c.Messages()[0]
	for _, want := range []string{"Immagine, video o audio: https://example.org/a.jpg", "Luogo: Scala B"} {
		if !strings.Contains(mail.Text, want) {
			t.Errorf("text lacks %q:\n%s", want, mail.Text)
		}
	}
	if !strings.Contains(mail.HTML, "https://example.org/a.jpg") || strings.Contains(mail.HTML, "<img") || strings.Contains(mail.Text, "chiave") || strings.Count(mail.Text, m.Event.Text) != 1 {
		t.Error(mail.Text)
	}
}

func TestRule10_MessageIDIsTheNotifications(t *testing.T) {
	c, ch := start(t, catcher.Config{}, Config{})
	for range 2 {
		ch.Send(t.Context(), sample(), yes)
	}
	ms := c.Messages()
	if len(ms) != 2 || ms[0].Headers["Message-Id"] != ms[1].Headers["Message-Id"] || ms[0].Text != ms[1].Text {
		t.Error("a repetition can't be recognised")
	}
}

func TestWords(t *testing.T) {
	_, ch := start(t, catcher.Config{}, Config{})
	for _, one := range []struct {
		change func(*channel.Message)
		want   string
	}{
		{func(m *channel.Message) {}, "ALLARME Furto - Casa - Zona 1 Ingresso"},
		{func(m *channel.Message) { m.Language = "en" }, "ALARM Burglary - Casa - Zone 1 Ingresso"},
		{func(m *channel.Message) { m.Event.Qualifier = "restore" }, "RIPRISTINO Furto - Casa - Zona 1 Ingresso"},
		{func(m *channel.Message) { m.Event.Qualifier, m.Language = "ongoing", "en" }, "ALARM ONGOING Burglary - Casa - Zone 1 Ingresso"},
		{func(m *channel.Message) { m.Event.Category = "power" }, "GUASTO Alimentazione - Casa - Zona 1 Ingresso"},
		{func(m *channel.Message) { m.Event.Category = "nonsense" }, "ALLARME Segnalazione - Casa - Zona 1 Ingresso"},
		{func(m *channel.Message) {
			m.Event.Zone, m.Event.ZoneName, m.Event.User = "", "", "12"
			m.Event.Category = "openclose"
		}, "AVVISO Inserimento o disinserimento - Casa - Utente 12"},
		{func(m *channel.Message) { m.Event.Zone, m.Event.ZoneName, m.Event.Partition = "", "", "" }, "ALLARME Furto - Casa"},
		{func(m *channel.Message) { m.Panel.Name = "" }, "ALLARME Furto - Centrale 1234 - Zona 1 Ingresso"},
		{func(m *channel.Message) { m.Panel.Name = "Ca\r\nBcc: x@y" }, "ALLARME Furto - Ca Bcc: x@y - Zona 1 Ingresso"},
	} {
		m := sample()
		one.change(&m)
		if got := ch.wordsOf(m).Headline(); got != one.want {
			t.Errorf("subject %q, want %q", got, one.want)
		}
	}
	m := sample()
	m.Panel.TimeZone, m.Event.PanelTime, m.Event.Late, m.Language = "Mars/Base", time.Time{}, true, "en"
	text := ch.wordsOf(m).text()
	for _, want := range []string{"Panel's time: not given", "1 July 2026, 10:00:01 (UTC)", "arrives late"} {
		if !strings.Contains(text, want) {
			t.Errorf("text lacks %q:\n%s", want, text)
		}
	}
}

// Every way a first hop can behave, and what must be said of it (rule 23).
func TestRule23_WhatTheFirstHopDid(t *testing.T) {
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
		"250":                         {catcher.Fault{}, want{decision.StateDelivered, "", false, 1}},
		"250, slowly":                 {catcher.Fault{DelaySeconds: 0.1}, want{decision.StateDelivered, "", false, 1}},
		"5xx at the recipient":        {catcher.Fault{Mode: catcher.ModeUnwanted}, want{decision.StateRefused, channel.ReasonInvalidAddress, false, 0}},
		"5xx after the dot":           {catcher.Fault{Mode: catcher.ModeRefuse}, want{decision.StateRefused, channel.ReasonProviderRefused, false, 0}},
		"4xx after the dot":           {catcher.Fault{Mode: catcher.ModeBusy}, want{decision.StateRefused, channel.ReasonProviderBusy, true, 0}},
		"line cut, not kept":          {catcher.Fault{Mode: catcher.ModeCutBefore}, want{decision.StateUnknown, channel.ReasonNoAnswer, false, 0}},
		"did it, then cut the line":   {catcher.Fault{Mode: catcher.ModeCutAfter}, want{decision.StateUnknown, channel.ReasonNoAnswer, false, 1}},
		"did it, then never answered": {catcher.Fault{Mode: catcher.ModeHang}, want{decision.StateUnknown, channel.ReasonNoAnswer, false, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c, ch := start(t, catcher.Config{Faults: catcher.Faults{Mail: one.fault}}, Config{AnswerTimeout: 300 * time.Millisecond})
			got := ch.Send(t.Context(), sample(), yes)
			if got.State != one.state || got.Reason != one.reason || got.Retry != one.retry || len(c.Messages()) != one.kept {
				t.Errorf("outcome %+v, kept %d; want %+v", got, len(c.Messages()), one.want)
			}
		})
	}
}

func TestRule23_NoDotWithoutTheClaim(t *testing.T) {
	c, ch := start(t, catcher.Config{}, Config{})
	asked := 0
	got := ch.Send(t.Context(), sample(), func() bool { asked++; return false })
	if got.State != decision.StatePending || !got.Retry || got.Reason != channel.ReasonTooLate || asked != 1 {
		t.Errorf("outcome %+v, asked %d times", got, asked)
	}
	// The whole body had left; without the dot it is no mail.
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StateDelivered || len(c.Messages()) != 1 {
		t.Errorf("outcome %+v, %d mails kept, want 1", got, len(c.Messages()))
	}
}

// hop is a first hop of our own that stops at a step.
func hop(t *testing.T, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return l.Addr().String()
}

func TestRule23_ConnectionIsCutWhenTheClaimEnds(t *testing.T) {
	gone := make(chan struct{}, 1)
	address := hop(t, func(c net.Conn) { // accepts and says nothing
		c.Read(make([]byte, 1))
		gone <- struct{}{}
	})
	ch, err := New(Config{Address: address, From: "alarm@vedetta.example"}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got := ch.Send(ctx, sample(), yes); got.State != decision.StatePending || got.Reason != channel.ReasonTooLate {
		t.Errorf("outcome %+v", got)
	}
	<-gone
}

func TestAnswersBeforeTheDot(t *testing.T) {
	for name, one := range map[string]struct {
		say   string
		state decision.State
		retry bool
	}{
		"greeting 421": {"421 not today", decision.StateRefused, true},
		"greeting 554": {"554 go away", decision.StateRefused, true}, // no reason to give an alarm up
		"hangs up":     {"", decision.StatePending, true},
		"nonsense":     {"hello", decision.StatePending, true},
	} {
		t.Run(name, func(t *testing.T) {
			address := hop(t, func(c net.Conn) {
				if one.say != "" {
					c.Write([]byte(one.say + "\r\n"))
				}
			})
			ch, _ := New(Config{Address: address, From: "alarm@vedetta.example"}, env.Quiet(1))
			if got := ch.Send(t.Context(), sample(), yes); got.State != one.state || got.Retry != one.retry {
				t.Errorf("outcome %+v", got)
			}
		})
	}
	ch, _ := New(Config{Address: "127.0.0.1:1", From: "alarm@vedetta.example"}, env.Quiet(1))
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StatePending || !got.Retry || got.Reason != channel.ReasonUnreachable {
		t.Errorf("nobody listens: %+v", got)
	}
	m := sample()
	m.Address = "anna\r\nRCPT TO:<x@y>"
	if got := ch.Send(t.Context(), m, yes); got.State != decision.StateRefused || got.Retry || got.Reason != channel.ReasonInvalidAddress {
		t.Errorf("an address that is none: %+v", got)
	}
}

func TestTLS(t *testing.T) {
	pair, caFile := certificate(t)
	tc := &tls.Config{Certificates: []tls.Certificate{pair}}
	c, ch := start(t, catcher.Config{TLS: tc}, Config{CAFile: caFile, TLS: TLSAlways})
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StateDelivered || len(c.Messages()) != 1 {
		t.Errorf("STARTTLS: %+v", got)
	}
	c, ch = start(t, catcher.Config{TLS: tc}, Config{}) // offered, but the authority is nobody's
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StatePending || !got.Retry || len(c.Messages()) != 0 {
		t.Errorf("a stranger's certificate: %+v", got)
	}
	c, ch = start(t, catcher.Config{}, Config{TLS: TLSAlways})
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StatePending || len(c.Messages()) != 0 {
		t.Errorf("TLS always, not offered: %+v", got)
	}
	_, ch = start(t, catcher.Config{TLS: tc}, Config{TLS: TLSNever})
	if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StateDelivered {
		t.Errorf("TLS never: %+v", got)
	}
}

func certificate(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "catcher"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{{Address: "mail", From: "a@b"}, {Address: "mail:25", From: "nobody"}, {Address: "mail:25", From: "a@b", TLS: "maybe"}, {Address: "mail:25", From: "a@b", CAFile: "/nowhere"}} {
		if _, err := New(cfg, env.Quiet(1)); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
