package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"vedetta/node/roster"
	"vedetta/wire/dc09"
	wire "vedetta/wire/watch"
)

// Limits of a viewer.
const (
	askBytes    = 64 << 10               // longest first line
	askWithin   = 10 * time.Second       // until it is there
	writeWithin = 30 * time.Second       // for what a viewer is sent; then he is let go
	calm        = 100 * time.Millisecond // between two looks, so that a flood is not followed one by one
	alive       = 10 * time.Second       // an empty line, so that both sides notice an end
)

// ErrFull says that as many viewers as there may be are watching.
var ErrFull = errors.New("watch: too many viewers at once")

// viewer is one stream. Its fields but bell are guarded by the Watch's mutex.
type viewer struct {
	ask              wire.Ask
	bell             chan struct{} // one ring at most waits
	known, strangers uint64        // numbers that were read
	lost             int           // attempts that fell out unread
}

func (v *viewer) wake() {
	select {
	case v.bell <- struct{}{}:
	default:
	}
}

// Serve shows one viewer what he asks for in the stream's first line, until he
// goes, ctx ends, or, unless he follows, all that is kept was sent.
func (w *Watch) Serve(ctx context.Context, stream net.Conn) error {
	if err := stream.SetReadDeadline(time.Now().Add(askWithin)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(io.LimitReader(stream, askBytes), 4096)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("watch: want one line of JSON: %w", err)
	}
	var ask wire.Ask
	if err := json.Unmarshal(line, &ask); err != nil || ask.Version != wire.Version || ask.Panel == "" && !ask.All {
		return fmt.Errorf("watch: want {\"version\": %d, \"customer\", \"panel\", ...}", wire.Version)
	}
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if ask.Follow { // the end of the stream is the end of the viewer
		go func() {
			_, _ = io.Copy(io.Discard, in)
			cancel()
		}()
	}
	v, err := w.enter(ask)
	if err != nil {
		return err
	}
	defer w.leave(v)
	return w.follow(ctx, v, stream)
}

func (w *Watch) enter(ask wire.Ask) (*viewer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.viewers) >= w.cfg.Viewers {
		return nil, ErrFull
	}
	v := &viewer{ask: ask, bell: make(chan struct{}, 1)}
	w.viewers[v] = struct{}{}
	w.note()
	return v, nil
}

func (w *Watch) leave(v *viewer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.viewers, v)
	w.note()
}

// note makes known what is watched now.
func (w *Watch) note() {
	is := &watched{panels: map[string]bool{}}
	for v := range w.viewers {
		if is.all = is.all || v.ask.All; !v.ask.All {
			is.panels[v.ask.Panel] = true
		}
	}
	w.watched.Store(is)
}

// take gives a viewer what he hasn't read, oldest first.
func (w *Watch) take(v *viewer) (list []*kept, lost int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list = w.known.after(v.known, func(k *kept) bool {
		return v.ask.All || k.verdict.Panel == v.ask.Panel && k.verdict.Customer == v.ask.Customer
	})
	list = append(list, w.strangers.after(v.strangers, func(*kept) bool { return true })...)
	v.known, v.strangers = w.known.last, w.strangers.last
	lost, v.lost = v.lost, 0
	return list, lost
}

// follow sends what there is and then, if asked for, what comes.
func (w *Watch) follow(ctx context.Context, v *viewer, to net.Conn) error {
	out := sender{to}
	ready := false
	tick := time.NewTicker(alive)
	defer tick.Stop()
	for {
		list, lost := w.take(v)
		s, find := w.subject(v.ask)
		for _, k := range list {
			if a, ok := w.show(k, s, find); ok {
				if err := out.send(wire.Line{Version: wire.Version, Attempt: &a}); err != nil {
					return err
				}
			}
		}
		if lost > 0 {
			if err := out.send(wire.Line{Version: wire.Version, Lost: lost}); err != nil {
				return err
			}
		}
		if !ready {
			ready = true
			if err := out.send(wire.Line{Version: wire.Version, Ready: &wire.Ready{Node: w.self.Node, Site: w.site, KeepSeconds: int(w.cfg.Keep.Seconds())}}); err != nil {
				return err
			}
		}
		if !v.ask.Follow {
			return nil
		}
		if len(list) > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(calm):
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-v.bell:
		case <-tick.C:
			if err := out.send(wire.Line{Version: wire.Version}); err != nil {
				return err
			}
		}
	}
}

// subject is what the viewer may see as the roster is now.
func (w *Watch) subject(ask wire.Ask) (subject, func(string, dc09.Frame) (roster.Match, roster.Kind)) {
	snap := w.roster.Snapshot()
	s := subject{ask: ask}
	for _, text := range ask.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			s.places = append(s.places, place(a))
		}
	}
	if c, ok := snap.Customer(ask.Customer); ok {
		if p, ok := c.Panel(ask.Panel); ok {
			s.match = roster.Match{Customer: c, Panel: p}
			s.keys, s.strong = ciphers(p, time.Now())
		}
	}
	return s, func(listener string, f dc09.Frame) (roster.Match, roster.Kind) {
		return snap.Find(listener, f.Prefix, f.Receiver, f.Account)
	}
}

// sender writes lines of JSON.
type sender struct{ to net.Conn }

func (s sender) send(l wire.Line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := s.to.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err = s.to.Write(append(b, '\n'))
	return err
}
