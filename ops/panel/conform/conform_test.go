package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/wire/dc09"
)

const (
	keyText     = "hex:00112233445566778899AABBCCDDEEFF"
	keyedNumber = "1234AB"
	plainNumber = "5678CD"
)

// receiver is a good one of our own, and each field a fault that can be planted.
type receiver struct {
	cipher *dc09.Cipher

	answer    func(f dc09.Frame, good []byte) []byte // changes a good answer
	judge     func(f dc09.Frame) (answer []byte, mine bool)
	closes    bool // the connection after each answer
	perRead   bool // takes one frame of each read, whole or not at all
	splitsCR  bool // reads up to each CR
	reversed  bool // answers all frames of a read from the last to the first
	takesBad  bool // doesn't look at the CRC
	noWindow  bool
	noUDP     bool
	elsewhere bool          // answers UDP from another port
	clock     time.Duration // off
}

func (r *receiver) now() time.Time { return time.Now().Add(r.clock).UTC() }

// good is what a receiver answers; nil is silence.
func (r *receiver) good(f dc09.Frame) []byte {
	if r.judge != nil {
		if b, mine := r.judge(f); mine {
			return b
		}
	}
	keyed := strings.EqualFold(f.Account, keyedNumber)
	if !keyed && !strings.EqualFold(f.Account, plainNumber) || keyed && !f.Encrypted {
		return nil
	}
	cipher := r.cipher
	if !keyed {
		cipher = nil
	}
	c, err := f.Open(nil, cipher)
	switch {
	case err != nil:
		return f.AppendDUH(nil)
	case !r.noWindow && c.Stamp == dc09.StampGood && (c.Time.Before(r.now().Add(-40*time.Second)) || c.Time.After(r.now().Add(20*time.Second))):
		return f.AppendNAK(nil, r.now())
	case f.Kind() == dc09.KindUnknown:
		return f.AppendDUH(nil)
	}
	return f.AppendACK(nil, cipher, r.now())
}

func (r *receiver) reply(f dc09.Frame) []byte {
	b := r.good(f)
	if b != nil && r.answer != nil {
		b = r.answer(f, b)
	}
	return b
}

// read cuts what came, rightly or as the fault says; the frames are answered.
func (r *receiver) serve(c net.Conn) {
	defer c.Close()
	var cut dc09.Cutter
	for {
		b := make([]byte, 8192)
		n, err := c.Read(b)
		if err != nil {
			return
		}
		var answers [][]byte
		switch {
		case r.perRead:
			if f, err := dc09.ParseFrame(b[:n]); err == nil {
				answers = append(answers, r.reply(f))
			}
		case r.splitsCR:
			for part := range bytes.SplitAfterSeq(b[:n], []byte("\r")) {
				if f, err := dc09.ParseFrame(part); err == nil {
					answers = append(answers, r.reply(f))
				}
			}
		default:
			cut.Feed(b[:n])
			for {
				f, err := cut.Next()
				var bad *dc09.BadFrame
				if errors.As(err, &bad) && r.takesBad && bad.Reason == dc09.ReasonCRC {
					i, err := dc09.Inspect(bad.Raw, nil)
					if err != nil {
						return
					}
					answers = append(answers, r.reply(i.Frame))
					continue
				}
				if errors.As(err, &bad) && !bad.Hopeless() {
					continue
				}
				if err != nil {
					break
				}
				answers = append(answers, r.reply(f))
			}
		}
		if r.reversed {
			slices.Reverse(answers)
		}
		for _, a := range answers {
			if a == nil {
				continue
			}
			if _, err := c.Write(a); err != nil || r.closes {
				return
			}
		}
	}
}

// start listens on TCP and UDP at one port.
func (r *receiver) start(t *testing.T) string {
	t.Helper()
	c, err := dc09.NewCipher([]byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"))
	if err != nil {
		t.Fatal(err)
	}
	r.cipher = c
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	if r.noUDP {
		return l.Addr().String()
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	out := u
	if r.elsewhere {
		if out, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = errors.Join(u.Close(), out.Close()) })
	go func() {
		b := make([]byte, 8192)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			if f, err := dc09.ParseFrame(b[:n]); err == nil {
				if a := r.reply(f); a != nil {
					_, _ = out.WriteTo(a, from)
				}
			}
		}
	}()
	return l.Addr().String()
}

func options(to string) Options {
	return Options{To: to, Account: keyedNumber, Key: keyText, PlainAccount: plainNumber, Prefix: "0", Timeout: time.Second, Quiet: 200 * time.Millisecond, JSON: true, hurried: true}
}

func run(t *testing.T, o Options) (int, Report) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Command(t.Context(), o, &out, &errOut)
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Errorf("exit %d, %v\n%s%s", code, err, &out, &errOut)
	}
	return code, r
}

