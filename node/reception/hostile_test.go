package reception

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// desk knows the accounts that begin with A, in its own way: AAA is acknowledged,
// ADD is refused for its time; BBB has another key, all others are nobody's.
type desk struct{}

func (desk) Handle(_ context.Context, f dc09.Frame, _ Source) Verdict {
	switch {
	case f.Account == "ADD":
		return Verdict{Answer: f.AppendNAK(nil, time.Now()), Word: WordNAK, Reason: dc09.ReasonTime, Panel: "p"}
	case strings.HasPrefix(f.Account, "A"):
		return Verdict{Answer: f.AppendACK(nil, nil, time.Now()), Word: WordACK, Panel: "p", Known: true}
	case f.Account == "BBB":
		return Verdict{Answer: f.AppendDUH(nil), Word: WordDUH, Reason: dc09.ReasonUndecryptable, Panel: "b"}
	}
	return Verdict{Word: WordSilence, Reason: dc09.ReasonUnknown}
}

// open serves with limits that hold for this machine too, and with a log that is kept.
func open(t *testing.T, cfg Config, limits strangers.Config) (*Reception, *kept) {
	t.Helper()
	e, k := env.Quiet(1), &kept{}
	e.Log = slog.New(slog.NewTextHandler(k, nil))
	r, err := New(cfg, desk{}, strangers.New(limits), e)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, r)
	return r, k
}

// kept is a log.
type kept struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(p)
}

