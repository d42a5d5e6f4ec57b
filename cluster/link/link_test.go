package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/link"
)

const testPurpose = link.PurposeFeed

// pair is two connected nodes; arezzo dials roubaix.
type pair struct {
	a            authority
	arezzo, roub *link.Link
	sa, sr       *socket
	stopA, stopR func()
}

func newPair(t *testing.T, setup func(arezzo, roubaix *link.Link)) *pair {
	t.Helper()
	p := &pair{a: newAuthority(t), sa: listen(t, "127.0.0.1:0"), sr: listen(t, "127.0.0.1:0")}
	p.arezzo = newLink(t, p.a.config("arezzo", p.sa, map[string]string{"roubaix": p.sr.address()}), quiet())
	p.roub = newLink(t, p.a.config("roubaix", p.sr, map[string]string{"arezzo": p.sa.address()}), quiet())
	if setup != nil {
		setup(p.arezzo, p.roub)
	}
	p.stopA, p.stopR = runs(t, p.arezzo.Run), runs(t, p.roub.Run)
	mustWait(t, p.arezzo, "roubaix")
	mustWait(t, p.roub, "arezzo")
	return p
}

var all = []string{link.RoleNode, link.RoleCentral, link.RoleOperator}

func echo(_ context.Context, from link.Identity, req []byte) ([]byte, error) {
	return append([]byte(from.String()+": "), req...), nil
}

func TestCall(t *testing.T) {
	p := newPair(t, func(a, r *link.Link) {
		for _, l := range []*link.Link{a, r} {
			l.HandleCall("echo", all, echo)
			l.HandleCall("no", all, func(context.Context, link.Identity, []byte) ([]byte, error) {
				return nil, &link.CallError{Kind: "not_leader", Text: "roubaix leads"}
			})
			l.HandleCall("fail", all, func(context.Context, link.Identity, []byte) ([]byte, error) {
				return nil, errors.New("disk full")
			})
			l.HandleCall("central", []string{link.RoleCentral}, echo)
		}
	})
	ctx := within(t, 20*time.Second)
	for from, l := range map[string]*link.Link{"arezzo": p.arezzo, "roubaix": p.roub} {
		for _, to := range []string{"arezzo", "roubaix"} {
			got, err := l.Call(ctx, to, "echo", []byte("hello"))
			if err != nil || string(got) != "node "+from+": hello" {
				t.Errorf("%s to %s: %q, %v", from, to, got, err)
			}
		}
	}
	big := make([]byte, 3<<20)
	if got, err := p.arezzo.Call(ctx, "roubaix", "echo", big); err != nil || len(got) != len(big)+len("node arezzo: ") {
		t.Errorf("3 MiB: %d bytes, %v", len(got), err)
	}
	for _, c := range []struct {
		method string
		kind   link.Kind
		text   string
		again  bool
	}{
		{"no", "not_leader", "roubaix leads", false},
		{"fail", link.KindFailed, "disk full", false},
		{"nothing", link.KindRefused, "no method", true},
		{"central", link.KindRefused, "role node", true},
	} {
		_, err := p.arezzo.Call(ctx, "roubaix", c.method, nil)
		if link.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) || link.NothingDone(err) != c.again {
			t.Errorf("%s: %v (kind %q), want kind %q", c.method, err, link.KindOf(err), c.kind)
		}
	}
	if _, err := p.arezzo.Call(ctx, "limburg", "echo", nil); link.KindOf(err) != link.KindUnreachable {
		t.Errorf("unknown node: %v", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	gone := make(chan struct{})
	p := newPair(t, func(a, r *link.Link) {
		r.HandleCall("wait", all, func(ctx context.Context, _ link.Identity, _ []byte) ([]byte, error) {
			<-ctx.Done()
			close(gone)
			return nil, ctx.Err()
		})
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := p.arezzo.Call(ctx, "roubaix", "wait", nil)
	if link.KindOf(err) != link.KindTimeout || !errors.Is(err, context.DeadlineExceeded) || link.NothingDone(err) {
		t.Errorf("got %v, want a timeout after which the request may have worked", err)
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the other side's function wasn't told that its caller has gone")
	}
}

// A stream that was aborted shows as an error and never as a clean end.
func TestCancelledStreamIsAnError(t *testing.T) {
	end := make(chan func(link.Stream) error, 1)
	wait := make(chan struct{})
	p := newPair(t, func(a, r *link.Link) {
		r.Handle(testPurpose, all, func(_ context.Context, _ link.Identity, s link.Stream) error {
			s.Write([]byte("some bytes"))
			return (<-end)(s)
		})
	})
	for name, c := range map[string]struct {
		end   func(link.Stream) error
		clean bool
	}{
		"returned nil":   {func(link.Stream) error { return nil }, true},
		"closed":         {func(s link.Stream) error { return s.Close() }, true},
		"returned error": {func(link.Stream) error { return errors.New("broken") }, false},
		"aborted":        {func(s link.Stream) error { s.Abort(); return nil }, false},
		"write cancel":   {func(s link.Stream) error { s.CancelWrite(); return nil }, false},
	} {
		s, err := p.arezzo.Open(within(t, 10*time.Second), "roubaix", testPurpose)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 10)
		if _, err := io.ReadFull(s, first); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		end <- c.end
		_, err = io.ReadAll(s)
		if c.clean != (err == nil) || !c.clean && link.KindOf(err) != link.KindCancelled {
			t.Errorf("%s: reading ended with %v", name, err)
		}
		s.Close()
	}
	s, err := p.arezzo.Open(within(t, 10*time.Second), "roubaix", testPurpose)
	if err != nil {
		t.Fatal(err)
	}
	end <- func(s link.Stream) error { s.CancelRead(); <-wait; return nil }
	for err == nil {
		_, err = s.Write(make([]byte, 1000))
	}
	if link.KindOf(err) != link.KindCancelled {
		t.Errorf("writing to one who reads no more: %v", err)
	}
	s.Abort()
	if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
		// what was sent before may still be read
		if _, err = io.ReadAll(s); err == nil {
			t.Errorf("reading after an abort ended cleanly")
		}
	}
	close(wait)
}

func TestStreamDeadline(t *testing.T) {
	p := newPair(t, func(a, r *link.Link) {
		r.Handle(testPurpose, all, func(ctx context.Context, _ link.Identity, s link.Stream) error { <-ctx.Done(); return nil })
	})
	s, err := p.arezzo.Open(within(t, 10*time.Second), "roubaix", testPurpose)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err = s.Read(make([]byte, 1))
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("got %v, want a deadline", err)
	}
}

