package intake

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/seal"
)

// contentOf is what a frame says without a key: encrypted, its hex.
func contentOf(f dc09.Frame) dc09.Content {
	if !f.Encrypted {
		if c, err := f.Open(nil, nil); err == nil {
			return c
		}
	}
	return dc09.Content{Data: []byte(f.Body)}
}

// TestUnknownAccountIsAnsweredBySetting: silence by default, ack and duh by
// setting; what two panels could have sent gets silence under every setting.
func TestUnknownAccountIsAnsweredBySetting(t *testing.T) {
	plain := sent{token: "SIA-DCS", account: "F00D", blocks: "[#F00D|Nri1/BA1]"}
	secret := sent{token: "SIA-DCS", account: "F00D", blocks: "[#F00D|Nri1/BA1]", key: panelKey}
	poll := sent{token: "NULL", account: "F00D", blocks: "[]"}
	twice := sent{token: "SIA-DCS", account: "DDDD", blocks: "[#DDDD|Nri1/BA1]"}
	for _, tt := range []struct {
		set    UnknownAnswer
		sent   sent
		late   bool
		token  string
		stored entry.Answer
		reason dc09.Reason
	}{
		{"", plain, false, "", entry.AnswerSilence, dc09.ReasonUnknown},
		{UnknownSilence, plain, false, "", entry.AnswerSilence, dc09.ReasonUnknown},
		{UnknownACK, plain, false, "ACK", entry.AnswerACK, dc09.ReasonUnknown},
		{UnknownACK, plain, true, "", entry.AnswerACK, dc09.ReasonUnknown},
		{UnknownDUH, plain, false, "DUH", entry.AnswerDUH, dc09.ReasonUnknown},
		{UnknownSilence, secret, false, "", entry.AnswerSilence, dc09.ReasonUnknown},
		{UnknownACK, secret, false, "DUH", entry.AnswerDUH, dc09.ReasonUnknown},
		{UnknownACK, poll, false, "ACK", entry.AnswerACK, dc09.ReasonUnknown},
		{UnknownSilence, poll, false, "", entry.AnswerSilence, dc09.ReasonUnknown},
		{UnknownACK, twice, false, "", entry.AnswerSilence, dc09.ReasonAmbiguous},
		{UnknownDUH, twice, false, "", entry.AnswerSilence, dc09.ReasonAmbiguous},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := &store{day: seal.NewKey(), late: tt.late}
			in, _ := newIntake(t, st, true)
			in.cfg.Unknown = tt.set
			f := tt.sent.frame(t, time.Now())
			answer, got := in.Handle(t.Context(), f, from).Answer, ""
			if answer != nil {
				a, err := dc09.ParseFrame(answer)
				if err != nil {
					t.Fatal(err)
				}
				got = a.Token
			}
			if len(answer) > len(f.Raw) {
				t.Errorf("setting %q: an answer of %d bytes to %d of a stranger", tt.set, len(answer), len(f.Raw))
			}
			list := opened(t, st, st.day)
			if got != tt.token || len(list) != 1 || list[0].Answer != tt.stored || list[0].Reason != string(tt.reason) {
				t.Errorf("setting %q, %s %s: answered %q, stored %+v; want %q, one of answer %s and reason %s", tt.set, tt.sent.token, tt.sent.account, got, list, tt.token, tt.stored, tt.reason)
			}
		})
	}
}

// TestStrangersPollsAreHeldOnceAnHour: enough to see that the panel is there.
func TestStrangersPollsAreHeldOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		poll := sent{token: "NULL", account: "F00D", blocks: "[]"}
		for range 130 {
			in.Handle(t.Context(), poll.frame(t, time.Now()), from)
			time.Sleep(time.Minute)
		}
		if len(st.records) != 3 {
			t.Errorf("%d of 130 polls held in 130 minutes, want 3", len(st.records))
		}
		for i := range maxStrangers + 500 {
			in.Handle(t.Context(), sent{token: "NULL", account: fmt.Sprintf("%06X", i), blocks: "[]"}.frame(t, time.Now()), from)
		}
		if n := len(in.polls.last); n > maxStrangers {
			t.Errorf("%d strangers remembered, want at most %d", n, maxStrangers)
		}
	})
}
