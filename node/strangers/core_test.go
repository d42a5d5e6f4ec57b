package strangers

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func at(s string) netip.Addr { return netip.MustParseAddr(s) }

// door is a connection that knows whether it was closed.
type door struct{ closed bool }

func (d *door) Close() error { d.closed = true; return nil }

func enter(t *testing.T, c *Core, from string, now time.Time) *Guest {
	t.Helper()
	g, _, why := c.Enter(at(from), &door{}, now)
	if g == nil {
		t.Fatalf("%s is refused: %s", from, why)
	}
	return g
}

// scan is one connection that offends so and is gone.
func scan(c *Core, from string, o Offence, now time.Time) (refused Refusal, banned bool) {
	g, _, why := c.Enter(at(from), &door{}, now)
	if g == nil {
		return why, false
	}
	banned = c.Offend(g, o, now)
	c.Leave(g, now)
	return "", banned
}

// The fourth scan in a row is one too many, for the address and nobody beside it.
func TestScannersAreBanned(t *testing.T) {
	c := New(Config{})
	for n := 1; n <= 4; n++ {
		if _, banned := scan(c, "192.0.2.1", Foreign, start); banned != (n == 4) {
			t.Errorf("scan %d: banned %v", n, banned)
		}
	}
	for from, want := range map[string]Refusal{"192.0.2.1": Banned, "::ffff:192.0.2.1": Banned, "192.0.2.2": ""} {
		if why, _ := scan(c, from, Unknown, start); why != want {
			t.Errorf("%s: %q, want %q", from, why, want)
		}
	}
	b := c.Bans(start)
	if len(b) != 1 || b[0].Network.String() != "192.0.2.1/32" || b[0].Why != Foreign || b[0].Level != 1 || b[0].Refused != 2 || !b[0].Until.Equal(start.Add(time.Minute)) {
		t.Errorf("bans %+v", b)
	}
	if why, _ := scan(c, "192.0.2.1", Unknown, start.Add(time.Minute)); why != "" {
		t.Errorf("after its time: %s", why)
	}
}

func TestIPv6IsBannedByItsUpperHalf(t *testing.T) {
	c := New(Config{})
	for _, from := range []string{"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3", "2001:db8:1:2::4"} {
		scan(c, from, Foreign, start)
	}
	for from, want := range map[string]Refusal{"2001:db8:1:2::9": Banned, "2001:db8:1:3::1": ""} {
		if why, _ := scan(c, from, Unknown, start); why != want {
			t.Errorf("%s: %q, want %q", from, why, want)
		}
	}
	if b := c.Bans(start); len(b) != 1 || b[0].Network.String() != "2001:db8:1:2::/64" {
		t.Errorf("bans %+v", b)
	}
}

// Bans grow fourfold to a day at most, and one step a day is forgiven.
func TestBansGrowAndAreForgiven(t *testing.T) {
	c, now := New(Config{}), start
	ban := func() time.Duration {
		for range 4 {
			scan(c, "192.0.2.1", Foreign, now)
		}
		b := c.Bans(now)
		if len(b) != 1 {
			t.Fatalf("bans %+v", b)
		}
		return b[0].Until.Sub(now)
	}
	for _, want := range []time.Duration{time.Minute, 4 * time.Minute, 16 * time.Minute, 64 * time.Minute, 256 * time.Minute, 1024 * time.Minute, 24 * time.Hour, 24 * time.Hour} {
		if got := ban(); got != want {
			t.Errorf("ban of %s, want %s", got, want)
		}
		now = c.Bans(now)[0].Until
	}
	now = now.Add(6 * 24 * time.Hour) // eight steps, six forgiven, the next is the third
	if got := ban(); got != 16*time.Minute {
		t.Errorf("after six days %s, want 16m", got)
	}
	now = now.Add(30 * 24 * time.Hour)
	if scan(c, "198.51.100.1", Unknown, now); len(c.seen) != 1 {
		t.Errorf("%d records after a month, want that of the last comer", len(c.seen))
	}
}

