package catcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	// Not for mail:
	ModeRedirect Mode = "redirect" // 302 to a path beside
	ModeThrottle Mode = "throttle" // 429 with Retry-After, 2 seconds
	ModeNonsense Mode = "nonsense" // kept, then answered with what is no HTTP
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
	Push    Fault `json:"push"`
}

func (f Fault) validate(web bool) error {
	switch f.Mode {
	case ModeNone, ModeCutBefore, ModeCutAfter, ModeHang, ModeBusy, ModeRefuse, ModeUnwanted:
	case ModeRedirect, ModeThrottle, ModeNonsense:
		if !web {
			return fmt.Errorf("fault mode %q: mail has no such mode", f.Mode)
		}
	default:
		return fmt.Errorf("fault mode %q: want cut_before, cut_after, hang, busy, refuse, unwanted, redirect, throttle, nonsense or nothing", f.Mode)
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

// answered does what goes wrong before a call is kept; true when the call is
// over with it.
func (f Fault) answered(ctx context.Context, w http.ResponseWriter, elsewhere string) bool {
	status := map[Mode]int{
		ModeBusy: http.StatusServiceUnavailable, ModeRefuse: http.StatusBadRequest, ModeUnwanted: http.StatusGone,
		ModeRedirect: http.StatusFound, ModeThrottle: http.StatusTooManyRequests,
	}[f.Mode]
	switch {
	case f.Mode == ModeCutBefore:
		panic(http.ErrAbortHandler) // cuts the line
	case status == 0:
		return false
	case f.Mode == ModeRedirect:
		w.Header().Set("Location", elsewhere)
	case f.Mode == ModeThrottle:
		w.Header().Set("Retry-After", "2")
	}
	f.wait(ctx)
	w.WriteHeader(status)
	return true
}

// afterwards does what goes wrong once a call is kept; it comes back when the
// call is to be answered as it should.
func (f Fault) afterwards(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if f.Mode == ModeHang {
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
		}
	}
	whole := f.wait(ctx)
	if whole && f.Mode == ModeNonsense {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			io.WriteString(conn, "what is this?\r\n\r\n")
			conn.Close()
		}
	}
	if !whole || f.Mode == ModeCutAfter || f.Mode == ModeHang || f.Mode == ModeNonsense {
		panic(http.ErrAbortHandler)
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
	if err := errors.Join(f.Mail.validate(false), f.Webhook.validate(true), f.Push.validate(true)); err != nil {
		return err
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
func (b *faultBox) push() Fault    { return b.take(func(f *Faults) *Fault { return &f.Push }) }

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