func TestRolesOfStreams(t *testing.T) {
	p := newPair(t, func(a, r *link.Link) {
		r.Handle(testPurpose, []string{link.RoleCentral}, func(_ context.Context, from link.Identity, s link.Stream) error {
			_, err := fmt.Fprint(s, from)
			return err
		})
		r.HandleCall("echo", []string{link.RoleCentral}, echo)
	})
	nodes := map[string]string{"arezzo": p.sa.address(), "roubaix": p.sr.address()}
	central := p.a.client(link.Identity{Name: "central", Role: link.RoleCentral}, nodes)
	operator := p.a.client(link.Identity{Name: "anna", Role: link.RoleOperator}, nodes)
	runs(t, central.Run)
	runs(t, operator.Run)
	mustWait(t, central, "roubaix")
	mustWait(t, operator, "roubaix")
	read := func(open func(context.Context, string, link.Purpose) (link.Stream, error), purpose link.Purpose) (string, error) {
		s, err := open(within(t, 10*time.Second), "roubaix", purpose)
		if err != nil {
			return "", err
		}
		defer s.Abort()
		b, err := io.ReadAll(s)
		return string(b), err
	}
	if got, err := read(central.Open, testPurpose); got != "central central" || err != nil {
		t.Errorf("central: %q, %v", got, err)
	}
	for name, open := range map[string]func(context.Context, string, link.Purpose) (link.Stream, error){"operator": operator.Open, "node": p.arezzo.Open} {
		if got, err := read(open, testPurpose); link.KindOf(err) != link.KindRefused {
			t.Errorf("%s: %q, %v, want refused", name, got, err)
		}
	}
	if got, err := read(central.Open, link.PurposeRaft); link.KindOf(err) != link.KindRefused {
		t.Errorf("purpose without function: %q, %v, want refused", got, err)
	}
	if _, err := operator.Call(within(t, 10*time.Second), "roubaix", "echo", nil); link.KindOf(err) != link.KindRefused {
		t.Errorf("operator's call: %v, want refused", err)
	}
	if _, err := central.Call(within(t, 10*time.Second), "roubaix", "echo", nil); err != nil {
		t.Errorf("central's call: %v", err)
	}
}