// Who does what panels do when they aren't entered yet, or have a wrong key, every
// five seconds all day, is never banned.
func TestPanelsInTroubleAreNotBanned(t *testing.T) {
	for _, o := range []Offence{Unknown, BadKey, BadFrame} {
		c := New(Config{})
		for s := range 24 * 3600 / 5 {
			if why, banned := scan(c, "192.0.2.1", o, start.Add(time.Duration(s)*5*time.Second)); why != "" || banned {
				t.Errorf("%s: refused (%s) or banned after %d", o, why, s)
				break
			}
		}
	}
}

// A carrier puts many panels behind one address: while one of them was acknowledged
// within a day, nothing that others do there leads to a ban, and a ban ends at the
// first acknowledgement.
func TestAddressOfAKnownPanelIsNeverBanned(t *testing.T) {
	c, now := New(Config{PerNetwork: 1}), start
	g := enter(t, c, "192.0.2.1", now)
	c.Prove(g, "p", true, now)
	c.Leave(g, now)
	now = now.Add(24 * time.Hour)
	var open []*Guest
	for range 50 {
		if why, banned := scan(c, "192.0.2.1", Foreign, now); why != "" || banned {
			t.Fatalf("refused (%s) or banned, a day after a panel's acknowledgement", why)
		}
		open = append(open, enter(t, c, "192.0.2.1", now)) // nor are they too many
	}
	for _, g := range open {
		c.Leave(g, now)
	}
	now = now.Add(time.Second) // a day and a second
	for range 4 {
		scan(c, "192.0.2.1", Foreign, now)
	}
	if len(c.Bans(now)) != 1 {
		t.Fatal("more than a day after it: want a ban")
	}
	c.Acknowledged(at("192.0.2.1"), true, now) // by a datagram: connections are refused
	if why, _ := scan(c, "192.0.2.1", Foreign, now); why != "" {
		t.Errorf("%s though a panel was acknowledged there", why)
	}
}

func TestNeverBan(t *testing.T) {
	c := New(Config{PerNetwork: 1, NeverBan: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}})
	for _, from := range []string{"192.0.2.7", "2001:db8:7::1"} {
		for range 50 {
			if why, banned := scan(c, from, Foreign, start); why != "" || banned {
				t.Fatalf("%s: refused (%s) or banned", from, why)
			}
		}
		enter(t, c, from, start)
		enter(t, c, from, start)
	}
	// An exemption that comes later ends a ban.
	for range 4 {
		scan(c, "198.51.100.1", Foreign, start)
	}
	c.Configure(Config{NeverBan: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, start)
	if why, _ := scan(c, "198.51.100.1", Foreign, start); why != "" || len(c.Bans(start)) > 0 {
		t.Errorf("%s though it is exempt now", why)
	}
}

// Only those count against their address that have not shown a known account.
func TestOnlyUnknownConnectionsCountAgainstAnAddress(t *testing.T) {
	c := New(Config{PerNetwork: 2})
	one := enter(t, c, "192.0.2.1", start)
	enter(t, c, "192.0.2.1", start)
	if why, _ := scan(c, "192.0.2.1", Unknown, start); why != Crowded {
		t.Errorf("the third: %q, want %q", why, Crowded)
	}
	enter(t, c, "192.0.2.2", start)
	c.Prove(one, "p", false, start) // taken, not acknowledged
	enter(t, c, "192.0.2.1", start)
	if why, _ := scan(c, "192.0.2.1", Unknown, start); why != Crowded {
		t.Errorf("two unknown and one proven: %q, want %q", why, Crowded)
	}
}

// The hundredth connection in a burst that is one too many bans its address.
func TestCrowdsAreBanned(t *testing.T) {
	c := New(Config{PerNetwork: 2})
	enter(t, c, "192.0.2.1", start)
	enter(t, c, "192.0.2.1", start)
	for n := range 101 {
		want := Crowded
		if n == 100 {
			want = Banned
		}
		if why, _ := scan(c, "192.0.2.1", Unknown, start); why != want {
			t.Fatalf("refused for the %dth time: %q, want %q", n+1, why, want)
		}
	}
}

