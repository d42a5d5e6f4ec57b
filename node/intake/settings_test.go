package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
)

var nextKey, formerKey = []byte("next key, 16 byt"), []byte("former key of 24 bytes..")

// one is an intake whose only panel of interest has the account F1F1.
func one(t *testing.T, st *store, key []byte, set doc.Reception, zone string) (*Intake, seal.Key) {
	t.Helper()
	return newIntake(t, st, true, doc.Panel{ID: "p-set", Account: "F1F1", Key: key, TimeZone: zone, Reception: &set})
}

// answered is the token of what the panel got, empty for silence.
func answered(t *testing.T, in *Intake, f dc09.Frame, key []byte) (token string, answer dc09.Frame, content dc09.Content) {
	t.Helper()
	a := in.Handle(t.Context(), f, from).Answer
	if a == nil {
		return "", answer, content
	}
	answer, err := dc09.ParseFrame(a)
	if err != nil {
		t.Fatal(err)
	}
	var c *dc09.Cipher
	if answer.Encrypted {
		if c, err = dc09.NewCipher(key); err != nil {
			t.Fatal(err)
		}
	}
	if content, err = answer.Open(nil, c); err != nil {
		t.Fatalf("the answer doesn't open with the key of the question: %v", err)
	}
	return answer.Token, answer, content
}

func last(t *testing.T, st *store, key seal.Key) entry.Message {
	t.Helper()
	if len(st.records) == 0 {
		t.Fatal("nothing stored")
	}
	r := st.records[len(st.records)-1]
	b, err := seal.Open(key, r.Header, r.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := entry.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTimeWindowOfAPanel: its own bounds, or none; a NAK has our time.
func TestTimeWindowOfAPanel(t *testing.T) {
	for _, c := range []struct {
		set  doc.Reception
		at   time.Duration
		want string
	}{
		{doc.Reception{}, -41 * time.Second, "NAK"},
		{doc.Reception{}, 21 * time.Second, "NAK"},
		{doc.Reception{BehindSeconds: 120}, -119 * time.Second, "ACK"},
		{doc.Reception{BehindSeconds: 120}, -121 * time.Second, "NAK"},
		{doc.Reception{BehindSeconds: 120}, 21 * time.Second, "NAK"},
		{doc.Reception{AheadSeconds: 60}, 59 * time.Second, "ACK"},
		{doc.Reception{AheadSeconds: 5}, 6 * time.Second, "NAK"},
		{doc.Reception{NoWindow: true}, -10 * 365 * 24 * time.Hour, "ACK"},
	} {
		synctest.Test(t, func(t *testing.T) {
			in, _ := one(t, &store{}, panelKey, c.set, "UTC")
			f := sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]", key: panelKey, at: c.at}.frame(t, time.Now())
			got, _, content := answered(t, in, f, panelKey)
			if got != c.want || !content.Time.Equal(time.Now().UTC()) {
				t.Errorf("%+v at %s: %s with %s, want %s with our time", c.set, c.at, got, content.Time, c.want)
			}
		})
	}
}

// A panel without a window may have a clock that stands at no year that an entry
// can hold: its message is stored all the same.
func TestNoWindowTakesAnyYear(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		zone string
		kept bool
	}{
		{time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), "", false},
		{time.Date(1, 1, 1, 0, 10, 0, 0, time.UTC), "Europe/Rome", false},
		{time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC), "America/New_York", false},
		{time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), "", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := &store{}
			in, key := one(t, st, panelKey, doc.Reception{NoWindow: true, LocalTime: c.zone != ""}, c.zone)
			f := sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]", key: panelKey}.frame(t, c.at)
			if got, _, _ := answered(t, in, f, panelKey); got != "ACK" {
				t.Fatalf("%s in %q: %q, want an ACK", c.at, c.zone, got)
			}
			if m := last(t, st, key); (m.Timestamp != nil) != c.kept || len(m.Raw) == 0 {
				t.Errorf("%s in %q: kept as %v, want it kept: %t", c.at, c.zone, m.Timestamp, c.kept)
			}
		})
	}
}

// TestRow17_LocalTimePanel: its time is of its zone, kept as UTC; what it gets back
// is its own clock's. In the hour that comes twice the right one is taken.
func TestRow17_LocalTimePanel(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []time.Time{
		time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), // 02:30 twice
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(now))
			st := &store{}
			in, key := one(t, st, panelKey, doc.Reception{LocalTime: true}, "Europe/Rome")
			_, offset := now.In(rome).Zone()
			local := time.Duration(offset) * time.Second
			f := sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]", key: panelKey, at: local}.frame(t, now)
			if got, _, c := answered(t, in, f, panelKey); got != "ACK" || !c.Time.Equal(now.Add(local)) {
				t.Errorf("at %s: %s with %s, want an ACK with %s", now, got, c.Time, now.Add(local))
			}
			if m := last(t, st, key); m.Timestamp == nil || !m.Timestamp.Equal(now) || m.Zone != "Europe/Rome" {
				t.Errorf("kept %v in %q, want %s", m.Timestamp, m.Zone, now)
			}
			f = sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]", key: panelKey, at: local - time.Minute}.frame(t, now)
			if got, _, c := answered(t, in, f, panelKey); got != "NAK" || !c.Time.Equal(now.Add(local)) {
				t.Errorf("a minute behind: %s with %s, want a NAK with the panel's own %s", got, c.Time, now.Add(local))
			}
		})
	}
}

