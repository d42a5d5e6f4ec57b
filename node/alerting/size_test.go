package alerting

import (
	"strings"
	"testing"

	"vedetta/cluster/env"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

func TestAVerdictIsCutToFit(t *testing.T) {
	v := decision.Verdict{Entry: mesh.Position{Origin: origin("arezzo", 1), Number: 5}}
	for i := range 4000 {
		v.Events = append(v.Events, decision.Event{Index: i, Code: "BA", Text: strings.Repeat("x", 300)})
	}
	v.Plan = []decision.Notification{{ID: "n1", Event: decision.EventID(v.Entry, 700)}}
	f := &Follower{log: env.Quiet(1).Log}
	if n := f.cut(&v); n > maxVerdict || n != decision.SizeOf(&v) || v.Events[len(v.Events)-1].Code != CodeCut || v.Events[len(v.Events)-1].Index != 4000 || len(v.Events) <= 700 || len(v.Plan) != 1 {
		t.Errorf("%d bytes, %d events, %d notifications; want at most %d bytes and the plan whole", n, len(v.Events), len(v.Plan), maxVerdict)
	}
}
