package watch

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedetta/wire/dc09"
)

//go:embed words/*.json
var wordFiles embed.FS

// texts are the sentences of a language by their keys; the files are part of
// the program, and a test reads them.
var texts = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, language := range []string{"en", "it"} {
		b, err := wordFiles.ReadFile("words/" + language + ".json")
		if err == nil {
			one := map[string]string{}
			err = json.Unmarshal(b, &one)
			all[language] = one
		}
		if err != nil {
			panic(fmt.Sprintf("watch: words of %s: %v", language, err))
		}
	}
	return all
})

// Explain fills in what became of an attempt and what to do, by its reason and
// its evidence. It may be called again when more is known.
func Explain(a *Attempt) {
	what, do := sentences(a)
	a.What, a.WhatIt = what.say("en"), what.say("it")
	a.Do, a.DoIt = do.say("en"), do.say("it")
}

// sentence is a key with what stands in its places; an empty key is no sentence.
type sentence struct {
	key  string
	args []func(language string) string
}

func (s sentence) say(language string) string {
	if s.key == "" {
		return ""
	}
	text := texts()[language][s.key]
	for i, arg := range s.args {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", arg(language))
	}
	return text
}

func same(text string) func(string) string { return func(string) string { return text } }

func word(key string) func(string) string {
	return func(language string) string { return texts()[language][key] }
}

// pair are the two sentences of one key.
func pair(key string, args ...func(string) string) (what, do sentence) {
	what, do = sentence{key + ".what", args}, sentence{key + ".do", args}
	if _, ok := texts()["en"][do.key]; !ok {
		do = sentence{}
	}
	return what, do
}

func sentences(a *Attempt) (what, do sentence) {
	if a.Answer == "ack" {
		return taken(a)
	}
	e := a.Evidence
	switch reason := dc09.Reason(a.Reason); reason {
	case dc09.ReasonUndecryptable, dc09.ReasonNoKey, dc09.ReasonPlain:
		return aboutKey(a, reason)
	case dc09.ReasonTime:
		return aboutTime(a)
	case dc09.ReasonUnknown:
		return aboutAccount(a)
	case dc09.ReasonUnknownToken, dc09.ReasonNotAMessage:
		return pair(a.Reason, same(tokenOf(a)))
	case dc09.ReasonCRC:
		received, computed := or(e.CRCReceived, "?"), or(e.CRCComputed, "?")
		if e.CRCOther != nil {
			return pair("bad_crc_other", same(received), same(computed), same(""), same(*e.CRCOther))
		}
		return pair("bad_crc", same(received), same(computed), same(strings.Join(e.CRCTried, ", ")))
	case dc09.ReasonMalformed:
		return pair(a.Reason, same(or(e.Protocol, "?")))
	case dc09.ReasonForeign:
		switch p := or(e.Protocol, "unknown"); p {
		case "tls":
			return pair("tls")
		case "plain-on-tls":
			return pair("not_tls")
		case "unknown":
			return pair(a.Reason, word("protocol_unknown"))
		default:
			return pair(a.Reason, same(p))
		}
	}
	if _, ok := texts()["en"][a.Reason+".what"]; ok {
		return pair(a.Reason)
	}
	return pair("other", same(a.Reason))
}

func taken(a *Attempt) (what, do sentence) {
	switch {
	case a.Unsent:
		return pair("unsent")
	case a.Copy != nil && *a.Copy:
		return pair("copy")
	case a.Reason == "poll" && a.Decoded != nil && !a.Decoded.Encrypted:
		return pair("poll_plain")
	case a.Reason == string(dc09.ReasonUnknownToken):
		return pair("unknown_token_ack", same(tokenOf(a)))
	case a.Reason == "poll":
		return pair("poll")
	}
	return pair("stored")
}

func aboutKey(a *Attempt, reason dc09.Reason) (what, do sentence) {
	e := a.Evidence
	key := func(language string) string {
		if e.KeyBits == nil || e.KeyCheck == nil {
			return "-"
		}
		return sentence{"key", []func(string) string{same(strconv.Itoa(*e.KeyBits)), same(*e.KeyCheck)}}.say(language)
	}
	switch {
	case reason == dc09.ReasonPlain:
		return pair(a.Reason, key)
	case a.Decoded != nil && slices.Contains(a.Decoded.Quirks, "asterisk-but-plain-text"):
		return pair("undecryptable_plain")
	case e.KeyOpens != nil && *e.KeyOpens:
		return pair("undecryptable_now", key)
	case e.KeyAs != nil:
		return pair("undecryptable_" + *e.KeyAs)
	case e.KeyBits == nil:
		return pair(string(dc09.ReasonNoKey))
	}
	return pair(string(dc09.ReasonUndecryptable), key)
}

// aboutTime tells the slips of clocks apart: the zone (whole or half hours), the
// date (more than a day), and what is left, a clock that drifts.
func aboutTime(a *Attempt) (what, do sentence) {
	if a.Evidence.ClockSeconds == nil || a.Decoded == nil || a.Decoded.Timestamp == nil {
		return pair("time_none")
	}
	off := time.Duration(*a.Evidence.ClockSeconds * float64(time.Second))
	key := "time_ahead"
	if off < 0 {
		key, off = "time_behind", -off
	}
	said := same(time.Time(*a.Decoded.Timestamp).UTC().Format("15:04:05 UTC, 02.01.2006"))
	what = sentence{key + ".what", []func(string) string{said, func(language string) string { return span(language, off) }}}
	const quarter, slack = 15 * time.Minute, time.Minute
	rest := off % quarter
	switch {
	case off > 26*time.Hour:
		do.key = "time_date.do"
	case off >= 2*quarter-slack && (rest < slack || rest > quarter-slack):
		do.key = "time_zone.do"
	default:
		do.key = "time_drift.do"
	}
	return what, do
}

func aboutAccount(a *Attempt) (what, do sentence) {
	e := a.Evidence
	account := "?"
	if a.Decoded != nil {
		account = or(a.Decoded.Account, "?")
	}
	switch {
	case a.Relation == Own:
		return pair("unknown_now")
	case a.Relation == Address:
		return pair("unknown_address", same(account))
	case e.Expected == nil:
		return pair("unknown_any", same(account))
	case slices.Contains(e.Differs, "account"):
		return pair("unknown_account", same(account), same(*e.Expected))
	case slices.Contains(e.Differs, "prefix"), slices.Contains(e.Differs, "receiver"):
		return pair("unknown_other", word(e.Differs[0]+".word"))
	case slices.Contains(e.Differs, "listener"):
		return pair("unknown_listener", same(a.Listener))
	}
	return pair("unknown_any", same(account))
}

func tokenOf(a *Attempt) string {
	if a.Decoded == nil {
		return "?"
	}
	return a.Decoded.Token
}

func or(s *string, none string) string {
	if s == nil {
		return none
	}
	return *s
}

// span is a length of time in its two greatest units, as "2 h 0 min".
func span(language string, d time.Duration) string {
	d = d.Round(time.Second)
	units := []struct {
		key string
		len time.Duration
	}{{"span.day", 24 * time.Hour}, {"span.hour", time.Hour}, {"span.minute", time.Minute}, {"span.second", time.Second}}
	var parts []string
	for _, u := range units {
		n := d / u.len
		if n == 0 && len(parts) == 0 && u.len > time.Second {
			continue
		}
		d -= n * u.len
		parts = append(parts, sentence{u.key, []func(string) string{same(strconv.Itoa(int(n)))}}.say(language))
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}