// TestRule08_LocalAndAll: local waits for nobody but the own disk, all for every
// site; both obey readiness.
func TestRule08_LocalAndAll(t *testing.T) {
	for ack, want := range map[string]struct {
		waited, all, flushed int
		token                string
	}{doc.AckLocal: {0, 0, 1, "ACK"}, doc.AckAll: {1, 1, 0, ""}, doc.AckMajority: {1, 0, 0, ""}, "": {1, 0, 0, ""}} {
		synctest.Test(t, func(t *testing.T) {
			st := &store{late: true}
			in, key := one(t, st, nil, doc.Reception{Ack: ack}, "UTC")
			f := sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]"}.frame(t, time.Now())
			got, _, _ := answered(t, in, f, nil)
			if got != want.token || len(st.waited) != want.waited || len(st.all) != want.all || st.flushed != want.flushed {
				t.Errorf("%q, no other site: %q, waited %v, for all %v, for the own disk %d times; want %+v", ack, got, st.waited, st.all, st.flushed, want)
			}
			if m := last(t, st, key); ack != doc.AckMajority && m.Ack != ack || ack == doc.AckMajority && m.Ack != "" {
				t.Errorf("%q: the entry says %q", ack, m.Ack)
			}
			in.parts.Ready = func() bool { return false }
			if got, _, _ := answered(t, in, f, nil); got != "" || len(st.records) != 1 {
				t.Errorf("%q, not ready: %q, %d entries", ack, got, len(st.records))
			}
		})
	}
}

// TestKeyRing: current, next and previous are taken beside one another, each is
// answered in itself, and the previous only for its time; the first use of the next
// is told once, also when it is a poll's.
func TestKeyRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{}
		until := time.Now().Add(time.Hour)
		in, key := one(t, st, panelKey, doc.Reception{NextKey: nextKey, PreviousKey: formerKey, PreviousUntilMs: until.UnixMilli()}, "UTC")
		send := func(k []byte, token string) string {
			f := sent{token: token, account: "F1F1", blocks: "[]", key: k}.frame(t, time.Now())
			got, _, _ := answered(t, in, f, k)
			return got
		}
		for _, c := range []struct {
			key   []byte
			token string
			ring  string
			taken bool
			n     int // entries stored in all
		}{
			{panelKey, "SIA-DCS", "", false, 1}, {formerKey, "SIA-DCS", "previous", false, 2}, {nextKey, "NULL", "next", true, 3},
			{nextKey, "NULL", "next", true, 3}, {nextKey, "SIA-DCS", "next", false, 4}, {panelKey, "SIA-DCS", "", false, 5},
		} {
			if got := send(c.key, c.token); got != "ACK" {
				t.Errorf("%s with %q: %q, want an ACK", c.token, c.key, got)
			}
			if m := last(t, st, key); len(st.records) != c.n || m.Key != c.ring || m.Taken != c.taken {
				t.Errorf("%s with %q: entry %d with key %q, taken %v; want %+v", c.token, c.key, len(st.records), m.Key, m.Taken, c)
			}
		}
		time.Sleep(time.Hour)
		if got := send(formerKey, "SIA-DCS"); got != "DUH" {
			t.Errorf("the previous key after its time: %q, want DUH", got)
		}
		if m := last(t, st, key); m.Reason != "undecryptable" {
			t.Errorf("its owner is told %q, want undecryptable", m.Reason)
		}
	})
}