// When all places are taken the one that was unknown the longest goes, never one
// that has shown a known account.
func TestWhoMakesRoom(t *testing.T) {
	c := New(Config{Connections: 3})
	doors := []*door{{}, {}, {}, {}, {}}
	var guests []*Guest
	for i := range 3 {
		g, _, _ := c.Enter(at("192.0.2.1"), doors[i], start)
		guests = append(guests, g)
	}
	c.Prove(guests[0], "p", true, start)
	g, out, _ := c.Enter(at("192.0.2.2"), doors[3], start)
	if out != io.Closer(doors[1]) {
		t.Errorf("%v goes, want the second", out)
	}
	c.Leave(guests[1], start) // its goroutine's own farewell counts once
	c.Prove(guests[2], "p", true, start)
	c.Prove(g, "p", true, start)
	if _, _, why := c.Enter(at("192.0.2.3"), doors[4], start); why != TooMany {
		t.Errorf("%q with three known panels, want %q", why, TooMany)
	}
	if n := c.Counts(start); n.Open != 3 || n.Unknown != 0 || len(c.seen) != 0 {
		t.Errorf("%+v, %d records", n, len(c.seen))
	}
}

// Whoever knows one account can't take all places with it: beyond some, its
// connections make room as strangers' do, and what left frees its place again.
func TestOnePanelDoesNotTakeAllPlaces(t *testing.T) {
	c := New(Config{Connections: 32})
	var guests []*Guest
	for range 32 {
		g := enter(t, c, "192.0.2.1", start)
		c.Prove(g, "p", true, start)
		guests = append(guests, g)
	}
	for n := range 16 {
		g := enter(t, c, "192.0.2.2", start) // other panels come
		c.Prove(g, string(rune('A'+n)), true, start)
	}
	if _, _, why := c.Enter(at("192.0.2.3"), &door{}, start); why != TooMany {
		t.Errorf("all places are firm, and the next: %q", why)
	}
	for n, g := range guests {
		if !g.Proven() || g.firm != (n < perPanel) {
			t.Errorf("connection %d: proven %v, firm %v", n, g.Proven(), g.firm)
		}
		c.Leave(g, start)
	}
	if g := enter(t, c, "192.0.2.1", start); true {
		c.Prove(g, "p", true, start)
		if !g.firm || c.firm["p"] != 1 {
			t.Errorf("proven %v, %d places after all have left", g.Proven(), c.firm["p"])
		}
	}
}

// A known network has handshakes enough for all panels behind it, and not so many
// that one of them keeps the processors busy.
func TestHandshakesOfAKnownNetworkAreBounded(t *testing.T) {
	c := New(Config{Handshakes: 5})
	c.Acknowledged(at("192.0.2.1"), true, start)
	c.Acknowledged(at("192.0.2.2"), true, start)
	begun := func(from string, now time.Time) (n int) {
		for range 1000 {
			if c.Handshake(at(from), now) {
				n++
			}
		}
		return n
	}
	for _, row := range []struct {
		from  string
		after time.Duration
		want  int
	}{{"192.0.2.1", 0, 250}, {"192.0.2.1", 9 * time.Second, 0}, {"192.0.2.2", 9 * time.Second, 250}, {"192.0.2.3", 9 * time.Second, 50}, {"192.0.2.1", 10 * time.Second, 250}} {
		if n := begun(row.from, start.Add(row.after)); n != row.want {
			t.Errorf("%s after %s: %d handshakes, want %d", row.from, row.after, n, row.want)
		}
	}
}

// One address, known and so never banned, doesn't take the place of the panels that
// are being installed elsewhere.
func TestOneAddressDoesNotTakeAllThatIsHeld(t *testing.T) {
	c := New(Config{Held: 10})
	c.Acknowledged(at("192.0.2.1"), true, start)
	for seconds := range 100 {
		now, mine := start.Add(time.Duration(seconds)*time.Second), 0
		for range 1000 {
			if c.Hold(at("192.0.2.1"), false, now) {
				mine++
			}
		}
		if mine > 10 || !c.Hold(at("192.0.2.2"), false, now) && seconds%10 == 0 {
			t.Fatalf("after %d s: %d of one address are kept, or none of another's", seconds, mine)
		}
	}
}

