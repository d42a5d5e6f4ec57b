package intake

import (
	"slices"
	"testing"
	"time"

	"vedetta/node/reception"
	doc "vedetta/wire/roster"
)

func (s *store) Heard(_ time.Time, p *doc.Panel, transport string, prefix, _ *string) {
	l := " without L"
	if prefix != nil {
		l = " L" + *prefix
	}
	s.heard = append(s.heard, p.ID+" "+transport+l)
}

// Any good message says that its panel is there (reference 1.8); what anybody
// could have sent, or sends again, says nothing.
func TestWhatSupervisionIsToldOf(t *testing.T) {
	old := -5 * time.Minute
	for name, c := range map[string]struct {
		sent sent
		want []string
	}{
		"encrypted poll":           {sent{token: "NULL", account: "AAAA", blocks: "[]", key: panelKey}, []string{"p-keyed tcp L0"}},
		"encrypted alarm":          {sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA1]", key: panelKey}, []string{"p-keyed tcp L0"}},
		"plain poll, no key":       {sent{token: "NULL", account: "BBBB", blocks: "[]"}, []string{"p-plain tcp L0"}},
		"plain though it has one":  {sent{token: "NULL", account: "AAAA", blocks: "[]"}, nil},
		"another key":              {sent{token: "NULL", account: "AAAA", blocks: "[]", key: []byte("fedcba9876543210")}, nil},
		"an old poll, sent again":  {sent{token: "NULL", account: "AAAA", blocks: "[]", key: panelKey, at: old}, nil},
		"unknown account":          {sent{token: "NULL", account: "EEEE", blocks: "[]"}, nil},
		"unknown token of a panel": {sent{token: "ZZZ", account: "BBBB", blocks: "[x]"}, []string{"p-plain tcp L0"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := &store{}
			in, _ := newIntake(t, st, true)
			in.Handle(t.Context(), c.sent.frame(t, time.Now()), reception.Source{Transport: "tcp", Listener: "main"})
			if !slices.Equal(st.heard, c.want) {
				t.Errorf("told of %v, want %v", st.heard, c.want)
			}
		})
	}
	st := &store{}
	in, _ := newIntake(t, st, false)
	in.Handle(t.Context(), sent{token: "NULL", account: "BBBB", blocks: "[]"}.frame(t, time.Now()), reception.Source{Transport: "tcp"})
	if len(st.heard) != 0 {
		t.Error("a node that is not ready answers nobody: the panel turns to another")
	}
}