// TestPlainBesideAKey: refused, unless it is allowed; with only a next key the
// panel is still a plain one.
func TestPlainBesideAKey(t *testing.T) {
	for name, c := range map[string]struct {
		key  []byte
		set  doc.Reception
		want string
	}{
		"a key": {panelKey, doc.Reception{}, ""}, "allowed": {panelKey, doc.Reception{AllowPlain: true}, "ACK"},
		"on its way to a key": {nil, doc.Reception{NextKey: nextKey}, "ACK"}, "no key": {nil, doc.Reception{}, "ACK"},
	} {
		in, _ := one(t, &store{}, c.key, c.set, "UTC")
		f := sent{token: "SIA-DCS", account: "F1F1", blocks: "[#F1F1|NBA1]"}.frame(t, time.Now())
		if got, _, _ := answered(t, in, f, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestFormOfAnswers is the setting for panels like Eldes, of which nobody knows.
func TestFormOfAnswers(t *testing.T) {
	for set, want := range map[string][3]dc09.Form{
		"": {dc09.ASCII, dc09.Binary, dc09.ASCII}, doc.AnswerAuto: {dc09.ASCII, dc09.Binary, dc09.ASCII},
		doc.AnswerReceived: {dc09.ASCII, dc09.Binary, dc09.ASCIICR}, doc.AnswerStandard: {dc09.ASCII, dc09.ASCII, dc09.ASCII},
	} {
		in, _ := one(t, &store{}, nil, doc.Reception{Answer: set}, "UTC")
		for form, want := range map[dc09.Form]dc09.Form{dc09.ASCII: want[0], dc09.Binary: want[1], dc09.ASCIICR: want[2]} {
			l := "0"
			b, err := dc09.Message{Form: form, Token: "NULL", Prefix: &l, Account: "F1F1"}.AppendFrame(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			f, err := dc09.ParseFrame(b)
			if err != nil {
				t.Fatal(err)
			}
			if got, a, _ := answered(t, in, f, nil); got != "ACK" || a.Form != want {
				t.Errorf("%q, %s came: %s in %s, want an ACK in %s", set, form, got, a.Form, want)
			}
		}
	}
}

// TestUnknownTokenAndStrictAccount are answered by setting; what is only told of in
// the entry stands there.
func TestUnknownTokenAndStrictAccount(t *testing.T) {
	for _, c := range []struct {
		set            doc.Reception
		token, account string
		blocks         string
		want, reason   string
		stored         int
	}{
		{doc.Reception{}, "RAD-II", "F1F1", "[#F1F1|x]", "DUH", "unknown_token", 1},
		{doc.Reception{UnknownToken: doc.TokenACK}, "RAD-II", "F1F1", "[#F1F1|x]", "ACK", "unknown_token", 1},
		{doc.Reception{}, "SIA-DCS", "F1F1", "[#AB|NBA1]", "ACK", "", 1},
		{doc.Reception{}, "SIA-DCS", "", "[#F1F1|NBA1]", "ACK", "", 1},
		{doc.Reception{StrictAccount: true}, "SIA-DCS", "F1F1", "[#F1F1|NBA1]", "ACK", "", 1},
		{doc.Reception{StrictAccount: true}, "SIA-DCS", "F1F1", "[NBA1]", "ACK", "", 1},
		{doc.Reception{StrictAccount: true}, "SIA-DCS", "F1F1", "[#AB|NBA1]", "", "", 0},
		{doc.Reception{StrictAccount: true}, "SIA-DCS", "", "[#F1F1|NBA1]", "", "", 0},
		{doc.Reception{StrictAccount: true}, "NULL", "F1F1", "[#0000|0000 00 000]", "ACK", "", 0},
	} {
		st := &store{}
		c.set.Text, c.set.DuplicateSeconds = doc.TextUTF8, 90
		in, key := one(t, st, nil, c.set, "UTC")
		f := sent{token: c.token, account: c.account, blocks: c.blocks}.frame(t, time.Now())
		if got, _, _ := answered(t, in, f, nil); got != c.want || len(st.records) != c.stored {
			t.Errorf("%+v: %q and %d entries", c, got, len(st.records))
			continue
		}
		if c.stored == 0 {
			continue
		}
		if m := last(t, st, key); m.Reason != c.reason || m.Text != doc.TextUTF8 || m.Window != 90 {
			t.Errorf("%+v: entry says %q, %q, %d", c, m.Reason, m.Text, m.Window)
		}
	}
}

// BenchmarkHandleEncryptedPoll is all of the intake that needs no disk.
func BenchmarkHandleEncryptedPoll(b *testing.B) {
	t := &testing.T{}
	in, _ := newIntake(t, &store{}, true)
	f := sent{token: "NULL", account: "AAAA", blocks: "[]", key: panelKey}.frame(t, time.Now())
	in.cfg.Behind = time.Hour
	b.ReportAllocs()
	for b.Loop() {
		if len(in.Handle(b.Context(), f, from).Answer) == 0 {
			b.Fatal("silence")
		}
	}
}

// BenchmarkHandleEncryptedEvent has everything but disk and other sites.
func BenchmarkHandleEncryptedEvent(b *testing.B) {
	t := &testing.T{}
	st := &store{}
	in, _ := newIntake(t, st, true)
	f := sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001^Front door^]", key: panelKey}.frame(t, time.Now())
	in.cfg.Behind = time.Hour
	b.ReportAllocs()
	for b.Loop() {
		st.records, st.waited = st.records[:0], st.waited[:0]
		if len(in.Handle(b.Context(), f, from).Answer) == 0 {
			b.Fatal("silence")
		}
	}
}