func (k *kept) lines(with string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for line := range strings.Lines(k.b.String()) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

// dial is a connection from an address of this machine's.
func dial(t *testing.T, r *Reception, transport, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 2 * time.Second}
	network := "tcp"
	if transport == UDP {
		network, d.LocalAddr = "udp", &net.UDPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial(network, r.AddressOf("main", transport).String())
	if errors.Is(err, syscall.ECONNRESET) { // refused before we were told of the connection
		if c, err = net.Dial("udp", "127.0.0.1:9"); err == nil {
			c.Close() // what a closed one says
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	return c
}

// said is what comes back until the other side closes.
func said(t *testing.T, c net.Conn, send string) string {
	t.Helper()
	_, _ = io.WriteString(c, send) // the other side may close while we still write
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("%q: %v, want an end", send, err)
	}
	return string(b)
}

// asks sends a frame and returns the answer's token; empty for silence.
func asks(t *testing.T, c net.Conn, account string) string {
	t.Helper()
	if _, err := c.Write(frame(t, account, dc09.ASCII)); err != nil {
		return ""
	}
	b := make([]byte, 500)
	n, err := c.Read(b)
	if err != nil {
		return ""
	}
	f, err := dc09.ParseFrame(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	return f.Token
}

func (r *Reception) counted(reason string) func() bool {
	return func() bool { return testutil.ToFloat64(r.metrics.refused.WithLabelValues(reason)) > 0 }
}

// Scanners are closed without a word, counted by what they speak, and leave nothing
// in the log.
func TestRow30_ScannersAreClosedSilentlyAndCounted(t *testing.T) {
	r, log := open(t, on("127.0.0.1:0"), friendly())
	for _, lead := range []string{"", "\x00", "\r\n\x00"} {
		for _, scan := range []struct{ send, kind string }{
			{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"},
			{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls"},
			{"INVITE sip:x SIP/2.0\r\n\r\n", "sip"},
			{"OPTIONS sip:nm SIP/2.0\r\n", "http"}, // as HTTP has it too
			{"ZBXD\x01\x10\x00\x00\x00", "zabbix"},
			{"\x00\x00\x00\x85\xffSMB\x72\x00", "smb"},
			{"\x03\x00\x00\x13\x0e\xe0\x00\x00", "rdp"},
			{"SSH-2.0-Go\r\n", "ssh"},
			{"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", "unknown"},
		} {
			before := testutil.ToFloat64(r.metrics.foreign.WithLabelValues(scan.kind))
			if got := said(t, dial(t, r, TCP, "127.0.0.1"), lead+scan.send); got != "" {
				t.Errorf("%q was answered %q", lead+scan.send, got)
			}
			if n := testutil.ToFloat64(r.metrics.foreign.WithLabelValues(scan.kind)) - before; n != 1 {
				t.Errorf("%q: %v more of %s, want one", lead+scan.send, n, scan.kind)
			}
		}
	}
	if n := log.lines("level"); n > 2 {
		t.Errorf("%d lines in the log, want those of the start only", n)
	}
}

// What other panels speak is named in the log, as somebody waits for their alarms:
// once an hour, however often it comes. Visonic frames as DC-09 does, with a token
// of its own, which the handler gets to see.
func TestRow31_OtherPanelProtocolsAreNamed(t *testing.T) {
	r, log := open(t, on("127.0.0.1:0"), friendly())
	for range 5 {
		for _, send := range []string{"\x05\x01\x81\x59\x68", "F#001234", "SR0001L0001    001465XX    [ID12345]", "\n01010010\"XSIA\"0001L0#1[]\r"} {
			c := dial(t, r, TCP, "127.0.0.1")
			if _, err := io.WriteString(c, send); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := said(t, c, ""); got != "" {
				t.Errorf("%q was answered %q", send, got)
			}
		}
	}
	for kind, want := range map[string]float64{"galaxy-sia": 10, "aritech-oh": 10} {
		if got := testutil.ToFloat64(r.metrics.foreign.WithLabelValues(kind)); got != want {
			t.Errorf("%s counted %v times, want %v", kind, got, want)
		}
		if n := log.lines("protocol=" + kind); n != 1 || log.lines("not DC-09") != 2 {
			t.Errorf("%s: %d lines, want one", kind, n)
		}
	}
}

// Half a frame and a trickle are let go when the frame's time is over, whoever sends
// them, and what begins a frame and never ends finds an end of the buffer.
func TestRow33_HalfFramesEnd(t *testing.T) {
	cfg := on("127.0.0.1:0")
	cfg.FrameTime = 150 * time.Millisecond
	r, _ := open(t, cfg, strangers.Config{})
	c := dial(t, r, TCP, "127.0.0.2")
	if got := asks(t, c, "AAA"); got != "ACK" { // a known panel's
		t.Fatalf("answered %q", got)
	}
	if got := said(t, c, string(frame(t, "AAA", dc09.ASCII)[:20])); got != "" || !r.counted(reasonFrameTime)() {
		t.Errorf("half a frame was answered %q, or not counted", got)
	}
	c = dial(t, r, TCP, "127.0.0.3")
	if got := said(t, c, "\n12340FFF\""+strings.Repeat("x", 3*dc09.MaxFrame)); got != "" || !r.counted("oversize")() {
		t.Errorf("an endless frame was answered %q, or not counted", got)
	}
}

// A known panel at another address is served while a scanner is banned, and the
// scanner gets nothing, not even with a known account.
func TestScannerIsBannedAndOthersAreNot(t *testing.T) {
	core := strangers.New(strangers.Config{})
	r, err := New(on("127.0.0.1:0"), desk{}, core, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, r)
	for range 4 {
		said(t, dial(t, r, TCP, "127.0.0.2"), "GET / HTTP/1.1\r\n\r\n")
	}
	if got := said(t, dial(t, r, TCP, "127.0.0.2"), string(frame(t, "AAA", dc09.ASCII))); got != "" || !r.counted("banned")() {
		t.Errorf("banned, and answered %q", got)
	}
	if got := asks(t, dial(t, r, TCP, "127.0.0.3"), "AAA"); got != "ACK" {
		t.Errorf("another address is answered %q", got)
	}
	if got := asks(t, dial(t, r, UDP, "127.0.0.2"), "AAA"); got != "ACK" {
		t.Errorf("a datagram is answered %q: a ban is for connections", got)
	}
	if n := testutil.ToFloat64(r.metrics.bans.WithLabelValues("not_dc09")); n != 1 {
		t.Errorf("%v bans counted, want one", n)
	}
	core.Lift(netip.MustParsePrefix("127.0.0.2/32"), time.Now())
	if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "AAA"); got != "ACK" {
		t.Errorf("lifted, and answered %q", got)
	}
}

// Whatever datagrams come with an address, it is not banned: it may be forged.
func TestDatagramsLeadToNoBan(t *testing.T) {
	core := strangers.New(strangers.Config{})
	r, err := New(on("127.0.0.1:0"), desk{}, core, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{}
	r.Observe(w)
	serve(t, r)
	bad := string(frame(t, "AAA", dc09.ASCII))
	bad = bad[:1] + "FFFF" + bad[5:]
	c := dial(t, r, UDP, "127.0.0.2")
	for range 200 {
		for _, send := range []string{"GET / HTTP/1.1\r\n", "\x16\x03\x01", bad, "\n", string(frame(t, "999", dc09.ASCII)), string(frame(t, "BBB", dc09.ASCII))} {
			if _, err := io.WriteString(c, send); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(t, r.counted("not_dc09"))
	await(t, r.counted("bad_crc"))
	await(t, w.has("udp silence unknown_account 999"))
	if b := core.Bans(time.Now()); len(b) > 0 {
		t.Errorf("bans by datagrams: %+v", b)
	}
	if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "AAA"); got != "ACK" {
		t.Errorf("its connection is answered %q", got)
	}
}

// A scanner behind the address of a known panel keeps neither it nor its neighbours
// out, by TCP or UDP.
func TestScannerBehindAKnownPanelsAddress(t *testing.T) {
	for _, transport := range []string{TCP, UDP} {
		r, _ := open(t, on("127.0.0.1:0"), strangers.Config{})
		if got := asks(t, dial(t, r, transport, "127.0.0.2"), "AAA"); got != "ACK" {
			t.Fatalf("answered %q", got)
		}
		for range 20 {
			said(t, dial(t, r, TCP, "127.0.0.2"), "GET / HTTP/1.1\r\n\r\n")
		}
		if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "AAB"); got != "ACK" {
			t.Errorf("known by %s: a neighbour is answered %q", transport, got)
		}
	}
}

// A panel that isn't entered, or has a wrong key or clock, is not banned while its
// installer tries: it stays answered as the table says.
func TestInstallersTroubleIsNotHostile(t *testing.T) {
	r, _ := open(t, on("127.0.0.1:0"), strangers.Config{})
	for _, account := range []string{"999", "BBB", "ADD"} {
		for range 50 {
			c := dial(t, r, TCP, "127.0.0.2")
			if _, err := c.Write(frame(t, account, dc09.ASCII)); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	}
	if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "BBB"); got != "DUH" {
		t.Errorf("answered %q, want DUH", got)
	}
}

// The limit of an address counts only connections that have not shown a known account.
func TestLimitOfAnAddress(t *testing.T) {
	r, _ := open(t, on("127.0.0.1:0"), strangers.Config{PerNetwork: 2})
	mute := []net.Conn{dial(t, r, TCP, "127.0.0.2"), dial(t, r, TCP, "127.0.0.2")}
	await(t, func() bool { return r.guests.Counts(time.Now()).Unknown == 2 })
	if got := said(t, dial(t, r, TCP, "127.0.0.2"), ""); got != "" || !r.counted("too_many_here")() {
		t.Errorf("the third got %q, or was not counted", got)
	}
	if got := asks(t, dial(t, r, TCP, "127.0.0.3"), "AAA"); got != "ACK" {
		t.Errorf("another address is answered %q", got)
	}
	if got := asks(t, mute[0], "AAA"); got != "ACK" {
		t.Errorf("the first is answered %q", got)
	}
	for n := range 3 { // known now: no limit
		if got := asks(t, dial(t, r, TCP, "127.0.0.2"), "AAA"); got != "ACK" {
			t.Errorf("connection %d is answered %q", n, got)
		}
	}
}

// When all places are taken, a stranger makes room for whoever comes, a panel that
// has shown its account never.
func TestFullHouse(t *testing.T) {
	r, _ := open(t, on("127.0.0.1:0"), strangers.Config{Connections: 2})
	panel := dial(t, r, TCP, "127.0.0.2")
	if got := asks(t, panel, "AAA"); got != "ACK" {
		t.Fatalf("answered %q", got)
	}
	mute := dial(t, r, TCP, "127.0.0.3")
	await(t, func() bool { return r.guests.Counts(time.Now()).Open == 2 })
	second := dial(t, r, TCP, "127.0.0.4")
	if got := asks(t, second, "AAA"); got != "ACK" {
		t.Errorf("the newcomer is answered %q", got)
	}
	if got := said(t, mute, ""); got != "" || !r.counted(reasonRoom)() {
		t.Errorf("the mute one got %q, or was not counted", got)
	}
	if got := said(t, dial(t, r, TCP, "127.0.0.5"), string(frame(t, "AAA", dc09.ASCII))); got != "" || !r.counted("too_many_connections")() {
		t.Errorf("all places are panels', and the next got %q", got)
	}
	if a, b := asks(t, panel, "AAA"), asks(t, second, "AAA"); a != "ACK" || b != "ACK" {
		t.Errorf("the panels are answered %q and %q", a, b)
	}
}

// Who shows no known account is let go after the strangers' time, frames or not; a
// known panel may be silent for longer.
func TestStrangersTime(t *testing.T) {
	cfg := on("127.0.0.1:0")
	cfg.StrangerTime = 200 * time.Millisecond
	r, _ := open(t, cfg, strangers.Config{})
	panel := dial(t, r, TCP, "127.0.0.2")
	if got := asks(t, panel, "AAA"); got != "ACK" {
		t.Fatalf("answered %q", got)
	}
	if got := said(t, dial(t, r, TCP, "127.0.0.3"), ""); got != "" || !r.counted(reasonMute)() {
		t.Errorf("a mute one got %q, or was not counted", got)
	}
	if got := said(t, dial(t, r, TCP, "127.0.0.3"), string(frame(t, "999", dc09.ASCII))); got != "" {
		t.Errorf("an unknown account got %q", got)
	}
	if got := asks(t, panel, "AAA"); got != "ACK" {
		t.Errorf("the known panel is answered %q", got)
	}
}

// Half frames fill the buffers to the limit and no further; a known panel's long
// frame is taken all the same.
func TestBuffersAreBounded(t *testing.T) {
	cfg := on("127.0.0.1:0")
	cfg.Buffered = 40_000
	r, _ := open(t, cfg, strangers.Config{})
	panel := dial(t, r, TCP, "127.0.0.2")
	if got := asks(t, panel, "AAA"); got != "ACK" {
		t.Fatalf("answered %q", got)
	}
	half := "\n12340FFF\"" + strings.Repeat("x", 3500)
	for range 12 {
		c := dial(t, r, TCP, "127.0.0.3")
		if _, err := io.WriteString(c, half); err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
	}
	await(t, r.counted(reasonBuffered))
	l := "0"
	long, err := dc09.Message{Token: "SIA-DCS", Sequence: 8, Prefix: &l, Account: "AAA", Blocks: "[#AAA|Nri1/BA001^" + strings.Repeat("y", 3000) + "^]"}.AppendFrame(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := panel.Write(long); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 500)
	if n, err := panel.Read(b); err != nil || !bytes.Contains(b[:n], []byte("ACK")) {
		t.Errorf("the panel got %q, %v", b[:n], err)
	}
}

// A frame in any form and by any transport belongs to the listener that it came by.
func TestListenersAreNamed(t *testing.T) {
	h := &echo{}
	r := run(t, Config{Listeners: []Listener{
		{Name: "main", TCP: "127.0.0.1:0", UDP: "127.0.0.1:0"}, {Name: "old", TCP: "127.0.0.1:0"}, {Name: "radio", UDP: "127.0.0.1:0"},
	}}, h)
	for _, p := range []place{{"main", TCP}, {"main", UDP}, {"old", TCP}, {"radio", UDP}} {
		c, err := net.Dial(p.transport, r.AddressOf(p.listener, p.transport).String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(frame(t, "AAA", dc09.ASCII)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 100)); err != nil {
			t.Error(err)
		}
		c.Close()
		if s := h.from[len(h.from)-1]; s.Listener != p.listener || s.Transport != p.transport {
			t.Errorf("%v arrived as %+v", p, s)
		}
	}
	if r.AddressOf("main", TCP).Port() != r.AddressOf("main", UDP).Port() || r.AddressOf("old", UDP).IsValid() {
		t.Error("want one port for TCP and UDP of main, and none for UDP of old")
	}
}
