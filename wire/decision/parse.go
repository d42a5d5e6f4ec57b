package decision

import "vedetta/wire/fields"

// The forms that append.go writes are read field by field; what is otherwise is
// left to strict.

// parser is fields.Reader with the parts of a verdict.
type parser struct{ fields.Reader }

// parseVerdictRecord reads a record with a verdict; false: ask strict.
func parseVerdictRecord(b []byte) (r Record, ok bool) {
	p := parser{fields.Read(b)}
	p.Want(`{"v":1,"clock":`)
	r.Version = 1
	r.ClockMs = p.Number()
	if p.Has(`,"customer":`) {
		r.Customer = p.String()
	}
	if p.Has(`,"part":`) {
		r.Part = int(p.Number())
	}
	p.Want(`,"verdict":`)
	r.Verdict = new(Verdict)
	p.verdict(r.Verdict)
	p.Want(`}`)
	return r, p.Good()
}

func (p *parser) verdict(v *Verdict) {
	p.Want(`{"entry":`)
	v.Entry = p.Position()
	if p.Has(`,"customer":`) {
		v.Customer = p.String()
	}
	if p.Has(`,"panel":`) {
		v.Panel = p.String()
	}
	if p.Has(`,"identity":`) {
		v.Identity = p.Bytes()
		p.Fail(len(v.Identity) == 0)
	}
	p.Want(`,"received":`)
	v.ReceivedMs = p.Number()
	p.Want(`,"seq":`)
	v.Sequence = int(p.Number())
	p.Want(`,"ruling":`)
	v.Ruling = Ruling(p.word())
	if p.Has(`,"copy_of":`) {
		v.CopyOf = p.Position()
	}
	v.Fresh = p.Has(`,"fresh":true`)
	v.Late = p.Has(`,"late":true`)
	if p.Has(`,"events":`) {
		for p.Next(len(v.Events)) {
			v.Events = append(v.Events, p.event())
		}
	}
	if p.Has(`,"plan":`) {
		for p.Next(len(v.Plan)) {
			v.Plan = append(v.Plan, p.notification())
		}
	}
	p.Want(`}`)
}

func (p *parser) event() (e Event) {
	p.Want(`{"index":`)
	e.Index = int(p.Number())
	p.Want(`,"standard":`)
	e.Standard = p.word()
	p.Want(`,"code":`)
	e.Code = p.String()
	p.Want(`,"qualifier":`)
	e.Qualifier = p.word()
	p.Want(`,"category":`)
	e.Category = p.word()
	for _, f := range []struct {
		name string
		to   *string
	}{{`,"partition":`, &e.Partition}, {`,"zone":`, &e.Zone}, {`,"zone_name":`, &e.ZoneName}, {`,"user":`, &e.User}, {`,"text":`, &e.Text}} {
		if p.Has(f.name) {
			*f.to = p.String()
		}
	}
	if p.Has(`,"panel_time":`) {
		e.PanelMs = p.Number()
	}
	if p.Has(`,"extended":`) {
		for p.Next(len(e.Extended)) {
			e.Extended = append(e.Extended, p.String())
		}
	}
	p.Want(`}`)
	return e
}

func (p *parser) notification() (n Notification) {
	for _, f := range []struct {
		name string
		to   *string
	}{{`{"id":`, &n.ID}, {`,"event":`, &n.Event}, {`,"contact":`, &n.Contact}, {`,"channel":`, &n.Channel}, {`,"address":`, &n.Address}, {`,"rule":`, &n.Rule}} {
		p.Want(f.name)
		*f.to = p.String()
	}
	p.Want(`,"step":`)
	n.Step = int(p.Number())
	p.Want(`,"repetition":`)
	n.Repetition = int(p.Number())
	p.Want(`,"due":`)
	n.DueMs = p.Number()
	p.Want(`,"urgent":`)
	if n.Urgent = p.Has(`true`); !n.Urgent {
		p.Want(`false`)
	}
	n.Claimed = p.Has(`,"claimed":true`)
	p.Want(`}`)
	return n
}

// word is string for texts that are nearly always one of few.
func (p *parser) word() string {
	switch s := p.Raw(); string(s) {
	case "events":
		return "events"
	case "copy":
		return "copy"
	case "held":
		return "held"
	case "SIA-DCS":
		return "SIA-DCS"
	case "ADM-CID":
		return "ADM-CID"
	case "new":
		return "new"
	case "restore":
		return "restore"
	case "burglary":
		return "burglary"
	case "fire":
		return "fire"
	case "openclose":
		return "openclose"
	default:
		return string(s)
	}
}