func TestLift(t *testing.T) {
	c := New(Config{})
	for _, from := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		for range 4 {
			scan(c, from, Foreign, start)
		}
	}
	for _, step := range []struct {
		prefix string
		lifted int
	}{{"192.0.2.9/32", 0}, {"192.0.2.1/32", 1}, {"192.0.2.1/32", 0}, {"192.0.2.0/24", 1}, {"2001:db8::77/128", 1}} {
		if got := c.Lift(netip.MustParsePrefix(step.prefix), start); len(got) != step.lifted {
			t.Errorf("%s: lifted %v, want %d", step.prefix, got, step.lifted)
		}
	}
	if why, banned := scan(c, "192.0.2.1", Foreign, start); why != "" || banned {
		t.Errorf("after lifting: %q, %v; want all forgotten", why, banned)
	}
}

// Networks by the hundred thousand take no more memory, and the banned stay banned.
func TestRecordsAreBounded(t *testing.T) {
	c := New(Config{})
	for range 4 {
		scan(c, "192.0.2.1", Foreign, start)
	}
	addr := at("10.0.0.0")
	for range maxNetworks + 50_000 {
		scan(c, addr.String(), Foreign, start)
		addr = addr.Next()
	}
	if len(c.seen) > maxNetworks || len(c.Bans(start)) != 1 {
		t.Errorf("%d records, %d bans; want at most %d and 1", len(c.seen), len(c.Bans(start)), maxNetworks)
	}
}

func TestForgedAcknowledgementsAreBounded(t *testing.T) {
	c := New(Config{})
	c.note(0, true, start)
	for n := range network(maxKnown + 10_000) {
		c.note(n, false, start)
	}
	if len(c.known[0]) > maxKnown {
		t.Errorf("%d, want %d at most", len(c.known[0]), maxKnown)
	}
	if c.note(1<<40, true, start); !c.isKnown(1<<40, start) {
		t.Error("a panel with a key finds no place")
	}
}

