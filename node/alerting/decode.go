package alerting

import (
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/event"
)

// Reasons and codes of events that the mesh itself raises.
const (
	ReasonPlainRefused = "plain_refused" // entry.Message.Reason
	CodePlainRefused   = "PLAIN_REFUSED" // standard VEDETTA
)

// Events reads what a message reports: nothing for a poll, one security event
// for a panel that sent plain though it has a key: what it said isn't believed.
func Events(m entry.Message) ([]decision.Event, error) {
	if m.Reason == ReasonPlainRefused {
		return []decision.Event{{Standard: string(event.Vedetta), Code: CodePlainRefused, Qualifier: string(event.New),
			Category: string(event.System)}}, nil
	}
	base := m.Received
	if m.Timestamp != nil {
		base = *m.Timestamp
	}
	parsed := event.Parse(m.Token, m.Data, m.XData, base)
	out := make([]decision.Event, 0, len(parsed))
	for i, p := range parsed {
		e := decision.Event{Index: i, Standard: string(p.Standard), Code: p.Code, Qualifier: string(p.Qualifier), Category: string(p.Category),
			Partition: p.Partition, Zone: p.Zone, User: p.User, Text: p.Text}
		if p.Standard != event.SIA && p.Standard != event.CID {
			e.Standard = string(event.Vedetta) // a token without a grammar
		}
		switch {
		case !p.Time.IsZero():
			e.PanelMs = p.Time.UnixMilli()
		case m.Timestamp != nil:
			e.PanelMs = m.Timestamp.UnixMilli()
		}
		out = append(out, e)
	}
	return out, nil
}
