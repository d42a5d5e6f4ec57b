package alerting

import (
	"fmt"
	"slices"
	"strconv"

	"vedetta/wire/decision"
	"vedetta/wire/event"
)

// CodeCut is the code of an event, standard VEDETTA, that says what of its
// message could not be told: nothing is left out without a word.
const CodeCut = "CUT"

// cutEvent says what was left out of an entry's decision, as its event index.
func cutEvent(index, events, notifications int) decision.Event {
	return decision.Event{Index: index, Standard: string(event.Vedetta), Code: CodeCut, Qualifier: string(event.New), Category: string(event.System),
		Text: fmt.Sprintf("messaggio troppo lungo: %[1]d eventi e %[2]d notifiche tralasciati · message too long: %[1]d events and %[2]d notifications left out", events, notifications)}
}

// cut makes a verdict fit into a command, and returns its size. Events go from
// the end: first those that nobody is told of, then those with their plan; an
// event in their place says so. What was sent stays whole in the journal.
func (f *Follower) cut(v *decision.Verdict) int {
	n := decision.SizeOf(v)
	if n <= maxVerdict {
		return n
	}
	events, plan := v.Events, v.Plan
	// fits keeps the first events and what is planned for them.
	fits := func(first int) bool {
		kept := make(map[string]struct{}, first)
		for i := range first {
			kept[decision.EventID(v.Entry, events[i].Index)] = struct{}{}
		}
		v.Events, v.Plan = events[:first:first], nil
		for _, p := range plan {
			if _, ok := kept[p.Event]; ok {
				v.Plan = append(v.Plan, p)
			}
		}
		n = decision.SizeOf(v)
		return n <= maxVerdict
	}
	told := 0 // events up to the last that somebody is told of
	for i := range events {
		id := decision.EventID(v.Entry, events[i].Index)
		if slices.ContainsFunc(plan, func(p decision.Notification) bool { return p.Event == id }) {
			told = i + 1
		}
	}
	first := told
	for !fits(first) && first > 0 {
		first -= max(1, first/16)
	}
	if first == told { // there may be room for more
		for step := (len(events) - told) / 2; step > 0; step /= 2 {
			if fits(first + step) {
				first += step
			}
		}
		fits(first)
	}
	v.Events = append(v.Events, cutEvent(events[len(events)-1].Index+1, len(events)-len(v.Events), len(plan)-len(v.Plan)))
	n = decision.SizeOf(v)
	f.log.Error("decision cut: it doesn't fit into a command", "entry", v.Entry.String(),
		"events", strconv.Itoa(len(v.Events))+" of "+strconv.Itoa(len(events)), "notifications", strconv.Itoa(len(v.Plan))+" of "+strconv.Itoa(len(plan)))
	return n
}
