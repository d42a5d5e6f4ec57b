package reception

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// certify writes a certificate of its own making for name, and its key.
func certify(t *testing.T, dir, name string, serial int64) Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")}
	for path, block := range map[string]*pem.Block{p.CertFile: {Type: "CERTIFICATE", Bytes: der}, p.KeyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func onTLS(pairs ...Pair) Config {
	return Config{Listeners: []Listener{{Name: "main", TCP: "127.0.0.1:0", TLS: "127.0.0.1:0"}}, TLS: TLS{Certificates: pairs}}
}

// secure dials as a panel that takes any certificate, and tells which it got.
func secure(t *testing.T, r *Reception, from string, c *tls.Config) (*tls.Conn, int64, error) {
	t.Helper()
	c = c.Clone()
	c.InsecureSkipVerify = true
	conn := tls.Client(dial(t, r, TLSTransport, from), c)
	if err := conn.Handshake(); err != nil {
		return nil, 0, err
	}
	return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// Panels are answered through TLS, many frames on one connection, and named as such.
func TestTLS(t *testing.T) {
	w := &watcher{}
	r := made(t, onTLS(certify(t, t.TempDir(), "a.example", 1)), strangers.Config{}, desk{})
	r.Observe(w)
	serve(t, r)
	c, _, err := secure(t, r, "127.0.0.2", &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := asks(t, c, "AAA"); got != "ACK" {
			t.Errorf("answered %q", got)
		}
	}
	await(t, w.has("tls ack  AAA"))
	if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "AAA"); got != "ACK" {
		t.Errorf("without TLS beside it: %q", got)
	}
	if err := c.CloseWrite(); err != nil { // the panel's end is answered by ours
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Errorf("%q, %v; want an end", b, err)
	}
}

// The name that a panel asks for chooses the certificate; without one it is the first.
func TestTLSByName(t *testing.T) {
	dir := t.TempDir()
	r := run(t, onTLS(certify(t, dir, "a.example", 1), certify(t, dir, "b.example", 2)), desk{})
	for name, want := range map[string]int64{"": 1, "a.example": 1, "b.example": 2, "c.example": 1} {
		if _, got, err := secure(t, r, "127.0.0.1", &tls.Config{ServerName: name}); err != nil || got != want {
			t.Errorf("%q: certificate %d, %v; want %d", name, got, err, want)
		}
	}
}

// A new certificate is shown without a restart, to new connections; the old ones
// stay. What can't be read changes nothing.
func TestTLSReload(t *testing.T) {
	dir := t.TempDir()
	pair := certify(t, dir, "a.example", 1)
	r := run(t, onTLS(pair), desk{})
	old, _, err := secure(t, r, "127.0.0.1", &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want int64) {
		t.Helper()
		if _, got, err := secure(t, r, "127.0.0.1", &tls.Config{}); err != nil || got != want {
			t.Errorf("certificate %d, %v; want %d", got, err, want)
		}
	}
	certify(t, dir, "a.example", 2)
	shows(1)
	if err := r.ReloadCertificates(); err != nil {
		t.Fatal(err)
	}
	shows(2)
	if err := os.WriteFile(pair.KeyFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.ReloadCertificates(); err == nil {
		t.Error("a broken key gave no error")
	}
	certify(t, dir, "a.example", 3)
	if err := os.Chmod(pair.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.ReloadCertificates(); err == nil {
		t.Error("a key that everybody may read gave no error")
	}
	shows(2)
	if got := asks(t, old, "AAA"); got != "ACK" {
		t.Errorf("the old connection is answered %q", got)
	}
	if c := r.Certificates(); len(c) != 1 || len(c[0].Names) != 1 || c[0].Names[0] != "a.example" || time.Until(c[0].Expires) < 50*time.Minute {
		t.Errorf("certificates %+v", c)
	}
}

// A file that changes is found by itself, whole or half written, within seconds.
func TestTLSFilesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		pair := certify(t, dir, "a.example", 1)
		r := made(t, onTLS(pair), friendly(), desk{})
		go func() {
			if err := r.followCertificates(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		serial := func() int64 { return r.certs.current().Certificates[0].Leaf.SerialNumber.Int64() }
		key, err := os.ReadFile(pair.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		certify(t, dir, "a.example", 2)
		whole, err := os.ReadFile(pair.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pair.KeyFile, key, 0o600); err != nil { // the new certificate with the old key
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		if serial() != 1 {
			t.Errorf("certificate %d of files that don't fit", serial())
		}
		if err := os.WriteFile(pair.KeyFile, append(whole, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		if serial() != 2 {
			t.Errorf("certificate %d, want the new one", serial())
		}
	})
}

func TestTLSVersionsAndCiphers(t *testing.T) {
	dir := t.TempDir()
	old := func(v uint16) *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: v} }
	cbc := old(tls.VersionTLS12)
	cbc.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}
	for _, row := range []struct {
		min     string
		ciphers bool
		panel   *tls.Config
		ok      bool
	}{
		{"", false, old(tls.VersionTLS12), true}, {"", false, old(tls.VersionTLS11), false}, {"", false, &tls.Config{}, true},
		{"1.3", false, old(tls.VersionTLS12), false}, {"1.0", false, old(tls.VersionTLS10), true},
		{"", false, cbc, false}, {"", true, cbc, true},
	} {
		cfg := onTLS(certify(t, dir, "a.example", 1))
		cfg.TLS.MinVersion, cfg.TLS.OldCiphers = row.min, row.ciphers
		r := run(t, cfg, desk{})
		if _, _, err := secure(t, r, "127.0.0.1", row.panel); (err == nil) != row.ok {
			t.Errorf("least %q, old ciphers %v, panel to %x: %v, want a connection: %v", row.min, row.ciphers, row.panel.MaxVersion, err, row.ok)
		}
		if !row.ok {
			await(t, r.counted(reasonHandshake))
		}
	}
}

// Who begins no TLS, or begins and waits, is let go; scanners of it are banned.
func TestTLSStrangers(t *testing.T) {
	cfg := onTLS(certify(t, t.TempDir(), "a.example", 1))
	cfg.TLS.HandshakeTime = 200 * time.Millisecond
	r, log := open(t, cfg, strangers.Config{})
	for name, send := range map[string]string{"http": "GET / HTTP/1.1\r\n\r\n", "a panel on the wrong port": string(frame(t, "AAA", dc09.ASCII))} {
		if got := said(t, dial(t, r, TLSTransport, "127.0.0.2"), send); got != "" {
			t.Errorf("%s got %q", name, got)
		}
	}
	if n := testutil.ToFloat64(r.metrics.foreign.WithLabelValues(notTLS)); n != 2 || log.lines("protocol="+notTLS) != 1 {
		t.Errorf("counted %v, %d lines; want 2 and one", n, log.lines("protocol="+notTLS))
	}
	if got := said(t, dial(t, r, TLSTransport, "127.0.0.3"), "\x16\x03\x01\x02"); got != "" {
		t.Errorf("half a handshake got %q", got)
	}
	await(t, r.counted(reasonHandshakeTime))
	for range 2 {
		said(t, dial(t, r, TLSTransport, "127.0.0.2"), "GET / HTTP/1.1\r\n\r\n")
	}
	if got := said(t, dial(t, r, TCP, "127.0.0.2"), string(frame(t, "AAA", dc09.ASCII))); got != "" {
		t.Errorf("the scanner is answered %q on the other port", got)
	}
	c, _, err := secure(t, r, "127.0.0.4", &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := asks(t, c, "AAA"); got != "ACK" {
		t.Errorf("a panel is answered %q", got)
	}
}

// Handshakes cost a signature: strangers have so many a second in all, the address of
// known panels more than these for itself.
func TestTLSHandshakesOfStrangersAreBounded(t *testing.T) {
	r, _ := open(t, onTLS(certify(t, t.TempDir(), "a.example", 1)), strangers.Config{Handshakes: 1})
	known, _, err := secure(t, r, "127.0.0.2", &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := asks(t, known, "AAA"); got != "ACK" {
		t.Fatalf("answered %q", got)
	}
	refused := 0
	for range 20 {
		if c, _, err := secure(t, r, "127.0.0.3", &tls.Config{}); err != nil {
			refused++
		} else {
			c.Close()
		}
	}
	if refused < 5 || !r.counted(reasonHandshakes)() {
		t.Errorf("%d of 20 refused, or not counted", refused)
	}
	for range 20 {
		c, _, err := secure(t, r, "127.0.0.2", &tls.Config{})
		if err != nil {
			t.Fatalf("a known panel's handshake: %v", err)
		}
		c.Close()
	}
}

// Whose handshake failed is personal data: no log has it, whatever its level.
func TestTLSLogNamesNobody(t *testing.T) {
	e, log := env.Quiet(1), &kept{}
	e.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := New(onTLS(certify(t, t.TempDir(), "a.example", 1)), desk{}, strangers.New(strangers.Config{}), e)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, r)
	c := dial(t, r, TLSTransport, "127.0.0.9")
	if _, err := c.Write([]byte("\x16\x03\x01\x02")); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return r.guests.Counts(time.Now()).Open == 1 })
	reset(c)
	await(t, func() bool { return log.lines("no TLS") == 1 })
	if log.lines("127.0.0.9") > 0 {
		t.Error("the log has the address")
	}
}
