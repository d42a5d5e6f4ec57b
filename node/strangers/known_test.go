package strangers

import (
	"testing"
	"time"
)

func scans(c *Core, from string, now time.Time) (refused Refusal) {
	for range 4 {
		scan(c, from, Foreign, now)
	}
	refused, _ = scan(c, from, Unknown, now)
	return refused
}

// What another node tells ends a ban and keeps another from beginning, as long as the
// acknowledgement there is within the day.
func TestWhatAnotherNodeKnows(t *testing.T) {
	for _, row := range []struct {
		what   string
		age    time.Duration
		lifted int
		later  time.Duration
		want   Refusal
	}{
		{"just now", 0, 1, 0, ""},
		{"just now, a day later", 0, 1, 24 * time.Hour, ""},
		{"just now, more than a day later", 0, 1, 24*time.Hour + time.Second, Banned},
		{"23 hours ago", 23 * time.Hour, 1, time.Hour, ""},
		{"23 hours ago, then more than one", 23 * time.Hour, 1, time.Hour + time.Second, Banned},
		{"more than a day ago", 24*time.Hour + time.Second, 0, 0, Banned},
	} {
		c := New(Config{})
		if why := scans(c, "192.0.2.1", start); why != Banned {
			t.Fatalf("four scans: %q", why)
		}
		if got := c.Hear([]Known{{uint64(networkOf(at("192.0.2.1"))), row.age, true}}, false, start); got != row.lifted {
			t.Errorf("%s: %d bans ended, want %d", row.what, got, row.lifted)
		}
		if why := scans(c, "192.0.2.1", start.Add(row.later)); why != row.want {
			t.Errorf("%s: %q, want %q", row.what, why, row.want)
		}
		if why := scans(c, "192.0.2.2", start.Add(row.later)); why != Banned {
			t.Errorf("%s: the neighbour: %q", row.what, why)
		}
	}
}

// What came from elsewhere is forgotten within two days too, and doesn't outlive
// what is newer here.
func TestHearsayIsForgottenInTime(t *testing.T) {
	c, n := New(Config{}), networkOf(at("192.0.2.1"))
	c.note(1, true, start)
	c.Hear([]Known{{uint64(n), 23 * time.Hour, true}}, false, start)
	c.News(1, start.Add(24*time.Hour+time.Second))
	if _, have := c.acquaintance(n); have {
		t.Error("still there 47 hours after its acknowledgement, when a generation has ended")
	}
	c.note(n, true, start)
	c.Hear([]Known{{uint64(n), time.Hour, true}}, false, start)
	if !c.isKnown(n, start.Add(24*time.Hour)) {
		t.Error("an older word took the place of what was seen here")
	}
}

// A process that has just started bans nobody, until another node has told all, or
// its time is over; then the next offence bans.
func TestLenientAfterStart(t *testing.T) {
	for _, row := range []struct {
		what     string
		complete bool
		later    time.Duration
		want     Refusal
	}{
		{"at once", false, 0, ""},
		{"until ten minutes", false, 10*time.Minute - time.Second, ""},
		{"after them", false, 10 * time.Minute, Banned},
		{"another node told all", true, 0, Banned},
	} {
		c := New(Config{})
		c.Start(start)
		if why := scans(c, "192.0.2.1", start); why != "" {
			t.Fatalf("%s: %q right after a start", row.what, why)
		}
		c.Hear(nil, row.complete, start)
		now := start.Add(row.later)
		scan(c, "192.0.2.1", Foreign, now)
		if got, _ := scan(c, "192.0.2.1", Unknown, now); row.later == 0 && got != row.want {
			t.Errorf("%s, one more scan: %q, want %q", row.what, got, row.want)
		}
		if why := scans(c, "192.0.2.1", now); why != row.want || c.Lenient(now) == (row.want == Banned) {
			t.Errorf("%s: %q, want %q; lenient %v", row.what, why, row.want, c.Lenient(now))
		}
		c.Acknowledged(at("192.0.2.1"), true, now)
		if why := scans(c, "192.0.2.1", now); why != "" {
			t.Errorf("%s: %q though a panel was acknowledged there", row.what, why)
		}
	}
}

// However much a stranger did while all were lenient, it is forgiven as soon as what
// leads to a first ban.
func TestLenienceBearsNoGrudge(t *testing.T) {
	c := New(Config{})
	c.Start(start)
	for range 200 {
		scan(c, "192.0.2.1", Foreign, start)
	}
	if _, banned := scan(c, "192.0.2.1", Foreign, start.Add(10*time.Minute)); banned {
		t.Error("banned for one scan after ten quiet minutes")
	}
	if n := c.Hear([]Known{{uint64(networkOf(at("192.0.2.1"))), 0, true}}, false, start); n != 0 {
		t.Errorf("%d bans ended where there was none", n)
	}
}

// Only what is new is told, again after an hour at most, and all to who missed too
// much.
func TestNews(t *testing.T) {
	c, now := New(Config{}), start
	tell := func(after uint64, want int, all bool) (upto uint64) {
		t.Helper()
		list, upto, whole := c.News(after, now)
		if len(list) != want || whole != all {
			t.Errorf("%d told, all %v; want %d, %v", len(list), whole, want, all)
		}
		return upto
	}
	first := tell(0, 0, true)
	c.note(1, true, now)
	c.note(2, false, now)
	next := tell(first, 2, false)
	now = now.Add(30 * time.Minute)
	c.note(1, true, now)
	c.Hear([]Known{{2, time.Minute, true}}, false, now)
	tell(next, 0, false)
	now = now.Add(28 * time.Minute)
	c.note(1, true, now)
	c.Hear([]Known{{3, time.Minute, true}}, false, now)
	next = tell(next, 2, false)
	for n := range network(maxNews) {
		c.note(10+n, true, now)
	}
	tell(next, 3+maxNews, true)
	tell(c.told+5, 3+maxNews, true) // of another process
	now = now.Add(24*time.Hour + time.Minute)
	tell(0, 0, true)
}

// What one node tells never fills another's places for those that nobody forged.
func TestForgedHearsayIsBounded(t *testing.T) {
	c := New(Config{})
	c.note(0, true, start)
	var list []Known
	for n := range uint64(maxKnown + 10_000) {
		list = append(list, Known{Network: n, Age: time.Second})
	}
	c.Hear(list, false, start)
	if len(c.known[1]) != maxKnown {
		t.Errorf("%d, want %d", len(c.known[1]), maxKnown)
	}
	if c.Hear([]Known{{1 << 50, time.Second, true}, {1 << 51, 0, true}}, false, start); !c.isKnown(1<<50, start) || !c.isKnown(1<<51, start) {
		t.Error("a panel with a key finds no place")
	}
	told, _, _ := c.News(0, start)
	if len(told) > maxTold || !told[0].Sure || told[3].Sure {
		t.Errorf("%d told, want %d at most, the sure ones first", len(told), maxTold)
	}
}
