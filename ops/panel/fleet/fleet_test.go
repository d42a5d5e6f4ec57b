package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vedetta/ops/panel"
	"vedetta/wire/dc09"
)

const keyText = "text:sixteen letters!"

// receiver answers as it should, but for what a test changes; it counts events by
// what they say.
type receiver struct {
	window bool // NAK for a wrong time
	answer func(f dc09.Frame, good []byte) []byte
	frames atomic.Int64
	conns  atomic.Int64
}

func (r *receiver) reply(f dc09.Frame, c *dc09.Cipher) []byte {
	r.frames.Add(1)
	content, err := f.Open(nil, c)
	b := f.AppendACK(nil, c, time.Now())
	switch {
	case err != nil:
		b = f.AppendDUH(nil)
	case r.window && content.Stamp == dc09.StampGood && time.Since(content.Time).Abs() > time.Minute:
		b = f.AppendNAK(nil, time.Now())
	}
	if r.answer != nil {
		return r.answer(f, b)
	}
	return b
}

// start listens on TCP and UDP at one port of 127.0.0.1.
func (r *receiver) start(t *testing.T) string {
	t.Helper()
	c, err := dc09.NewCipher([]byte("sixteen letters!"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(l.Close(), u.Close()) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.conns.Add(1)
			go r.serve(conn, c)
		}
	}()
	go func() {
		b := make([]byte, 8192)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			if f, err := dc09.ParseFrame(b[:n]); err == nil {
				if a := r.reply(f, c); a != nil {
					_, _ = u.WriteTo(a, from)
				}
			}
		}
	}()
	return l.Addr().String()
}

func (r *receiver) serve(conn net.Conn, c *dc09.Cipher) {
	defer conn.Close()
	var cut dc09.Cutter
	for {
		n, err := conn.Read(cut.Space())
		if err != nil {
			return
		}
		cut.Advance(n)
		for {
			f, err := cut.Next()
			var bad *dc09.BadFrame
			if errors.As(err, &bad) {
				continue
			}
			if err != nil {
				break
			}
			if a := r.reply(f, c); a != nil {
				if _, err := conn.Write(a); err != nil {
					return
				}
			}
		}
	}
}

func options(to ...string) Options {
	return Options{To: to, Panels: 20, Rate: "200/s", Duration: 500 * time.Millisecond, Profile: "mixed", Fault: "none", Share: .5,
		Generate: "AB00", Key: keyText, Prefix: "0", Timeout: 2 * time.Second, Seed: 7, JSON: true}
}

func loaded(t *testing.T, o Options) (int, Report) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Command(t.Context(), o, &out, &errOut)
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, &out, &errOut)
	}
	return code, r
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"poll", "alarms", "mixed", "burst", "storm"} {
		for _, via := range []panel.Transport{{}, {UDP: true}} {
			var polls, events atomic.Int64
			r := &receiver{answer: func(f dc09.Frame, b []byte) []byte {
				if f.Token == dc09.TokenNull {
					polls.Add(1)
				} else {
					events.Add(1)
				}
				return b
			}}
			o := options(r.start(t))
			o.Profile, o.Via = profile, via
			code, rep := loaded(t, o)
			want := 100 // 200 a second for half a one
			if profile == "storm" {
				want += 3 * o.Panels
			}
			if code != 0 || rep.Messages != want || rep.Acknowledged != want || rep.Sent != want || rep.LeftOut > 0 || rep.Latency.P50 == nil || *rep.Latency.Max <= 0 {
				t.Errorf("%s over %s: exit %d, %+v; want %d", profile, via.Name(), code, rep, want)
			}
			if n := events.Load(); (profile == "poll") != (n == 0) || profile == "storm" && n != 60 || profile == "mixed" && (n < 5 || n > 15) || profile == "alarms" && polls.Load() > 0 {
				t.Errorf("%s: %d events, %d polls", profile, n, polls.Load())
			}
		}
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	for _, per := range []bool{false, true} {
		r := &receiver{}
		o := options(r.start(t))
		o.PerMessage = per
		_, rep := loaded(t, o)
		if got, want := int(r.conns.Load()), map[bool]int{false: 20, true: rep.Messages}[per]; got != want {
			t.Errorf("per message %v: %d connections, want %d", per, got, want)
		}
	}
}

func TestAsFastAsAnswersCome(t *testing.T) {
	o := options((&receiver{}).start(t))
	o.Rate, o.Profile = "max", "alarms"
	if code, rep := loaded(t, o); code != 0 || rep.RateAsked != nil || rep.Acknowledged < 200 {
		t.Errorf("exit %d, %+v", code, rep)
	}
}

