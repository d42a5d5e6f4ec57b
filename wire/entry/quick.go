package entry

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"vedetta/wire/fields"
)

// Every alarm is written once and read by whoever follows: field by field, as
// encoding/json would; what it would write or read otherwise is left to it.

// appendQuick appends what json.Marshal gives; false: ask that.
func appendQuick(b []byte, m *Message) ([]byte, bool) {
	if m.Received.Location() != time.UTC || m.Received.Year() < 1 || m.Received.Year() > 9999 ||
		m.Timestamp != nil && (m.Timestamp.Location() != time.UTC || m.Timestamp.Year() < 1 || m.Timestamp.Year() > 9999) || m.Adopted != nil || m.Data == nil || m.Raw == nil {
		return b, false
	}
	good := true
	text := func(name, s string) {
		good = good && plain(s)
		b = append(append(append(append(b, name...), '"'), s...), '"')
	}
	some := func(name, s string) {
		if s != "" {
			text(name, s)
		}
	}
	maybe := func(name string, s *string) {
		if s != nil {
			text(name, *s)
		} else {
			b = append(append(b, name...), `null`...)
		}
	}
	coded := func(name string, p []byte) {
		b = base64.StdEncoding.AppendEncode(append(append(b, name...), '"'), p)
		b = append(b, '"')
	}
	b = strconv.AppendInt(append(b, `{"v":`...), int64(m.Version), 10)
	b = append(m.Received.AppendFormat(append(b, `,"received":"`...), time.RFC3339Nano), '"')
	if m.OffsetMs != 0 {
		b = strconv.AppendInt(append(b, `,"offset_ms":`...), m.OffsetMs, 10)
	}
	text(`,"listener":`, m.Listener)
	text(`,"transport":`, m.Transport)
	text(`,"peer":`, m.Peer)
	some(`,"customer":`, m.Customer)
	some(`,"panel":`, m.Panel)
	b = strconv.AppendUint(append(b, `,"roster":`...), m.RosterIndex, 10)
	text(`,"token":`, m.Token)
	b = strconv.AppendBool(append(b, `,"encrypted":`...), m.Encrypted)
	b = strconv.AppendInt(append(b, `,"seq":`...), int64(m.Sequence), 10)
	maybe(`,"receiver":`, m.Receiver)
	maybe(`,"prefix":`, m.Prefix)
	text(`,"account":`, m.Account)
	coded(`,"data":`, m.Data)
	for i, x := range m.XData {
		if x == nil {
			return b, false
		}
		if i == 0 {
			coded(`,"xdata":[`, x)
		} else {
			coded(`,`, x)
		}
	}
	if len(m.XData) > 0 {
		b = append(b, ']')
	}
	if m.Timestamp != nil {
		b = append(m.Timestamp.AppendFormat(append(b, `,"timestamp":"`...), time.RFC3339Nano), '"')
	}
	coded(`,"raw":`, m.Raw)
	for i, q := range m.Quirks {
		if i == 0 {
			text(`,"quirks":[`, q)
		} else {
			text(`,`, q)
		}
	}
	if len(m.Quirks) > 0 {
		b = append(b, ']')
	}
	text(`,"answer":`, string(m.Answer))
	some(`,"reason":`, m.Reason)
	some(`,"ack":`, m.Ack)
	some(`,"key":`, m.Key)
	if m.Taken {
		b = append(b, `,"taken":true`...)
	}
	some(`,"text":`, m.Text)
	some(`,"zone":`, m.Zone)
	if m.Window != 0 {
		b = strconv.AppendInt(append(b, `,"window":`...), int64(m.Window), 10)
	}
	return append(b, '}'), good
}

// plain tells whether JSON writes s as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// readQuick reads what appendQuick wrote; false: ask encoding/json.
func readQuick(b []byte) (m Message, ok bool) {
	p := fields.Read(b)
	p.Want(`{"v":1`)
	m.Version = 1
	p.Want(`,"received":`)
	m.Received = instant(&p)
	if p.Has(`,"offset_ms":`) {
		m.OffsetMs = p.Number()
	}
	p.Want(`,"listener":`)
	m.Listener = p.String()
	p.Want(`,"transport":`)
	m.Transport = p.String()
	p.Want(`,"peer":`)
	m.Peer = p.String()
	if p.Has(`,"customer":`) {
		m.Customer = p.String()
	}
	if p.Has(`,"panel":`) {
		m.Panel = p.String()
	}
	p.Want(`,"roster":`)
	m.RosterIndex = p.Natural()
	p.Want(`,"token":`)
	m.Token = p.String()
	p.Want(`,"encrypted":`)
	if m.Encrypted = p.Has(`true`); !m.Encrypted {
		p.Want(`false`)
	}
	p.Want(`,"seq":`)
	m.Sequence = int(p.Number())
	p.Want(`,"receiver":`)
	m.Receiver = perhaps(&p)
	p.Want(`,"prefix":`)
	m.Prefix = perhaps(&p)
	p.Want(`,"account":`)
	m.Account = p.String()
	p.Want(`,"data":`)
	m.Data = p.Bytes()
	if p.Has(`,"xdata":`) {
		for p.Next(len(m.XData)) {
			m.XData = append(m.XData, p.Bytes())
		}
	}
	if p.Has(`,"timestamp":`) {
		at := instant(&p)
		m.Timestamp = &at
	}
	p.Want(`,"raw":`)
	m.Raw = p.Bytes()
	if p.Has(`,"quirks":`) {
		for p.Next(len(m.Quirks)) {
			m.Quirks = append(m.Quirks, p.String())
		}
	}
	p.Want(`,"answer":`)
	m.Answer = Answer(p.String())
	if p.Has(`,"reason":`) {
		m.Reason = p.String()
	}
	if p.Has(`,"ack":`) {
		m.Ack = p.String()
	}
	if p.Has(`,"key":`) {
		m.Key = p.String()
	}
	m.Taken = p.Has(`,"taken":true`)
	if p.Has(`,"text":`) {
		m.Text = p.String()
	}
	if p.Has(`,"zone":`) {
		m.Zone = p.String()
	}
	if p.Has(`,"window":`) {
		m.Window = int(p.Number())
	}
	p.Want(`}`)
	return m, p.Good()
}

func perhaps(p *fields.Reader) *string {
	if p.Has(`null`) {
		return nil
	}
	s := p.String()
	return &s
}

// instant reads a time in UTC.
func instant(p *fields.Reader) time.Time {
	var at time.Time
	s := p.Raw()
	p.Fail(len(s) < len("2006-01-02T15:04:05Z") || s[len(s)-1] != 'Z' || at.UnmarshalText(s) != nil)
	return at
}
