package panel

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/wire/dc09"
)

// TestOverTLS: the receiver's certificate is looked at, and what is wrong with it said.
func TestOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, of example.com and 127.0.0.1
	web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c, came, func(f dc09.Frame) []byte { return f.AppendACK(nil, nil, time.Now()) })
		}
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		via  Transport
		want int
		says string
	}{
		"its authority":        {Transport{TLS: true, TLSCA: ca}, ExitACK, "ACK"},
		"its name":             {Transport{TLS: true, TLSCA: ca, TLSName: "example.com"}, ExitACK, "ACK"},
		"any":                  {Transport{TLS: true, TLSInsecure: true}, ExitACK, "ACK"},
		"another's name":       {Transport{TLS: true, TLSCA: ca, TLSName: "other.example"}, ExitSilence, "other.example"},
		"on this machine":      {Transport{TLS: true}, ExitACK, "ACK"},
		"the system's":         {Transport{TLS: true, TLSName: "example.com"}, ExitSilence, "certificate"},
		"no TLS":               {Transport{}, ExitSilence, "silence"},
		"no file":              {Transport{TLS: true, TLSCA: ca + "x"}, ExitUsage, "--tls-ca"},
		"two at once":          {Transport{TLS: true, UDP: true}, ExitUsage, "want one of them"},
		"a flag without --tls": {Transport{TLSInsecure: true}, ExitUsage, "want --tls"},
	} {
		o := Options{To: []string{l.Addr().String()}, Account: "1234", Via: c.via, Token: "SIA-DCS", Seq: 1, Prefix: "0", Count: 1, Timeout: time.Second, Data: "NBA1"}
		var out bytes.Buffer
		if code := Send(t.Context(), o, &out); code != c.want || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit %d, want %d\n%s", name, code, c.want, &out)
		}
	}
}
