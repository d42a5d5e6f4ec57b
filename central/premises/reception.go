package premises

import (
	"strings"

	"vedetta/wire/roster"
)

// ReceptionBody is how the receivers judge and answer a panel's messages, where
// that isn't as usual. NewReception is the usual.
type ReceptionBody struct {
	TimeWindow       bool   `json:"time_window"`       // false: any panel time is taken
	BehindSeconds    int    `json:"behind_seconds"`    // how far the panel's clock may lie behind ours
	AheadSeconds     int    `json:"ahead_seconds"`     // or ahead
	LocalTime        bool   `json:"local_time"`        // the panel writes the time of its time_zone, not UTC
	DuplicateSeconds int    `json:"duplicate_seconds"` // within which the same message again is a copy
	Answer           string `json:"answer"`            // auto, received, standard: the CRC's form in answers
	AllowPlain       bool   `json:"allow_plain"`       // plain messages are taken though there is a key
	Ack              string `json:"ack"`               // majority, local, all
	UnknownToken     string `json:"unknown_token"`     // duh, ack
	StrictAccount    bool   `json:"strict_account"`    // refuse an account that is not hex, not in the header, or another one in the block
	OpaqueAccount    bool   `json:"opaque_account"`    // the account may be 1 to 32 letters, digits, - _ and .
	Text             string `json:"text"`              // auto, windows-1252, utf-8
}

// NewReception is how every panel is judged and answered whose owner says nothing.
func NewReception() ReceptionBody {
	return ReceptionBody{TimeWindow: true, BehindSeconds: 40, AheadSeconds: 20, DuplicateSeconds: roster.DefaultDuplicateSeconds,
		Answer: roster.AnswerAuto, Ack: roster.AckMajority, UnknownToken: roster.TokenDUH, Text: roster.TextAuto}
}

// Choices of the settings that are words, in the order in which forms show them.
var (
	AnswerForms   = []string{roster.AnswerAuto, roster.AnswerReceived, roster.AnswerStandard}
	AckKinds      = []string{roster.AckMajority, roster.AckAll, roster.AckLocal}
	TokenAnswers  = []string{roster.TokenDUH, roster.TokenACK}
	TextEncodings = []string{roster.TextAuto, roster.TextWindows1252, roster.TextUTF8}
)

const (
	maxOff       = 24 * 3600 // seconds that a panel's clock may be allowed to be wrong
	minDuplicate = 10        // seconds
	maxDuplicate = 3600
)

// receptionOf is the stored panel's; nil when it is the usual.
func receptionOf(p roster.Panel) *ReceptionBody {
	if p.Reception == nil {
		return nil
	}
	r := *p.Reception
	b := NewReception()
	number := func(to *int, stored int) {
		if stored != 0 {
			*to = stored
		}
	}
	word := func(to *string, stored string) {
		if stored != "" {
			*to = stored
		}
	}
	number(&b.BehindSeconds, r.BehindSeconds)
	number(&b.AheadSeconds, r.AheadSeconds)
	number(&b.DuplicateSeconds, r.DuplicateSeconds)
	word(&b.Answer, r.Answer)
	word(&b.Ack, r.Ack)
	word(&b.UnknownToken, r.UnknownToken)
	word(&b.Text, r.Text)
	b.TimeWindow, b.LocalTime, b.AllowPlain = !r.NoWindow, r.LocalTime, r.AllowPlain
	b.StrictAccount, b.OpaqueAccount = r.StrictAccount, r.OpaqueAccount
	if b == NewReception() {
		return nil
	}
	return &b
}

// stored is what the roster document has of it: what is as usual is left out.
func (b *ReceptionBody) stored() roster.Reception {
	if b == nil {
		return roster.Reception{}
	}
	usual := NewReception()
	number := func(n, usual int) int {
		if n == usual {
			return 0
		}
		return n
	}
	word := func(s, usual string) string {
		if s == usual {
			return ""
		}
		return s
	}
	return roster.Reception{NoWindow: !b.TimeWindow, BehindSeconds: number(b.BehindSeconds, usual.BehindSeconds), AheadSeconds: number(b.AheadSeconds, usual.AheadSeconds),
		LocalTime: b.LocalTime, DuplicateSeconds: number(b.DuplicateSeconds, usual.DuplicateSeconds), Answer: word(b.Answer, usual.Answer), AllowPlain: b.AllowPlain,
		Ack: word(b.Ack, usual.Ack), UnknownToken: word(b.UnknownToken, usual.UnknownToken), StrictAccount: b.StrictAccount, OpaqueAccount: b.OpaqueAccount, Text: word(b.Text, usual.Text)}
}

func (b *ReceptionBody) faults(f *Faults) {
	if b == nil {
		return
	}
	span := func(field string, n, least, most int) {
		if n < least || n > most {
			f.Add("reception."+field, "range", least, most)
		}
	}
	span("behind_seconds", b.BehindSeconds, 1, maxOff)
	span("ahead_seconds", b.AheadSeconds, 1, maxOff)
	span("duplicate_seconds", b.DuplicateSeconds, minDuplicate, maxDuplicate)
	for _, w := range []struct {
		field, value string
		of           []string
	}{{"answer", b.Answer, AnswerForms}, {"ack", b.Ack, AckKinds}, {"unknown_token", b.UnknownToken, TokenAnswers}, {"text", b.Text, TextEncodings}} {
		if !contains(w.of, w.value) {
			f.Add("reception."+w.field, "one_of", strings.Join(w.of, ", "))
		}
	}
	if b.StrictAccount && b.OpaqueAccount {
		f.Add("reception.opaque_account", "strict_or_opaque")
	}
}

// warnings are what weakens the promise or the protection of a panel.
func (b *ReceptionBody) warnings(f *Faults, keyed bool) {
	if b == nil {
		return
	}
	if b.Ack == roster.AckLocal {
		f.Add("reception.ack", "ack_local")
	}
	if keyed && b.AllowPlain {
		f.Add("reception.allow_plain", "plain_allowed")
	}
	if keyed && !b.TimeWindow {
		f.Add("reception.time_window", "window_off")
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
