package uplink

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

var (
	arezzo    = mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 7}
	roubaix   = mesh.Origin{Node: "roubaix", Incarnation: 2, Random: 9}
	decisions = mesh.Agreement(1)
)

// central is the other end of a feed.
type central struct {
	t     *testing.T
	conn  net.Conn
	got   chan string // "arezzo 1", or "keep-alive"
	ended chan error  // Feed's
}

func follow(ctx context.Context, t *testing.T, u *Uplink, cursors map[mesh.Origin]uint64) *central {
	t.Helper()
	near, far := net.Pipe()
	c := &central{t: t, conn: far, got: make(chan string, 1000), ended: make(chan error, 1)}
	go func() {
		c.ended <- u.Feed(ctx, near)
		near.Close()
	}()
	go c.read()
	c.confirm(cursors)
	return c
}

func (c *central) confirm(cursors map[mesh.Origin]uint64) {
	c.t.Helper()
	b, err := json.Marshal(map[string]any{"cursors": cursors})
	if err == nil {
		_, err = c.conn.Write(append(b, '\n'))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *central) read() {
	defer close(c.got)
	var head [4]byte
	for {
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if len(b) == 0 {
			c.got <- "keep-alive"
			continue
		}
		if _, err := io.ReadFull(c.conn, b); err != nil {
			c.t.Errorf("a frame is cut: %v", err)
			return
		}
		r, err := mesh.Decode(b)
		if err != nil {
			c.t.Error(err)
			return
		}
		name := r.Origin.Node
		if r.Origin.IsAgreement() {
			name = "agreement"
		}
		c.got <- fmt.Sprint(name, " ", r.Number)
	}
}

// want takes what has come until nothing moves any more.
func (c *central) want(want ...string) {
	c.t.Helper()
	synctest.Wait()
	var got []string
	for len(c.got) > 0 {
		got = append(got, <-c.got)
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

// stop ends the feed as central does, and returns Feed's error.
func (c *central) stop() error {
	c.conn.Close()
	return <-c.ended
}

func TestRule06_FeedGoesUpToTheDurableMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, j := newUplink(t)
		j.write(t, arezzo, 4)
		j.write(t, roubaix, 1)
		j.write(t, decisions, 2)
		j.rise(arezzo, 3)
		j.rise(decisions, 2)
		c := follow(t.Context(), t, u, nil)
		// Chunks in turn; the agreement's after those of the nodes.
		c.want("arezzo 1", "arezzo 2", "agreement 1", "agreement 2", "arezzo 3")
		j.write(t, arezzo, 1)
		c.want()
		j.rise(roubaix, 1)
		c.want("roubaix 1")
		j.rise(arezzo, 5)
		c.want("arezzo 4", "arezzo 5")
		if err := c.stop(); err == nil {
			t.Error("a feed whose stream has ended returned no error")
		}
	})
}

// The others may have flushed a record, so that it is durable, before it is
// flushed here: then it waits for that and for nothing else.
func TestRule06_FeedGoesOnWithTheFlushHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, j := newUplink(t)
		j.write(t, arezzo, 1)
		j.rise(arezzo, 2)
		c := follow(t.Context(), t, u, nil)
		c.want("arezzo 1")
		j.write(t, arezzo, 1)
		c.want("arezzo 2")
		c.stop()
	})
}

func TestFeedBeginsAtTheCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, j := newUplink(t)
		j.write(t, arezzo, 5)
		j.write(t, decisions, 3)
		j.rise(arezzo, 5)
		j.rise(decisions, 3)
		c := follow(t.Context(), t, u, map[mesh.Origin]uint64{arezzo: 3, decisions: 3, roubaix: 99})
		c.want("arezzo 4", "arezzo 5")
		// A confirmation moves no cursor of the feed.
		c.confirm(map[mesh.Origin]uint64{arezzo: 5})
		j.write(t, arezzo, 1)
		j.rise(arezzo, 6)
		c.want("arezzo 6")
		c.stop()
	})
}

func TestFeedKeepsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, j := newUplink(t)
		j.write(t, arezzo, 1)
		c := follow(t.Context(), t, u, nil)
		c.want()
		time.Sleep(3 * time.Second)
		c.want("keep-alive", "keep-alive", "keep-alive")
		j.rise(arezzo, 1)
		c.want("arezzo 1")
		c.stop()
	})
}

func TestFeedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, j := newUplink(t)
		ctx, cancel := context.WithCancel(t.Context())
		c := follow(ctx, t, u, nil)
		synctest.Wait()
		cancel()
		if err := <-c.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v, want the context's error", err)
		}
		j.write(t, arezzo, 1)
		j.broken = errors.New("damaged file") // nobody reads it yet
		c = follow(t.Context(), t, u, nil)
		j.rise(arezzo, 1)
		if err := <-c.ended; !errors.Is(err, j.broken) {
			t.Errorf("ended with %v, want the journal's error", err)
		}
		for _, line := range []string{"no json\n", strings.Repeat(" ", lineBytes+100_000) + "\n"} {
			near, far := net.Pipe()
			go func() { _, _ = io.WriteString(far, line) }()
			if err := u.Feed(t.Context(), near); err == nil {
				t.Errorf("a first line %.10q was taken for cursors", line)
			}
			far.Close()
		}
	})
}

// Run commits what central confirmed, each rise once, and again when it failed.
func TestConfirmationsAreCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, l, j := newUplink(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- u.Run(ctx) }()
		confirms := func() (n int) {
			synctest.Wait()
			for _, b := range l.proposed() {
				if _, ok := b.(decision.Confirm); ok {
					n++
				}
			}
			return n
		}
		time.Sleep(time.Minute)
		if n := confirms(); n != 0 {
			t.Errorf("%d confirmations of nothing", n)
		}
		j.write(t, arezzo, 5)
		c := follow(t.Context(), t, u, map[mesh.Origin]uint64{arezzo: 3})
		c.confirm(map[mesh.Origin]uint64{arezzo: 5, decisions: 2})
		c.confirm(map[mesh.Origin]uint64{arezzo: 4}) // of an older feed
		time.Sleep(11 * time.Second)
		got := l.fsm.View().Confirmed()
		if confirms() != 1 || got[arezzo] != 5 || got[decisions] != 2 {
			t.Errorf("%d commits, confirmed %v, want arezzo 5 and the agreement 2 in one", confirms(), got)
		}
		time.Sleep(time.Minute)
		if n := confirms(); n != 1 {
			t.Errorf("%d commits of one confirmation", n)
		}
		l.fails(errors.New("no leader"))
		c.confirm(map[mesh.Origin]uint64{arezzo: 6})
		time.Sleep(11 * time.Second)
		l.fails(nil)
		time.Sleep(20 * time.Second)
		if got := l.fsm.View().Confirmed(); got[arezzo] != 6 {
			t.Errorf("confirmed %v after a proposal that failed, want arezzo 6", got)
		}
		c.stop()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
