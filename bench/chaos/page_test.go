package chaos

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"vedetta/bench/verdict"
)

// story is a run of 90 s with a kill and a pause.
func story() ([]Sent, []verdict.Handed, []Struck) {
	began := time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)
	var sent []Sent
	var handed []verdict.Handed
	for i := range 900 {
		at := began.Add(time.Duration(i) * 100 * time.Millisecond)
		took := time.Duration(5+i%7) * time.Millisecond
		if i > 300 && i < 350 {
			took = 3 * time.Second
		}
		s := Sent{Text: "~" + string(rune('a'+i%26)) + "~", At: at, Acknowledged: at.Add(took), Latency: took, Tries: 1}
		sent = append(sent, s)
		handed = append(handed, verdict.Handed{Channel: "email", Body: s.Text, At: s.Acknowledged.Add(50 * time.Millisecond)},
			verdict.Handed{Channel: "webhook", Body: s.Text, At: s.Acknowledged.Add(80 * time.Millisecond)})
	}
	return sent, handed, []Struck{
		{At: began.Add(20 * time.Second), Do: DoKill, Node: "roubaix", Why: "leads the agreement"},
		{At: began.Add(30 * time.Second), Do: DoStop, Node: "arezzo", Why: "leads a shard"},
		{At: began.Add(50 * time.Second), Do: DoCont, Node: "arezzo"},
	}
}

func TestTimelineCountsBySecond(t *testing.T) {
	sent, handed, struck := story()
	line := timeline(sent, handed, struck)
	total := func(list []int) (n int) {
		for _, v := range list {
			n += v
		}
		return n
	}
	if total(line.Sent) != 900 || line.Sent[0] != 10 || total(line.Acked) != 900 || total(line.Arrived["email"]) != 900 || total(line.Arrived["webhook"]) != 900 {
		t.Errorf("counted %d sent, %d in the first second, %d acknowledged, %d mails", total(line.Sent), line.Sent[0], total(line.Acked), total(line.Arrived["email"]))
	}
	if line.AckP99[33] != 3 || line.AckP99[2] > 0.02 {
		t.Errorf("99th percentile %v s while a node was held, %v s before", line.AckP99[33], line.AckP99[2])
	}
	if empty := timeline(nil, nil, nil); empty.Seconds() != 1 {
		t.Errorf("an empty run lasts %d s", empty.Seconds())
	}
}

// TestPageShowsWhatWasFound writes the page; CHAOS_PAGE names a file to look at.
func TestPageShowsWhatWasFound(t *testing.T) {
	sent, handed, struck := story()
	r := Report{Seed: 7, Panels: 48, Seconds: map[string]float64{"traffic": 90}, Verdict: verdict.Report{Alarms: 900, Breaches: []string{`alarm "<b>": nothing arrived`}}}
	r.measure(sent, handed)
	var b bytes.Buffer
	if err := r.WritePage(&b, timeline(sent, handed, struck)); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"Chaos, seed 7", "1 broken promise<", "alarm &#34;&lt;b&gt;&#34;: nothing arrived", "20.0 s: roubaix killed, leads the agreement",
		"30.0 s: arezzo held for 20.0 s, leads a shard", "1 kills, 1 pauses", "make chaos-short SEED=7", "ACK to webhook"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "NaN") {
		t.Error("the page has values that could not be drawn")
	}
	if path := os.Getenv("CHAOS_PAGE"); path != "" {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