func TestWrongNameIsRefused(t *testing.T) {
	a := newAuthority(t)
	sa, sl := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	// arezzo believes that roubaix is where limburg listens
	arezzo := newLink(t, a.config("arezzo", sa, map[string]string{"roubaix": sl.address()}), quiet())
	e, log := logged()
	limburg := newLink(t, a.config("limburg", sl, map[string]string{}), e)
	runs(t, arezzo.Run)
	runs(t, limburg.Run)
	want := "the certificate there is of node limburg, want node roubaix"
	eventually(t, func() bool { return strings.Contains(arezzo.Status()[0].Problem, want) }, func() string { return arezzo.Status()[0].Problem })

	// a node that limburg's configuration doesn't name is told so
	sb := listen(t, "127.0.0.1:0")
	bergamo := newLink(t, a.config("bergamo", sb, map[string]string{"limburg": sl.address()}), quiet())
	runs(t, bergamo.Run)
	want = "node bergamo is no configured peer of node limburg"
	eventually(t, func() bool { return strings.Contains(bergamo.Status()[0].Problem, want) }, func() string { return bergamo.Status()[0].Problem })
	if !strings.Contains(bergamo.Status()[0].Problem, string(link.KindRefused)) {
		t.Errorf("problem %q doesn't say refused", bergamo.Status()[0].Problem)
	}
	eventually(t, func() bool { return strings.Contains(log(), want) }, log)

	// one of another CA
	other := newAuthority(t)
	sc := listen(t, "127.0.0.1:0")
	como := newLink(t, other.config("como", sc, map[string]string{"limburg": sl.address()}), quiet())
	runs(t, como.Run)
	eventually(t, func() bool { return strings.Contains(como.Status()[0].Problem, "unknown authority") }, func() string { return como.Status()[0].Problem })
}

func eventually(t *testing.T, ok func() bool, show func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("didn't happen within 10 s; now: %s", show())
		}
	}
}

func TestAddressInUse(t *testing.T) {
	a := newAuthority(t)
	s := listen(t, "127.0.0.1:0")
	cfg := a.config("arezzo", nil, nil)
	cfg.Listen = s.address()
	err := newLink(t, cfg, env.Quiet(1)).Run(within(t, time.Second))
	if link.KindOf(err) != link.KindAddress || !strings.Contains(err.Error(), s.address()) {
		t.Errorf("got %v, want that %s is in use", err, s.address())
	}
}

func TestConfiguration(t *testing.T) {
	a := newAuthority(t)
	good := a.config("arezzo", nil, map[string]string{"roubaix": "127.0.0.1:1"})
	good.Listen = "127.0.0.1:0"
	if err := good.Validate(); err != nil {
		t.Errorf("good: %v", err)
	}
	for want, change := range map[string]func(*link.Config){
		"name":                            func(c *link.Config) { c.Name = "A B" },
		"listen":                          func(c *link.Config) { c.Listen = "7700" },
		"is this node itself":             func(c *link.Config) { c.Peers = map[string]string{"arezzo": "h:1"} },
		"of roubaix: want host:port":      func(c *link.Config) { c.Peers = map[string]string{"roubaix": "h"} },
		"key file":                        func(c *link.Config) { c.KeyFile = "" },
		"is of node arezzo, want node pi": func(c *link.Config) { c.Name = "pi" },
	} {
		c := good
		change(&c)
		if _, err := link.New(c, quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := os.Chmod(good.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := link.New(good, quiet()); err == nil || !strings.Contains(err.Error(), "want 0600") {
		t.Errorf("key for all to read: %v", err)
	}
}
