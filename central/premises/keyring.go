package premises

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/roster"
)

// A panel's key ring: the current key, the next one, taken beside it until it is
// promoted, and the previous one, taken for a while longer. So a key is changed
// without losing a message: set the next, enter it into the panel, wait until the
// event KEY_TAKEN comes, promote. None of the three is ever shown.

// PreviousKept is how long a key is taken after another was promoted, when nobody
// says how long; MaxPreviousKept is the most.
const (
	PreviousKept    = 7 * 24 * time.Hour
	MaxPreviousKept = 30 * 24 * time.Hour
)

// ring fills in what is told of a panel's keys beside the current one.
func (b *PanelBody) ring(s storedPanel) {
	if s.Reception == nil {
		return
	}
	b.NextKeySet = len(s.Reception.NextKey) > 0
	if b.NextKeySet && s.NextKeyForm != "" {
		b.NextKeyForm = &s.NextKeyForm
	}
	if len(s.Reception.PreviousKey) > 0 {
		until := time.UnixMilli(s.Reception.PreviousUntilMs).UTC().Format("2006-01-02T15:04:05.000Z")
		b.PreviousKeyUntil = &until
	}
}

// putRing writes the keys beside the current one into s, whose Reception is set.
func (b PanelBody) putRing(s *storedPanel, had storedPanel, now time.Time, f *Faults) {
	var before roster.Reception
	if had.Reception != nil {
		before = *had.Reception
	}
	r := s.Reception
	switch b.NextKey {
	case "":
	case KeyKept:
		r.NextKey, s.NextKeyForm = before.NextKey, had.NextKeyForm
	default:
		var err error
		if r.NextKey, s.NextKeyForm, err = dc09.ParseKey(b.NextKey); err != nil {
			f.Add("next_key", "key_form")
		}
	}
	if len(r.NextKey) > 0 && bytes.Equal(r.NextKey, s.Key) {
		f.Add("next_key", "key_same")
	}
	if b.PreviousKeyUntil != nil && now.UnixMilli() < before.PreviousUntilMs {
		r.PreviousKey, r.PreviousUntilMs = before.PreviousKey, before.PreviousUntilMs
	}
}

// PromoteKey makes the panel's next key its current one. The former is taken until
// kept has passed; zero: it is forgotten at once. Without a next key it is a fault.
func (c *Change) PromoteKey(id, tag string, kept time.Duration) (PanelBody, error) {
	f, err := panels.one(c.ctx, c.tx, c.key, c.customer, id, tag)
	if err != nil {
		return PanelBody{}, err
	}
	var s storedPanel
	if err := json.Unmarshal(f.plain, &s); err != nil {
		return PanelBody{}, fmt.Errorf("panel %s: %w", id, err)
	}
	var faults Faults
	if s.Reception == nil || len(s.Reception.NextKey) == 0 {
		faults.Add("next_key", "no_next_key")
	}
	if kept < 0 || kept > MaxPreviousKept {
		faults.Add("previous_seconds", "range", 0, int(MaxPreviousKept.Seconds()))
	}
	if err := faults.err(); err != nil {
		return PanelBody{}, err
	}
	r := *s.Reception
	r.PreviousKey, r.PreviousUntilMs = nil, 0
	if kept > 0 && len(s.Key) > 0 {
		r.PreviousKey, r.PreviousUntilMs = s.Key, c.now.Add(kept).UnixMilli()
	}
	s.Key, s.KeyForm = r.NextKey, s.NextKeyForm
	r.NextKey, s.NextKeyForm = nil, ""
	s.setReception(r)
	s.record.Revision = c.revision
	return c.writePanel(s)
}

// setReception keeps the usual out of the document.
func (s *storedPanel) setReception(r roster.Reception) {
	s.Reception = &r
	if empty, err := json.Marshal(r); err == nil && string(empty) == "{}" {
		s.Reception = nil
	}
}