func of(r Report, v Verdict) (ids []string) {
	for _, x := range r.Results {
		if x.Verdict == v {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func TestGoodReceiverPasses(t *testing.T) {
	t.Parallel()
	code, r := run(t, options((&receiver{}).start(t)))
	if code != ExitDone || r.Passed != len(checks()) || r.ClockSeconds == nil {
		t.Errorf("exit %d, %d of %d passed; failed %v, observed %v, skipped %v", code, r.Passed, len(checks()), of(r, Fail), of(r, Observation), of(r, Skip))
	}
	ids := map[string]bool{}
	for _, x := range r.Results {
		if ids[x.ID] || x.Clause == "" || x.Rule == "" || len(x.Steps) == 0 {
			t.Errorf("%s: twice, or without clause, rule or steps", x.ID)
		}
		ids[x.ID] = true
	}
}

// again changes the body of an answer and gives it a good CRC and length.
func again(b []byte, change func(string) string) []byte {
	f, err := dc09.ParseFrame(b)
	if err != nil || f.Form == dc09.Binary {
		return b
	}
	return framed(change(body(b)))
}

func replaced(from, to string) func(dc09.Frame, []byte) []byte {
	return func(_ dc09.Frame, b []byte) []byte {
		return again(b, func(s string) string { return strings.Replace(s, from, to, 1) })
	}
}

// TestPlantedFaults: each deliberate fault is found, by the clause it breaks, and
// what it doesn't break isn't blamed.
func TestPlantedFaults(t *testing.T) {
	var seen sync.Map
	var ran sync.WaitGroup
	var judged []func()
	for name, c := range map[string]struct {
		fault receiver
		fails []string // must fail, at least
		holds []string // must not
		seen  []string // observations, at least
		says  string   // in the first failure's why, or the first observation's
	}{
		"another account":      {receiver{answer: replaced("#"+plainNumber, "#5678CE")}, []string{"ack-plain", "udp"}, []string{"encrypted"}, nil, `account "5678CE", want "5678CD"`},
		"account in capitals":  {receiver{answer: func(_ dc09.Frame, b []byte) []byte { return again(b, strings.ToUpper) }}, []string{"account-as-written"}, []string{"ack-plain"}, nil, `account "5678CD", want "5678cd"`},
		"sequence of its own":  {receiver{answer: replaced(`"ACK"0`, `"ACK"1`)}, []string{"ack-plain"}, []string{"encrypted"}, nil, "sequence"},
		"None for a missing R": {receiver{answer: func(f dc09.Frame, b []byte) []byte { return noneForR(f, b) }}, []string{"no-receiver"}, []string{"receiver-echoed"}, nil, `receiver R is "None", want absent`},
		"closed after ACK":     {receiver{closes: true}, []string{"many-per-connection"}, []string{"ack-plain", "connection-per-message", "encrypted"}, []string{"idle-connection"}, "closed the connection"},
		"bad CRC in the ACK":   {receiver{answer: func(_ dc09.Frame, b []byte) []byte { b[2] ^= 1; return b }}, []string{"ack-plain"}, nil, nil, "CRC is bad, want"},
		"decimal length":       {receiver{answer: decimalLength}, []string{"ack-plain"}, nil, nil, "length is bad, want"},
		"no LF":                {receiver{answer: func(_ dc09.Frame, b []byte) []byte { return b[1:] }}, []string{"ack-plain"}, nil, nil, "missing-LF"},
		"cuts at CR":           {receiver{splitsCR: true}, []string{"binary-crc", "split-anywhere"}, []string{"ack-plain", "two-in-a-segment"}, nil, ""},
		"a read is a message":  {receiver{perRead: true}, []string{"split-anywhere", "two-in-a-segment", "ten-in-a-segment"}, []string{"ack-plain", "many-per-connection"}, nil, "want an ACK"},
		"answers out of order": {receiver{reversed: true}, []string{"two-in-a-segment"}, []string{"many-per-connection"}, nil, "sequence"},
		"takes a bad CRC":      {receiver{takesBad: true}, []string{"crc-bad", "byte-altered"}, []string{"ack-plain"}, nil, "an ACK to a bad CRC"},
		"no window":            {receiver{noWindow: true}, []string{"too-old", "too-new", "wrong-year"}, []string{"within-window"}, []string{"plain-too-old"}, "a ACK, want a NAK"},
		"NAK without time": {receiver{answer: func(_ dc09.Frame, b []byte) []byte {
			return again(b, func(s string) string { return strings.Split(s, "_")[0] })
		}}, []string{"too-old", "too-new", "wrong-year"}, []string{"within-window"}, nil, "no timestamp"},
		"NAK with echo":           {receiver{answer: replaced(`"NAK"0000R0L0A0`, `"NAK"0001L0#1234AB`)}, []string{"too-old"}, []string{"within-window"}, nil, "the NAK begins with"},
		"plain ACK to encrypted":  {receiver{judge: func(f dc09.Frame) ([]byte, bool) { f.Encrypted = false; return f.AppendACK(nil, nil, time.Now()), true }}, []string{"encrypted", "wrong-key"}, []string{"ack-plain"}, []string{"plain-despite-key"}, ""},
		"no DUH for a token":      {receiver{judge: func(f dc09.Frame) ([]byte, bool) { return nil, f.Kind() == dc09.KindUnknown }}, []string{"unknown-token"}, []string{"ack-plain"}, nil, "repeats the message for ever"},
		"DUH for a code":          {receiver{judge: func(f dc09.Frame) ([]byte, bool) { return f.AppendDUH(nil), strings.Contains(f.Body, "PE501") }}, nil, []string{"ack-plain"}, []string{"unknown-code"}, "a DUH, want an ACK"},
		"no answer to NULL":       {receiver{judge: func(f dc09.Frame) ([]byte, bool) { return nil, f.Token == "NULL" }}, []string{"ack-null", "encrypted-null", "udp-null"}, []string{"ack-plain"}, nil, "silence"},
		"no answer to a copy":     {receiver{judge: func(f dc09.Frame) ([]byte, bool) { _, was := seen.LoadOrStore(f.Raw, true); return nil, was }}, []string{"repetition", "udp-repetition"}, []string{"ack-plain"}, nil, "silence"},
		"only short messages":     {receiver{judge: func(f dc09.Frame) ([]byte, bool) { return nil, len(f.Raw) > 1024 }}, []string{"long-message"}, []string{"ack-plain"}, nil, "silence"},
		"NAK for all that is bad": {receiver{judge: func(f dc09.Frame) ([]byte, bool) { return f.AppendNAK(nil, time.Now()), f.Kind() == dc09.KindUnknown }}, []string{"unknown-token"}, nil, nil, "a NAK, want a DUH"},
		"UDP from another port":   {receiver{elsewhere: true}, []string{"udp-source"}, []string{"udp", "ack-plain"}, nil, "it came from 127.0.0.1:"},
		"no UDP":                  {receiver{noUDP: true}, nil, []string{"ack-plain"}, nil, ""},
		"a clock an hour behind":  {receiver{clock: -time.Hour}, nil, []string{"encrypted", "too-old", "wrong-year", "within-window"}, []string{"clock"}, "off"},
		"binary answered in ASCII": {receiver{answer: func(f dc09.Frame, b []byte) []byte {
			f.Answer = dc09.ASCII
			f.Encrypted = false
			return pick(f.Form == dc09.Binary, f.AppendACK(nil, nil, time.Now()), b)
		}}, []string{"binary-crc"}, []string{"ack-plain"}, nil, "want the form of the message"},
		"another protocol": {receiver{answer: func(dc09.Frame, []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }}, []string{"ack-plain"}, nil, nil, "no DC-09 answer"},
	} {
		code, r := 0, Report{}
		to := c.fault.start(t)
		ran.Go(func() { code, r = run(t, options(to)) }) // they wait most of their time: all at once
		judged = append(judged, func() {
			failed, observed := of(r, Fail), of(r, Observation)
			if (code == ExitFault) != (len(c.fails) > 0) {
				t.Errorf("%s: exit %d, failed %v", name, code, failed)
			}
			for _, id := range c.fails {
				if !slices.Contains(failed, id) {
					t.Errorf("%s: %s isn't found; failed %v", name, id, failed)
				}
			}
			for _, id := range c.holds {
				if slices.Contains(failed, id) {
					t.Errorf("%s: %s is blamed; failed %v", name, id, failed)
				}
			}
			for _, id := range c.seen {
				if !slices.Contains(observed, id) {
					t.Errorf("%s: %s isn't observed; observed %v", name, id, observed)
				}
			}
			first := append(slices.Clone(c.fails), c.seen...)
			for _, x := range r.Results {
				if len(first) > 0 && x.ID == first[0] && !strings.Contains(x.Why, c.says) {
					t.Errorf("%s: %s says %q, want %q", name, x.ID, x.Why, c.says)
				}
			}
			if c.fault.noUDP && (len(of(r, Skip)) != 6 || r.Transport != "tcp") {
				t.Errorf("%s: skipped %v over %s, want what is UDP's", name, of(r, Skip), r.Transport)
			}
		})
	}
	ran.Wait()
	for _, judge := range judged {
		judge()
	}
}

func pick[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// noneForR writes RNone where the message has no R, as one receiver did.
func noneForR(f dc09.Frame, b []byte) []byte {
	if f.Receiver != nil {
		return b
	}
	return again(b, func(s string) string { return strings.Replace(s, f.Sequence, f.Sequence+"RNone", 1) })
}

func decimalLength(f dc09.Frame, b []byte) []byte {
	if f.Form == dc09.ASCII {
		n := strconv.Itoa(1000 + len(body(b)))
		copy(b[6:9], n[1:])
	}
	return b
}

func TestUsageAndNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(keyText+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := (&receiver{}).start(t)
	for name, c := range map[string]struct {
		change func(*Options)
		code   int
		says   string
	}{
		"no port":             {func(o *Options) { o.To = "receiver" }, ExitUsage, "HOST:PORT"},
		"no accounts":         {func(o *Options) { o.Account, o.Key, o.PlainAccount = "", "", "" }, ExitUsage, "--plain-account"},
		"account without key": {func(o *Options) { o.Key = "" }, ExitUsage, "an account without a key is --plain-account"},
		"key without account": {func(o *Options) { o.Account = "" }, ExitUsage, "want --account with it"},
		"bad account":         {func(o *Options) { o.PlainAccount = "XY" }, ExitUsage, "3 to 16 hex digits"},
		"bad key":             {func(o *Options) { o.Key = "secret" }, ExitUsage, "--key: dc09: key, want 32"},
		"two keys":            {func(o *Options) { o.KeyFile = file }, ExitUsage, "want one of them"},
		"tls and udp":         {func(o *Options) { o.Via.TLS, o.Via.UDP = true, true }, ExitUsage, "want one of them"},
		"no time":             {func(o *Options) { o.Timeout = 0 }, ExitUsage, "positive duration"},
		"nobody there":        {func(o *Options) { o.To = "127.0.0.1:1" }, ExitNobody, "connection refused"},
		"nobody knows them":   {func(o *Options) { o.Account, o.PlainAccount, o.Timeout = "AAAA", "BBBB", 100*time.Millisecond }, ExitNobody, "nobody answered"},
		"nobody knows them, UDP": {func(o *Options) {
			o.Account, o.PlainAccount, o.Timeout, o.Via.UDP = "AAAA", "BBBB", 100*time.Millisecond, true
		}, ExitNobody, "nobody answered"},
	} {
		o := options(to)
		c.change(&o)
		var out, errOut bytes.Buffer
		if code := Command(t.Context(), o, &out, &errOut); code != c.code || !strings.Contains(errOut.String(), c.says) || strings.Contains(errOut.String(), "secret") {
			t.Errorf("%s: exit %d, want %d; %s", name, code, c.code, &errOut)
		}
	}
}

// TestWrongAccounts: what was given wrongly here is said once, not blamed on each clause.
func TestWrongAccounts(t *testing.T) {
	t.Parallel()
	to := (&receiver{}).start(t)
	o := options(to)
	o.Key = "text:another key, 16b"
	code, r := run(t, o)
	if failed := of(r, Fail); code != ExitFault || !slices.Equal(failed, []string{"encrypted"}) || r.Passed < 40 || !strings.Contains(r.Results[0].Why, "is the key here") {
		t.Errorf("wrong key: exit %d, failed %v, %d passed, clock %q", code, failed, r.Passed, r.Results[0].Why)
	}
	o.PlainAccount = ""
	if code, r := run(t, o); code != ExitFault || r.Failed != 1 || r.Passed > 0 {
		t.Errorf("only a wrong key: exit %d, failed %v, passed %v", code, of(r, Fail), of(r, Pass))
	}
	o = options(to)
	o.PlainAccount, o.Timeout = "9999", 200*time.Millisecond
	if code, r := run(t, o); code != ExitFault || !slices.Equal(of(r, Fail), []string{"ack-plain", "ack-contact-id", "ack-null"}) || r.Passed < 40 {
		t.Errorf("unknown plain account: exit %d, failed %v, %d passed", code, of(r, Fail), r.Passed)
	}
}

// TestTextForPeople: a fault shows its clause, what was sent, expected and came.
func TestTextForPeople(t *testing.T) {
	t.Parallel()
	o := options((&receiver{answer: replaced("#"+plainNumber, "#5678CE")}).start(t))
	o.JSON, o.Account, o.Key, o.KeyFile = false, "", "", ""
	var out, errOut bytes.Buffer
	if code := Command(t.Context(), o, &out, &errOut); code != ExitFault {
		t.Errorf("exit %d, %s", code, &errOut)
	}
	for _, want := range []string{"FAIL        must  ack-plain", "clause    DC-09-2013 draft", `why       account "5678CE", want "5678CD"`, "sent      0A", `expected  "ACK"0001L0#5678CD[]`,
		"SKIP        must  encrypted", "(--account with --key)", " failed, "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%.3000s", want, &out)
		}
	}
}
