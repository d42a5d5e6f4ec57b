package supervision

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/heard"
)

// silentWords are the bits of a silence as the outside reads them.
var silentWords = []struct {
	bit  decision.Silent
	word string
}{
	{decision.SilentPrimary, "primary"}, {decision.SilentAlternative, "alternative"}, {decision.SilentAll, "all"}, {decision.SilentNever, "never"},
}

// Look answers heard.Method.
func (s *Supervision) Look(_ context.Context, req []byte) ([]byte, error) {
	var q heard.Request
	if err := json.Unmarshal(req, &q); err != nil {
		return nil, fmt.Errorf("heard: %w", err)
	}
	if len(q.Panels) > heard.MaxPanels {
		return nil, fmt.Errorf("heard: %d panels, want at most %d", len(q.Panels), heard.MaxPanels)
	}
	now := time.Now()
	out := heard.Answer{Judging: s.Judging(), Panels: []heard.Panel{}}
	for _, id := range q.Panels {
		p := heard.Panel{Silent: []string{}}
		if seen, ok := s.core.Look(now, id); ok {
			p.Supervised, p.Dual = seen.Supervised, seen.Dual
			p.PrimaryMs = milliseconds(seen.Heard[Primary])
			p.CountedMs = milliseconds(seen.Counted)
			if seen.Dual {
				p.AlternativeMs = milliseconds(seen.Heard[Alternative])
			}
		}
		if v, ok := s.parts.View.SilentPanel(id); ok {
			p.SilentSinceMs = v.SinceMs
			for _, w := range silentWords {
				if v.Silent&w.bit != 0 {
					p.Silent = append(p.Silent, w.word)
				}
			}
		}
		out.Panels = append(out.Panels, p)
	}
	return json.Marshal(out)
}

// milliseconds of an age; nil for a negative one.
func milliseconds(age time.Duration) *int64 {
	if age < 0 {
		return nil
	}
	ms := age.Milliseconds()
	return &ms
}
