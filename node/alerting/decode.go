package alerting

import (
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/event"
)

// Codes of events that the mesh itself raises about a message, standard VEDETTA.
const (
	CodePlainRefused  = "PLAIN_REFUSED"
	CodeCannotDecrypt = "CANNOT_DECRYPT"
	CodeKeyTaken      = "KEY_TAKEN"
)

// refused are the codes of messages that are not believed, by the reason in the
// entry: what they say is told to nobody.
var refused = map[dc09.Reason]string{
	dc09.ReasonPlain: CodePlainRefused, dc09.ReasonUndecryptable: CodeCannotDecrypt, dc09.ReasonNoKey: CodeCannotDecrypt,
}

// maxExtended bounds, in bytes, what the events of one message repeat of its
// extended data; beyond it only the first has it.
const maxExtended = 16 << 10

// Events reads what a message reports: nothing for a poll, one security event
// for a panel that sent plain though it has a key, or what no key opens: what it
// said isn't believed. The first message under a panel's next key says so.
func Events(m entry.Message) ([]decision.Event, error) {
	if code, ok := refused[dc09.Reason(m.Reason)]; ok {
		return []decision.Event{own(0, code)}, nil
	}
	base := m.Received
	if m.Timestamp != nil {
		base = *m.Timestamp
	}
	r := reader(m)
	parsed := r.Parse(m.Token, m.Data, m.XData, base)
	extended, size := extended(r, m)
	out := make([]decision.Event, 0, len(parsed)+1)
	for i, p := range parsed {
		e := decision.Event{Index: i, Standard: string(p.Standard), Code: p.Code, Qualifier: string(p.Qualifier), Category: string(p.Category),
			Partition: p.Partition, Zone: p.Zone, User: p.User, Text: p.Text}
		if p.Standard != event.SIA && p.Standard != event.CID {
			e.Standard = string(event.Vedetta) // a token without a grammar
		}
		if i == 0 || size*len(parsed) <= maxExtended {
			e.Extended = extended
		}
		switch {
		case !p.Time.IsZero():
			e.PanelMs = p.Time.UnixMilli()
		case m.Timestamp != nil:
			e.PanelMs = m.Timestamp.UnixMilli()
		}
		out = append(out, e)
	}
	if m.Taken {
		out = append(out, own(len(out), CodeKeyTaken))
	}
	return out, nil
}

func own(index int, code string) decision.Event {
	return decision.Event{Index: index, Standard: string(event.Vedetta), Code: code, Qualifier: string(event.New), Category: string(event.System)}
}

// reader reads as the panel's settings had it when the message came.
func reader(m entry.Message) event.Reader {
	r := event.Reader{Encoding: event.Encoding(m.Text)}
	if m.Zone != "" {
		if zone, err := time.LoadLocation(m.Zone); err == nil {
			r.Zone = zone
		}
	}
	return r
}

func extended(r event.Reader, m entry.Message) (list []string, size int) {
	for _, x := range r.Extended(m.XData) {
		list = append(list, x.Line())
		size += len(x.Value) + 1
	}
	return list, size
}
