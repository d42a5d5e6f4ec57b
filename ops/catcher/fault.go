package catcher

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Mode is what goes wrong.
type Mode string

// Modes.
const (
	ModeNone      Mode = ""
	ModeCutBefore Mode = "cut_before" // the line is cut before anything is kept
	ModeCutAfter  Mode = "cut_after"  // kept, then the line is cut without an answer
	ModeHang      Mode = "hang"       // kept, then no answer at all
	ModeBusy      Mode = "busy"       // 451 after the data, 503
	ModeRefuse    Mode = "refuse"     // 554 after the data, 400
	ModeUnwanted  Mode = "unwanted"   // 550 for the recipient, 410
	ModeRedirect  Mode = "redirect"   // webhook only: 302 to /hook/elsewhere
)

// Fault is what goes wrong with one kind of arrival.
type Fault struct {
	Mode         Mode    `json:"mode"`
	DelaySeconds float64 `json:"delay_seconds"` // before the answer, also without a mode
	Count        int     `json:"count"`         // arrivals it holds for; 0: until changed
}

// Faults is what goes wrong.
type Faults struct {
	Mail    Fault `json:"mail"`
	Webhook Fault `json:"webhook"`
}

func (f Fault) validate() error {
	switch f.Mode {
	case ModeNone, ModeCutBefore, ModeCutAfter, ModeHang, ModeBusy, ModeRefuse, ModeUnwanted, ModeRedirect:
	default:
		return fmt.Errorf("fault mode %q: want cut_before, cut_after, hang, busy, refuse, unwanted, redirect or nothing", f.Mode)
	}
	if f.DelaySeconds < 0 || f.DelaySeconds > 3600 || f.Count < 0 {
		return fmt.Errorf("fault: delay_seconds %v and count %d: want 0 to 3600, and 0 or more", f.DelaySeconds, f.Count)
	}
	return nil
}

// wait is the delay before the answer; false when ctx ended first.
func (f Fault) wait(ctx context.Context) bool {
	if f.DelaySeconds == 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(time.Duration(f.DelaySeconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// faultBox counts faults down.
type faultBox struct {
	mu  sync.Mutex
	now Faults
}

func newFaultBox(f Faults) (*faultBox, error) {
	b := &faultBox{}
	return b, b.set(f)
}

func (b *faultBox) set(f Faults) error {
	for _, one := range []Fault{f.Mail, f.Webhook} {
		if err := one.validate(); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = f
	return nil
}

func (b *faultBox) get() Faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *faultBox) mail() Fault    { return b.take(func(f *Faults) *Fault { return &f.Mail }) }
func (b *faultBox) webhook() Fault { return b.take(func(f *Faults) *Fault { return &f.Webhook }) }

func (b *faultBox) take(which func(*Faults) *Fault) Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := which(&b.now)
	f := *at
	if f.Count == 1 {
		*at = Fault{}
	} else if f.Count > 1 {
		at.Count--
	}
	return f
}
