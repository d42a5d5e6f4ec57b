package chaos

import (
	"slices"
	"time"

	"vedetta/bench/verdict"
)

// Timeline is a run second by second, as the page draws it. It is made of the
// generator's and the catcher's records and of what was struck, nothing else.
type Timeline struct {
	Began   time.Time // of the traffic
	Sent    []int     // alarms first sent, per second
	Acked   []int     // alarms acknowledged, per second
	AckP99  []float64 // of the exchanges that ended in each second, in seconds
	Arrived map[string][]int
	Struck  []Struck
}

// timeline counts by seconds since the first alarm.
func timeline(sent []Sent, handed []verdict.Handed, struck []Struck) Timeline {
	t := Timeline{Arrived: map[string][]int{}, Struck: struck}
	if len(sent) == 0 {
		return t
	}
	t.Began = slices.MinFunc(sent, func(a, b Sent) int { return a.At.Compare(b.At) }).At
	count := func(list *[]int, at time.Time) int {
		i := max(0, int(at.Sub(t.Began)/time.Second))
		for len(*list) <= i {
			*list = append(*list, 0)
		}
		(*list)[i]++
		return i
	}
	took := map[int][]time.Duration{}
	for _, s := range sent {
		count(&t.Sent, s.At)
		if !s.Acknowledged.IsZero() {
			i := count(&t.Acked, s.Acknowledged)
			took[i] = append(took[i], s.Latency)
		}
	}
	t.AckP99 = make([]float64, len(t.Acked))
	for i, list := range took {
		t.AckP99[i] = spread(list).P99
	}
	for _, h := range handed {
		list := t.Arrived[h.Channel]
		count(&list, h.At)
		t.Arrived[h.Channel] = list
	}
	return t
}

// Seconds is how long the timeline is.
func (t Timeline) Seconds() int {
	n := max(len(t.Sent), len(t.Acked), 1)
	for _, list := range t.Arrived {
		n = max(n, len(list))
	}
	for _, s := range t.Struck {
		n = max(n, int(s.At.Sub(t.Began)/time.Second)+1)
	}
	return n
}
