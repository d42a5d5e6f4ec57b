package decision

import (
	"encoding/base64"
	"strconv"

	"vedetta/wire/mesh"
)

// What every alarm makes is written field by field; the rest, and the proof of
// it in the tests, by appendCanonical. Both give the same bytes.

// appendVerdictRecord is appendCanonical of a record with a verdict.
func appendVerdictRecord(b []byte, r Record) []byte {
	b = strconv.AppendInt(append(b, `{"v":`...), int64(r.Version), 10)
	b = strconv.AppendInt(append(b, `,"clock":`...), r.ClockMs, 10)
	b = optional(b, `,"customer":`, r.Customer)
	if r.Part != 0 {
		b = strconv.AppendInt(append(b, `,"part":`...), int64(r.Part), 10)
	}
	b = appendVerdict(append(b, `,"verdict":`...), r.Verdict)
	return append(b, '}')
}

func appendVerdict(b []byte, v *Verdict) []byte {
	b = appendPosition(append(b, `{"entry":`...), v.Entry)
	b = optional(b, `,"customer":`, v.Customer)
	b = optional(b, `,"panel":`, v.Panel)
	if len(v.Identity) > 0 {
		b = base64.StdEncoding.AppendEncode(append(b, `,"identity":"`...), v.Identity)
		b = append(b, '"')
	}
	b = strconv.AppendInt(append(b, `,"received":`...), v.ReceivedMs, 10)
	b = strconv.AppendInt(append(b, `,"seq":`...), int64(v.Sequence), 10)
	b = appendString(append(b, `,"ruling":`...), string(v.Ruling))
	if !v.CopyOf.IsZero() {
		b = appendPosition(append(b, `,"copy_of":`...), v.CopyOf)
	}
	if v.Fresh {
		b = append(b, `,"fresh":true`...)
	}
	if v.Late {
		b = append(b, `,"late":true`...)
	}
	if len(v.Events) > 0 {
		b = append(b, `,"events":`...)
		for i := range v.Events {
			b = appendEvent(append(b, separator(i)), &v.Events[i])
		}
		b = append(b, ']')
	}
	if len(v.Plan) > 0 {
		b = append(b, `,"plan":`...)
		for i := range v.Plan {
			b = appendNotification(append(b, separator(i)), &v.Plan[i])
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendEvent(b []byte, e *Event) []byte {
	b = strconv.AppendInt(append(b, `{"index":`...), int64(e.Index), 10)
	b = appendString(append(b, `,"standard":`...), e.Standard)
	b = appendString(append(b, `,"code":`...), e.Code)
	b = appendString(append(b, `,"qualifier":`...), e.Qualifier)
	b = appendString(append(b, `,"category":`...), e.Category)
	b = optional(b, `,"partition":`, e.Partition)
	b = optional(b, `,"zone":`, e.Zone)
	b = optional(b, `,"zone_name":`, e.ZoneName)
	b = optional(b, `,"user":`, e.User)
	b = optional(b, `,"text":`, e.Text)
	if e.PanelMs != 0 {
		b = strconv.AppendInt(append(b, `,"panel_time":`...), e.PanelMs, 10)
	}
	if len(e.Extended) > 0 {
		b = append(b, `,"extended":`...)
		for i, x := range e.Extended {
			b = appendString(append(b, separator(i)), x)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendNotification(b []byte, n *Notification) []byte {
	b = appendString(append(b, `{"id":`...), n.ID)
	b = appendString(append(b, `,"event":`...), n.Event)
	b = appendString(append(b, `,"contact":`...), n.Contact)
	b = appendString(append(b, `,"channel":`...), n.Channel)
	b = appendString(append(b, `,"address":`...), n.Address)
	b = appendString(append(b, `,"rule":`...), n.Rule)
	b = strconv.AppendInt(append(b, `,"step":`...), int64(n.Step), 10)
	b = strconv.AppendInt(append(b, `,"repetition":`...), int64(n.Repetition), 10)
	b = strconv.AppendInt(append(b, `,"due":`...), n.DueMs, 10)
	b = strconv.AppendBool(append(b, `,"urgent":`...), n.Urgent)
	if n.Claimed {
		b = append(b, `,"claimed":true`...)
	}
	return append(b, '}')
}

// separator opens a list, or goes on with it.
func separator(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

func optional(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, name...), s)
}

func appendPosition(b []byte, p mesh.Position) []byte {
	b = append(b, '"')
	if !p.IsZero() {
		b = p.AppendString(b)
	}
	return append(b, '"')
}
