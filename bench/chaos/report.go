package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vedetta/bench/verdict"
)

// Report is what a run found.
type Report struct {
	Seed    uint64             `json:"seed"`
	Began   time.Time          `json:"began"`
	Seconds map[string]float64 `json:"seconds"` // by phase: start, traffic, healing, all
	Verdict verdict.Report     `json:"verdict"`
	Senders int                `json:"senders"`
	Panels  int                `json:"panels"`
	Tries   int                `json:"tries"` // messages sent: alarms and their repetitions
	// ACK is how long the acknowledged exchange took; Alarm from the first try
	// to the acknowledgement, with the panel's own repeats; Handed from the
	// acknowledgement to the arrival at the catcher, by channel.
	ACK    Spread            `json:"ack_seconds"`
	Alarm  Spread            `json:"alarm_seconds"`
	Handed map[string]Spread `json:"handed_seconds"`
	Faults []Struck          `json:"faults"`
	Dir    string            `json:"folder"` // of logs and records; kept when the run was red
}

// Red tells whether a promise was broken.
func (r Report) Red() bool { return len(r.Verdict.Breaches) > 0 }

// Spread are quantiles in seconds.
type Spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func spread(in []time.Duration) Spread {
	if len(in) == 0 {
		return Spread{}
	}
	slices.Sort(in)
	at := func(q float64) float64 { return in[int(q*float64(len(in)-1))].Seconds() }
	return Spread{len(in), at(0.5), at(0.9), at(0.99), in[len(in)-1].Seconds()}
}

func (s Spread) String() string {
	return fmt.Sprintf("p50 %.3f  p90 %.3f  p99 %.3f  max %.3f s  (%d)", s.P50, s.P90, s.P99, s.Max, s.Count)
}

// measure fills in the latencies from the generator's and the catcher's records.
func (r *Report) measure(sent []Sent, handed []verdict.Handed) {
	var acks, alarms []time.Duration
	acked := map[string]time.Time{}
	for _, s := range sent {
		r.Tries += s.Tries
		if s.Acknowledged.IsZero() {
			continue
		}
		acks = append(acks, s.Latency)
		alarms = append(alarms, s.Acknowledged.Sub(s.At))
		acked[s.Text] = s.Acknowledged
	}
	r.ACK, r.Alarm = spread(acks), spread(alarms)
	first := map[string]time.Time{}
	for _, h := range handed {
		key := h.Channel + verdict.Marked(h.Body)
		if at, ok := first[key]; !ok || h.At.Before(at) {
			first[key] = h.At
		}
	}
	by := map[string][]time.Duration{}
	for _, h := range handed {
		text := verdict.Marked(h.Body)
		at, ok := acked[text]
		if key := h.Channel + text; ok && first[key].Equal(h.At) {
			// What was handed over before its ACK was read took no time.
			by[h.Channel] = append(by[h.Channel], max(0, h.At.Sub(at)))
		}
	}
	r.Handed = map[string]Spread{}
	for channel, list := range by {
		r.Handed[channel] = spread(list)
	}
}

// breachesShown is how many breaches the summary names.
const breachesShown = 20

// Summary writes the report in plain words.
func (r Report) Summary(w io.Writer) {
	v := r.Verdict
	fmt.Fprintf(w, "\nchaos, seed %d: %d alarms by %d panels, %d acknowledged, %d messages sent\n", r.Seed, v.Alarms, r.Panels, v.Acknowledged, r.Tries)
	fmt.Fprintf(w, "  notifications   %d: %d delivered, %d unknown; %d second mails; repeated under the same id: %v\n", v.Notifications, v.Delivered, v.Unknown, v.SecondMails, v.Repeated)
	fmt.Fprintf(w, "  ACK             %s\n", r.ACK)
	fmt.Fprintf(w, "  alarm to ACK    %s\n", r.Alarm)
	for _, channel := range []string{"email", "webhook", "webpush"} {
		if s, ok := r.Handed[channel]; ok {
			fmt.Fprintf(w, "  ACK to %-8s %s\n", channel, s)
		}
	}
	kills, pauses := 0, 0
	for _, f := range r.Faults {
		switch f.Do {
		case DoKill:
			kills++
		case DoStop:
			pauses++
		}
	}
	fmt.Fprintf(w, "  faults          %d kills, %d pauses\n", kills, pauses)
	fmt.Fprintf(w, "  time            start %.0f, traffic %.0f, healing %.0f, all %.0f s\n", r.Seconds["start"], r.Seconds["traffic"], r.Seconds["healing"], r.Seconds["all"])
	if !r.Red() {
		fmt.Fprintln(w, "  every promise held")
		return
	}
	fmt.Fprintf(w, "\nRED: %d breaches. Seed %d; logs and records are in %s\n", len(v.Breaches), r.Seed, r.Dir)
	for i, b := range v.Breaches {
		if i == breachesShown {
			fmt.Fprintf(w, "  ... and %d more\n", len(v.Breaches)-i)
			break
		}
		fmt.Fprintf(w, "  - %s\n", b)
	}
}

// save writes the report and the records it was judged by.
func (r Report) save(sent []Sent, record verdict.Record) error {
	for name, v := range map[string]any{"report.json": r, "sent.json": sent, "events.json": record.Events, "notifications.json": record.Notifications, "handed.json": record.Handed} {
		b, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.Dir, name), b, 0o600); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(r.Dir, "report.html"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(r.WritePage(f, timeline(sent, record.Handed, r.Faults)), f.Close())
}