// TestFaults: a good receiver answers each as it must, and one that doesn't is found.
func TestFaults(t *testing.T) {
	t.Parallel()
	always := func(f dc09.Frame, _ []byte) []byte { // an ACK, whatever came
		f.Encrypted = false
		return f.AppendACK(nil, nil, time.Now())
	}
	for _, f := range faults {
		for _, good := range []bool{true, false} {
			r := &receiver{window: true}
			o := options(r.start(t))
			o.Fault, o.Rate, o.Share = f.name, "40/s", .5
			if f.name == "slow" {
				o.Share = .1
			}
			if !good {
				o.Timeout = 300 * time.Millisecond
				switch f.name {
				case "wrong-key", "old-clock":
					r.answer = always
				case "drop", "duplicate": // nothing to what came before
					seen := map[string]bool{}
					var mine = make(chan struct{}, 1)
					r.answer = func(f dc09.Frame, b []byte) []byte {
						mine <- struct{}{}
						defer func() { <-mine }()
						id := f.Sequence + f.Account
						if was := seen[id]; was {
							return nil
						}
						seen[id] = true
						return b
					}
				default:
					r.answer = func(f dc09.Frame, b []byte) []byte { return f.AppendDUH(nil) }
				}
			}
			code, rep := loaded(t, o)
			if len(rep.Faults) != 1 || rep.Faults[0].Name != f.name || rep.Faults[0].Sent == 0 {
				t.Errorf("%s: %+v", f.name, rep)
				continue
			}
			x := rep.Faults[0]
			if good && (code != 0 || x.Otherwise > 0 || rep.Unacknowledged > 0) || !good && (code != ExitFault || x.Otherwise != x.Sent && f.name != "drop" || !good && x.Otherwise == 0 || x.First == "") {
				t.Errorf("%s, good %v: exit %d, %+v, %d not acknowledged, %s", f.name, good, code, x, rep.Unacknowledged, rep.First)
			}
		}
	}
}

func TestFaultsMixed(t *testing.T) {
	t.Parallel()
	r := &receiver{window: true}
	o := options(r.start(t))
	o.Fault, o.Panels, o.Generate = "mixed", 40, "AB0000"
	code, rep := loaded(t, o)
	if rep.Latency.P90 == nil || *rep.Latency.P90 > .9 {
		t.Errorf("latency %v: what waited for a fault of our own counts as the receiver's", *rep.Latency.P90)
	}
	if code != 0 || len(rep.Faults) < 5 {
		t.Errorf("exit %d, %+v", code, rep)
	}
	o.Via.UDP = true
	code, rep = loaded(t, o)
	names := []string{}
	for _, f := range rep.Faults {
		names = append(names, f.Name)
	}
	if code != 0 || slices.Contains(names, "split") || slices.Contains(names, "slow") || len(names) < 4 {
		t.Errorf("over UDP: exit %d, %v, %+v", code, names, rep)
	}
}

// TestSilence: repeated at the other address, and where nobody answers it is said.
func TestSilence(t *testing.T) {
	t.Parallel()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	o := options(dead.Addr().String(), (&receiver{}).start(t))
	if code, rep := loaded(t, o); code != 0 || rep.Repeated == 0 || rep.Answers[panel.AnswerSilence] == 0 || !strings.Contains(rep.First, "refused") {
		t.Errorf("exit %d, %+v", code, rep)
	}
	o.To = o.To[:1]
	if code, rep := loaded(t, o); code != ExitNobody || rep.Acknowledged > 0 || rep.Unacknowledged != rep.Messages {
		t.Errorf("exit %d, %+v", code, rep)
	}
}

// TestStallShows: a receiver that stalls can't hide it by taking fewer messages.
func TestStallShows(t *testing.T) {
	began := time.Now()
	o := options((&receiver{answer: func(_ dc09.Frame, b []byte) []byte {
		if s := time.Since(began); s > 100*time.Millisecond && s < 400*time.Millisecond {
			<-time.After(400*time.Millisecond - s) // it takes nothing meanwhile
		}
		return b
	}}).start(t))
	o.Panels = 2
	_, rep := loaded(t, o)
	if rep.Latency.P90 == nil || *rep.Latency.P90 < .2 || rep.StartLag < .1 {
		t.Errorf("p90 %v of a receiver that stood still for 300 of 500 ms, started %g s late", *rep.Latency.P90, rep.StartLag)
	}
}

func TestAccountsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.csv")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("account,key,prefix,receiver\n# remark\nAB01, text:sixteen letters!\nAB02,,7\n\nAB03,00112233445566778899AABBCCDDEEFF,1,2F # plain?\n")
	o := options("127.0.0.1:1")
	o.Panels = 0
	if p, err := o.plan(); err != nil || p.Panels != 100 || len(p.accounts) != 100 || p.accounts[99].number != "AB63" {
		t.Errorf("%d panels, %v; want 100", p.Panels, err)
	}
	o.Generate, o.Key, o.Accounts = "", "", file
	o.Panels = 0
	p, err := o.plan()
	if err != nil || len(p.accounts) != 3 || p.Panels != 3 || p.accounts[1].prefix != "7" || p.accounts[0].prefix != "0" || p.accounts[2].receiver != "2F" || len(p.accounts[1].key) != 0 || len(p.accounts[2].key) != 16 {
		t.Errorf("%+v, %v", p.accounts, err)
	}
	for content, want := range map[string]string{"": "no account", "AB01,short": "line 1: dc09: key", "\nXY": `line 2: account "XY"`, "AB01,,,,": "line 1: 5 fields"} {
		write(content)
		if _, err := o.plan(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		says   string
	}{
		"elsewhere":     {func(o *Options) { o.To = []string{"192.0.2.1:7711"} }, "--yes-this-is-mine"},
		"a name":        {func(o *Options) { o.To = []string{"receiver.example:7711"} }, "--yes-this-is-mine"},
		"all addresses": {func(o *Options) { o.To = []string{"127.0.0.1:1", "[::]:7711"} }, "--yes-this-is-mine"},
		"no port":       {func(o *Options) { o.To = []string{"localhost"} }, "HOST:PORT"},
		"rate":          {func(o *Options) { o.Rate = "fast" }, "200/s"},
		"rate of none":  {func(o *Options) { o.Rate = "0/s" }, "more than 0"},
		"storm, max":    {func(o *Options) { o.Rate, o.Profile = "max", "storm" }, "wants a rate"},
		"panels":        {func(o *Options) { o.Panels, o.Generate = 60_000, "AB00000" }, "1 to 50,000"},
		"no room":       {func(o *Options) { o.Generate = "FFFFF0" }, "no room for 20"},
		"two ways":      {func(o *Options) { o.Account = []string{"1234"} }, "want one of --accounts"},
		"no way":        {func(o *Options) { o.Generate = "" }, "want one of --accounts"},
		"key":           {func(o *Options) { o.Key = "secret" }, "--key: dc09"},
		"no key":        {func(o *Options) { o.Key, o.Fault = "", "wrong-key" }, "has no key"},
		"split, UDP":    {func(o *Options) { o.Fault, o.Via.UDP = "split", true }, "a datagram is whole"},
		"duration":      {func(o *Options) { o.Duration = 0 }, "--duration"},
		"share":         {func(o *Options) { o.Share = 2 }, "0 to 1"},
		"both":          {func(o *Options) { o.Long, o.PerMessage = true, true }, "want one of them"},
	} {
		o := options("127.0.0.1:1")
		c.change(&o)
		var out, errOut bytes.Buffer
		if code := Command(t.Context(), o, &out, &errOut); code != ExitUsage || !strings.Contains(errOut.String(), c.says) || out.Len() > 0 || strings.Contains(errOut.String(), "secret") {
			t.Errorf("%s: exit %d, %s, want %s", name, code, &errOut, c.says)
		}
	}
	for s, want := range map[string]float64{"200/s": 200, "200": 200, "3000/min": 50, "7200/h": 2, "max": 0, "0.5/s": .5} {
		if got, err := parseRate(s); err != nil || got != want {
			t.Errorf("%s: %g, %v, want %g", s, got, err, want)
		}
	}
}

func TestTextForPeople(t *testing.T) {
	t.Parallel()
	o := options((&receiver{window: true}).start(t))
	o.JSON, o.Fault = false, "old-clock"
	var out, errOut bytes.Buffer
	if code := Command(t.Context(), o, &out, &errOut); code != 0 {
		t.Errorf("exit %d, %s%s", code, &out, &errOut)
	}
	for _, want := range []string{"20 panels (accounts: 20, 20 of them with a key) to 127.0.0.1:", "200 messages/s asked for", "messages   100: 100 acknowledged", "latency    p50 ", "old-clock ", "as expected"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, &out)
		}
	}
}
