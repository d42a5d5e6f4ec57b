package compare

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"vedetta/ops/panel/load"
)

// The line about deliveries: events a second, for how long, and how long the
// last may be on its way before it counts as not delivered.
const (
	handoverRate   = 200
	handoverTime   = 8 * time.Second
	handoverWithin = 30 * time.Second
)

// handover sends events of the demo customer's panels at an even pace and asks the
// catcher when each was handed over by each channel.
func (b *bench) handover(ctx context.Context) error {
	m := b.mesh
	key, err := hex.DecodeString(m.Demo.Key)
	if err != nil {
		return fmt.Errorf("demo key: %w", err)
	}
	// A panel has one sequence: what goes out beside it must not look like a copy.
	const connections = 32
	var panels []load.Panel
	for i := range connections {
		account, k := m.Demo.PlainAccount, []byte(nil)
		if i%2 == 0 {
			account, k = m.Demo.Account, key
		}
		p, err := load.NewPanel(account, fmt.Sprintf("~h%d.", i), k)
		if err != nil {
			return err
		}
		panels = append(panels, p)
	}
	sent, err := load.Pace(ctx, m.Addresses(), panels, time.Second/handoverRate, int(handoverRate*handoverTime.Seconds()))
	if err != nil {
		return err
	}
	caught, err := b.awaitCaught(ctx, sent)
	if err != nil {
		return err
	}
	for _, channel := range []string{"email", "webpush", "webhook"} {
		l := Line{Name: "handover " + channel, What: fmt.Sprintf("from ACK to %s handed over, p99 at %d events/s (min: p50, max: slowest)", channel, handoverRate), Unit: "ms", Bound: "<= 500"}
		var times load.Times
		for _, s := range sent {
			if at, ok := caught[channel][s.Text]; ok {
				times = append(times, uint32(max(0, at.Sub(s.Acknowledged).Microseconds())))
			}
		}
		times.Sort()
		if len(times) == 0 {
			l.Note = "nothing came by this channel: it was not measured"
			b.add(l.judge(false))
			continue
		}
		ms := func(p float64) float64 { return float64(times.At(p).Microseconds()) / 1000 }
		l.Median, l.Min, l.Max = ms(.99), ms(0), ms(1)
		l.Values = []float64{ms(.5), ms(.99), ms(1)}
		l.Min = ms(.5)
		if missing := len(sent) - len(times); missing > 0 {
			l.Note = fmt.Sprintf("%d of %d were not handed over within %s", missing, len(sent), handoverWithin)
		}
		b.add(l.judge(len(times) == len(sent) && l.Median <= 500))
	}
	return nil
}

// awaitCaught asks until each channel that works at all has brought everything,
// or the time is up.
func (b *bench) awaitCaught(ctx context.Context, sent []load.Sent) (map[string]map[string]time.Time, error) {
	end := time.Now().Add(handoverWithin)
	for {
		caught, err := b.mesh.Caught(ctx)
		if err != nil {
			return nil, err
		}
		whole := true
		for _, at := range caught {
			whole = whole && (len(at) == 0 || len(at) >= len(sent))
		}
		if whole && len(caught["email"]) > 0 || time.Now().After(end) {
			return caught, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}