func TestRates(t *testing.T) {
	c := New(Config{Held: 5, HeldUDP: 1, Handshakes: 2, NeverBan: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	count := func(ask func(time.Time) bool, now time.Time) (n int) {
		for range 1000 {
			if ask(now) {
				n++
			}
		}
		return n
	}
	addr := 0
	hold := func(udp bool) func(time.Time) bool {
		return func(now time.Time) bool {
			addr++
			return c.Hold(netip.AddrFrom4([4]byte{198, 18, byte(addr >> 8), byte(addr)}), udp, now)
		}
	}
	shake := func(from string) func(time.Time) bool {
		return func(now time.Time) bool { return c.Handshake(at(from), now) }
	}
	for _, row := range []struct {
		what string
		ask  func(time.Time) bool
		now  time.Time
		want int
	}{
		{"datagrams", hold(true), start, 10}, {"connections, whatever datagrams took", hold(false), start, 50},
		{"datagrams a second later", hold(true), start.Add(time.Second), 1}, {"connections a minute later", hold(false), start.Add(time.Minute), 50},
		{"handshakes", shake("192.0.2.1"), start, 20}, {"handshakes of others", shake("192.0.2.2"), start, 0},
		{"handshakes of the configuration", shake("127.0.0.1"), start, 1000},
	} {
		if got := count(row.ask, row.now); got != row.want {
			t.Errorf("%s: %d of 1000, want %d", row.what, got, row.want)
		}
	}
	c.Acknowledged(at("192.0.2.3"), true, start)
	if got := count(shake("192.0.2.3"), start); got != 100 {
		t.Errorf("a known panel's: %d of 1000", got)
	}
}

// TestLaws: whatever comes, (1) no more are open than there are places, and per
// network no more unknown ones than allowed, (2) nobody who has shown a known account
// is turned out, (3) nobody is refused as banned who is exempt or known, (4) with
// nobody there and time gone by, nothing is left.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const places, per = 6, 2
		exempt := netip.MustParsePrefix("192.0.2.0/30") // .0 to .3
		c := New(Config{Connections: places, PerNetwork: per, NeverBan: []netip.Prefix{exempt}})
		now := start
		type live struct {
			g      *Guest
			d      *door
			from   netip.Addr
			proven bool
		}
		var guests []*live
		acked := map[netip.Addr]time.Time{}
		knows := func(a netip.Addr) bool {
			last, ok := acked[a]
			return ok && now.Sub(last) <= 24*time.Hour
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 7 * time.Second, time.Minute, 11 * time.Hour}).Draw(t, "later"))
			pick := func() *live {
				if len(guests) == 0 {
					return nil
				}
				return guests[rapid.IntRange(0, len(guests)-1).Draw(t, "who")]
			}
			switch rapid.IntRange(0, 5).Draw(t, "do") {
			case 0, 1:
				from := at("192.0.2.0")
				for range rapid.IntRange(0, 7).Draw(t, "from") {
					from = from.Next()
				}
				d := &door{}
				g, out, why := c.Enter(from, d, now)
				if out != nil {
					out.Close()
				}
				if why == Banned && (exempt.Contains(from) || knows(from)) {
					t.Fatalf("%s is banned", from)
				}
				if g != nil {
					guests = append(guests, &live{g: g, d: d, from: from})
				}
			case 2:
				if l := pick(); l != nil {
					ack := rapid.Bool().Draw(t, "acknowledged")
					if !l.d.closed {
						c.Prove(l.g, "p", ack, now)
						l.proven = true
						if ack && (acked[l.from].IsZero() || now.Sub(acked[l.from]) >= noteEvery) {
							acked[l.from] = now
						}
					}
				}
			case 3, 4:
				if l := pick(); l != nil {
					c.Offend(l.g, rapid.SampledFrom([]Offence{Foreign, Garbage, Unknown}).Draw(t, "offence"), now)
				}
			case 5:
				if l := pick(); l != nil {
					c.Leave(l.g, now)
					for i := range guests {
						if guests[i] == l {
							guests = append(guests[:i], guests[i+1:]...)
							break
						}
					}
				}
			}
			open, unknown := 0, map[netip.Addr]int{}
			for _, l := range guests {
				if l.d.closed {
					if l.proven {
						t.Fatal("one that had shown a known account was turned out")
					}
					continue
				}
				open++
				if l.g.counted {
					unknown[l.from]++
				}
			}
			if n := c.Counts(now); n.Open != open || open > places {
				t.Fatalf("%d open, the core says %d, want at most %d", open, n.Open, places)
			}
			for a, n := range unknown {
				if n > per {
					t.Fatalf("%d unknown from %s, want at most %d", n, a, per)
				}
			}
			for _, b := range c.Bans(now) {
				if exempt.Contains(b.Network.Addr()) || knows(b.Network.Addr()) {
					t.Fatalf("%s is banned", b.Network)
				}
			}
		}
		for _, l := range guests {
			c.Leave(l.g, now)
		}
		now = now.Add(365 * 24 * time.Hour)
		c.room(now)
		if n := c.Counts(now); n.Open != 0 || n.Unknown != 0 || n.Banned != 0 || len(c.seen) != 0 {
			t.Fatalf("left behind: %+v, %d records", n, len(c.seen))
		}
	})
}

func FuzzNetwork(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "2001:db8::1", "fe80::1", "::ffff:1.2.3.4"} {
		b, _ := at(s).MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a netip.Addr
		if a.UnmarshalBinary(b) != nil || !a.IsValid() {
			return
		}
		a = a.Unmap().WithZone("")
		p := networkOf(a).prefix()
		if a.Is6() && networkOf(a)>>32 == 0 || a == netip.IPv4Unspecified() {
			return // none of the Internet's
		}
		want := 32
		if a.Is6() {
			want = 64
		}
		if !p.Contains(a) || p.Bits() != want {
			t.Fatalf("%s is in %s", a, p)
		}
	})
}

func BenchmarkKnownPanelsConnection(b *testing.B) {
	c := New(Config{})
	d := &door{}
	a := at("192.0.2.1")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		g, _, _ := c.Enter(a, d, now)
		c.Prove(g, "p", true, now)
		c.Leave(g, now)
	}
}
