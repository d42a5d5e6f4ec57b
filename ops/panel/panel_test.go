package panel

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"vedetta/wire/dc09"
)

const testKey = "00112233445566778899aabbccddeeff"

// receiver answers each frame by reply; nil is silence. It returns its address and
// the raw frames that came.
func receiver(t *testing.T, network string, reply func(f dc09.Frame) []byte) (string, <-chan string) {
	t.Helper()
	came := make(chan string, 100)
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 5000)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				if f, err := dc09.ParseFrame(b[:n]); err == nil {
					came <- f.Raw
					if b := reply(f); b != nil {
						_, _ = c.WriteTo(b, from)
					}
				}
			}
		}()
		return c.LocalAddr().String(), came
	}
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
			go serve(c, came, reply)
		}
	}()
	return l.Addr().String(), came
}

func serve(c net.Conn, came chan<- string, reply func(f dc09.Frame) []byte) {
	defer c.Close()
	var cut dc09.Cutter
	for {
		n, err := c.Read(cut.Space())
		if err != nil {
			return
		}
		cut.Advance(n)
		for {
			f, err := cut.Next()
			if err != nil {
				break
			}
			came <- f.Raw
			if _, err := c.Write(reply(f)); err != nil {
				return
			}
		}
	}
}

func key(t *testing.T) *dc09.Cipher {
	t.Helper()
	b, _, err := dc09.ParseKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dc09.NewCipher(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestExitCodes(t *testing.T) {
	k := key(t)
	other, err := dc09.NewCipher([]byte("another key, 16b"))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(from, to string) func(dc09.Frame) []byte {
		return func(f dc09.Frame) []byte { // a good ACK to another message
			b := bytes.Replace([]byte(f.Raw), []byte(from), []byte(to), 1)
			g, err := dc09.ParseFrame(b)
			if err != nil {
				m := dc09.Message{Token: "NULL", Sequence: 1, Account: "1234", Prefix: new(string)}
				if from == "0001" {
					m.Sequence = 2
				} else {
					m.Account = to
				}
				raw, _ := m.AppendFrame(nil, nil)
				g, _ = dc09.ParseFrame(raw)
			}
			return g.AppendACK(nil, nil, time.Now())
		}
	}
	for _, c := range []struct {
		name  string
		key   string
		reply func(f dc09.Frame) []byte
		want  int
	}{
		{"ack", "", func(f dc09.Frame) []byte { return f.AppendACK(nil, nil, time.Now()) }, 0},
		{"ack in binary form", "", func(f dc09.Frame) []byte { f.Answer = dc09.Binary; return f.AppendACK(nil, nil, time.Now()) }, 0},
		{"ack in cr form", "", func(f dc09.Frame) []byte { f.Answer = dc09.ASCIICR; return f.AppendACK(nil, nil, time.Now()) }, 0},
		{"encrypted ack", testKey, func(f dc09.Frame) []byte { return f.AppendACK(nil, k, time.Now()) }, 0},
		{"nak", "", func(f dc09.Frame) []byte { return f.AppendNAK(nil, time.Now()) }, 2},
		{"duh", testKey, func(f dc09.Frame) []byte { return f.AppendDUH(nil) }, 3},
		{"silence", "", func(dc09.Frame) []byte { return nil }, 4},
		{"plain ack to an encrypted message", testKey, func(f dc09.Frame) []byte { f.Encrypted = false; return f.AppendACK(nil, nil, time.Now()) }, 5},
		{"ack under another key", testKey, func(f dc09.Frame) []byte { return f.AppendACK(nil, other, time.Now()) }, 5},
		{"bad CRC", "", func(f dc09.Frame) []byte {
			return bytes.Replace(f.AppendACK(nil, nil, time.Now()), []byte("L0"), []byte("L1"), 1)
		}, 5},
		{"another sequence", "", changed("0001", "0002"), 5},
		{"another account", "", changed("#1234", "9999"), 5},
		{"no DC-09", "", func(dc09.Frame) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, 5},
		{"short rubbish", "", func(dc09.Frame) []byte { return []byte("\n\r") }, 5},
	} {
		for _, network := range []string{"tcp", "udp"} {
			to, _ := receiver(t, network, c.reply)
			var out bytes.Buffer
			o := Options{To: []string{to}, Account: "1234", Key: c.key, Via: Transport{UDP: network == "udp"}, Token: "SIA-DCS", Seq: 1,
				Prefix: "0", Count: 1, Timeout: 300 * time.Millisecond, Data: "Nri1/BA001"}
			if got := Send(t.Context(), o, &out); got != c.want {
				t.Errorf("%s over %s: exit %d, want %d\n%s", c.name, network, got, c.want, &out)
			}
		}
	}
}

func TestTurnsToTheNextAddressOnSilence(t *testing.T) {
	ack := func(f dc09.Frame) []byte { return f.AppendACK(nil, nil, time.Now()) }
	silent, asked := receiver(t, "tcp", func(dc09.Frame) []byte { return nil })
	good, answered := receiver(t, "tcp", ack)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	o := Options{To: []string{closed.Addr().String(), silent, good}, Account: "1234", Token: "SIA-DCS", Seq: 9999, Prefix: "0",
		Count: 2, Interval: time.Millisecond, Timeout: 200 * time.Millisecond, JSON: true, Data: "Nri1/BA001"}
	var out bytes.Buffer
	if code := Send(t.Context(), o, &out); code != 0 {
		t.Fatalf("exit %d\n%s", code, &out)
	}
	if len(asked) != 2 || len(answered) != 2 {
		t.Fatalf("%d at the silent, %d at the good one; want 2 and 2", len(asked), len(answered))
	}
	for _, want := range []string{`"SIA-DCS"9999`, `"SIA-DCS"0001`} {
		if got := <-answered; !strings.Contains(got, want) {
			t.Errorf("%q, want %s", got, want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q is no JSON", line)
		}
	}
}

func TestDataRules(t *testing.T) {
	to, came := receiver(t, "tcp", func(f dc09.Frame) []byte { return f.AppendACK(nil, nil, time.Now()) })
	for _, c := range []struct{ token, data, want string }{
		{"SIA-DCS", "Nri1/BA001", "[#1234|Nri1/BA001]_"},
		{"ADM-CID", "1130 01 001", "[#1234|1130 01 001]_"},
		{"SIA-DCS", "[#1234|NBA1][Vhttps://example.org/a]", "[#1234|NBA1][Vhttps://example.org/a]_"},
		{"SIA-DCS", "[|NBA1]", "[|NBA1]_"},
		{"NULL", "", "[]_"},
	} {
		o := Options{To: []string{to}, Account: "1234", Token: c.token, Seq: 1, Prefix: "0", Count: 1, Timeout: time.Second, Data: c.data}
		var out bytes.Buffer
		if code := Send(t.Context(), o, &out); code != 0 {
			t.Fatalf("%s: exit %d\n%s", c.data, code, &out)
		}
		if got := <-came; !strings.Contains(got, c.want) {
			t.Errorf("%s sent as %q, want %s", c.data, got, c.want)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	good := Options{To: []string{"127.0.0.1:1"}, Account: "1234", Token: "SIA-DCS", Seq: 1, Prefix: "0", Count: 1, Data: "NBA1"}
	for name, change := range map[string]func(*Options){
		"no address": func(o *Options) { o.To = nil },
		"no port":    func(o *Options) { o.To = []string{"127.0.0.1:1", "nonsense"} },
		"account":    func(o *Options) { o.Account = "ZZ" },
		"bad key":    func(o *Options) { o.Key = "short secret" },
		"sequence":   func(o *Options) { o.Seq = 10000 },
		"no data":    func(o *Options) { o.Data = "" },
		"data":       func(o *Options) { o.Data = "[NBA1" },
	} {
		o := good
		change(&o)
		var out bytes.Buffer
		if code := Send(t.Context(), o, &out); code != ExitUsage || strings.Contains(out.String(), "secret") {
			t.Errorf("%s: exit %d, %s", name, code, &out)
		}
	}
}

func TestPanelKeepsItsConnectionAndEndsWithContext(t *testing.T) {
	n := 0
	to, _ := receiver(t, "tcp", func(f dc09.Frame) []byte {
		if n++; n > 3 {
			return nil
		}
		return f.AppendACK(nil, nil, time.Now())
	})
	p, err := New(Config{Account: "1234", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var conn net.Conn
	for seq := 1; seq <= 3; seq++ {
		x, err := p.Send(t.Context(), to, "SIA-DCS", seq, "NBA1")
		if err != nil || x.Answer != AnswerACK {
			t.Fatalf("%+v %v", x, err)
		}
		if conn != nil && conn != p.conn {
			t.Fatal("dialled again")
		}
		conn = p.conn
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if x, err := p.Send(ctx, to, "SIA-DCS", 4, "NBA1"); err != nil || x.Answer != AnswerSilence {
		t.Fatalf("%+v %v", x, err)
	}
}
