package rows

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/cluster/replica"
	"vedetta/node/intake"
	"vedetta/node/reception"
	rosters "vedetta/node/roster"
	"vedetta/node/strangers"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// customer is the one that all panels belong to; it is what the agreement would say
// of it.
type customer struct {
	key, day seal.Key
	sealed   []byte // its roster document
}

func newCustomer(t *testing.T, panels ...roster.Panel) customer {
	t.Helper()
	c := customer{key: seal.NewKey(), day: seal.NewKey()}
	b, err := roster.Marshal(roster.Customer{ID: "c1", Language: "it", Panels: panels})
	if err != nil {
		t.Fatal(err)
	}
	c.sealed = seal.SealColumn(c.key, rosters.Purpose, b)
	return c
}

// Documents, HasDocument, CustomerKey and Changed are roster.Source.
func (c customer) Documents(uint64) ([]rosters.Document, int, uint64) {
	return []rosters.Document{{Customer: "c1", Revision: 1, Index: 1, Sealed: c.sealed}}, 1, 1
}
func (c customer) HasDocument(id string) bool          { return id == "c1" }
func (c customer) CustomerKey(string) (seal.Key, bool) { return c.key, true }
func (c customer) Changed() <-chan struct{}            { return nil }

// DayKey is intake.Keys.
func (c customer) DayKey(mesh.Day) (seal.Key, bool) { return c.day, true }

// alone is the link of a mesh of one site: nobody connects.
type alone struct{}

func (alone) Handle(link.Purpose, []string, func(context.Context, link.Identity, link.Stream) error) {
}
func (alone) OnConnect(func(context.Context, link.Identity)) {}
func (alone) Open(context.Context, string, link.Purpose) (link.Stream, error) {
	return nil, errors.New("there is no peer")
}
func (alone) Status() []link.PeerStatus { return nil }

// receiver is a running one.
type receiver struct {
	t      *testing.T
	of     customer
	name   string
	files  *journal.Journal
	origin mesh.Origin
	copies *replica.Replica
	tcp    netip.AddrPort
	udp    netip.AddrPort
	ready  atomic.Bool
	heard  atomic.Int64 // signs of life that supervision was told of
}

// Heard is intake.Supervisor.
func (r *receiver) Heard(time.Time, *roster.Panel, string, *string, *string) { r.heard.Add(1) }

// newReceiver starts one named arezzo for these panels.
func newReceiver(t *testing.T, panels ...roster.Panel) *receiver {
	t.Helper()
	return start(t, "arezzo", newCustomer(t, panels...), intake.Config{})
}

func start(t *testing.T, name string, of customer, cfg intake.Config) *receiver {
	t.Helper()
	dir := t.TempDir()
	if err := journal.Create(dir); err != nil {
		t.Fatal(err)
	}
	files, err := journal.Open(journal.Config{Dir: dir}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, of: of, name: name, files: files}
	r.ready.Store(true)
	if r.origin, err = files.Begin(name); err != nil {
		t.Fatal(err)
	}
	if r.copies, err = replica.New(replica.Config{Node: name, Site: name}, files, alone{}, env.Quiet(2)); err != nil {
		t.Fatal(err)
	}
	r.copies.SetMembers([]replica.Member{{Node: name, Disk: files.DiskID(), Site: name}}, []string{name})
	people := rosters.New(of, env.Quiet(3))
	people.Sync()
	if cfg.Wait == 0 {
		cfg.Wait = time.Second
	}
	cfg.Behind, cfg.Ahead = 40*time.Second, 20*time.Second
	in := intake.New(cfg, intake.Parts{Roster: people, Journal: files, Replica: r.copies, Keys: of, Heard: r, Ready: r.ready.Load}, env.Quiet(4))
	front, err := reception.New(reception.Config{Listeners: []reception.Listener{{Name: "main", TCP: "127.0.0.1:0", UDP: "127.0.0.1:0"}}, Drain: time.Second}, in,
		strangers.New(strangers.Config{NeverBan: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), env.Quiet(5))
	if err != nil {
		t.Fatal(err)
	}
	front.SetOpen(true)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return files.Run(ctx) })
	g.Go(func() error { return r.copies.Run(ctx) })
	g.Go(func() error { return front.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("receiver: %v", err)
		}
		files.Close() //nolint:errcheck // the test is over
	})
	for deadline := time.Now().Add(5 * time.Second); !front.Opened(); {
		if time.Now().After(deadline) {
			t.Fatal("the receiver doesn't open")
		}
		<-time.After(time.Millisecond)
	}
	r.tcp, r.udp = front.AddressOf("main", reception.TCP), front.AddressOf("main", reception.UDP)
	return r
}

// cutOff makes it one of three sites, whose others don't answer: nothing becomes
// durable any more.
func (r *receiver) cutOff() {
	members := []replica.Member{{Node: r.name, Disk: r.files.DiskID(), Site: r.name}, {Node: "b", Disk: "b", Site: "b"}, {Node: "c", Disk: "c", Site: "c"}}
	r.copies.SetMembers(members, []string{r.name, "b", "c"})
}

// stored are the entries of the journal, opened, in their order.
func (r *receiver) stored() []entry.Message {
	r.t.Helper()
	var list []entry.Message
	for _, rec := range r.records() {
		key := r.of.key
		if id, err := seal.IDOf(rec.Sealed); err == nil && id == r.of.day.ID {
			key = r.of.day
		}
		plain, err := seal.Open(key, rec.Header, rec.Sealed)
		if err != nil {
			r.t.Fatal(err)
		}
		m, err := entry.Unmarshal(plain)
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

func (r *receiver) records() []mesh.Record {
	r.t.Helper()
	mark, _ := r.files.MarkAndHash(r.origin)
	if mark == 0 {
		return nil
	}
	records, err := r.files.Read(r.origin, 1, mark, 64<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	return records
}

// line is a panel's connection, or its socket for datagrams.
type line struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dial opens one by transport: tcp or udp.
func (r *receiver) dial(transport string) *line {
	r.t.Helper()
	to := r.tcp
	if transport == "udp" {
		to = r.udp
	}
	conn, err := net.DialTimeout(transport, to.String(), 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &line{r.t, conn, bufio.NewReaderSize(conn, 8192)}
}

func (l *line) send(b []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

// answer is the next whole answer, nil when none comes within the time.
func (l *line) answer(within time.Duration) []byte {
	l.t.Helper()
	l.conn.SetReadDeadline(time.Now().Add(within)) //nolint:errcheck // the read says so
	head, err := l.in.Peek(10)
	if err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && len(head) == 0 {
			return nil
		}
		l.t.Fatalf("answer: %q, %v", head, err)
	}
	// The answers' own form: by where the length's zero and the first quote stand.
	body := 9
	if head[3] == '0' && head[7] == '"' {
		body = 7
	}
	n, err := strconv.ParseUint(string(head[body-4:body]), 16, 16)
	if err != nil || head[0] != '\n' || head[body] != '"' {
		l.t.Fatalf("an answer begins with %q", head)
	}
	out := make([]byte, body+int(n))
	if _, err := io.ReadFull(l.in, out); err != nil {
		l.t.Fatalf("answer: %q, %v", out, err)
	}
	if out[len(out)-1] != '\r' { // the length doesn't count it
		cr, err := l.in.ReadByte()
		if err != nil || cr != '\r' {
			l.t.Fatalf("an answer %q ends with %q, %v", out, cr, err)
		}
		out = append(out, cr)
	}
	return out
}

// ask sends a frame and returns its answer.
func (l *line) ask(frame []byte) []byte {
	l.t.Helper()
	l.send(frame)
	return l.answer(5 * time.Second)
}

// wants asks and compares the answer byte for byte.
func (l *line) wants(frame, want []byte) {
	l.t.Helper()
	if got := l.ask(frame); !bytes.Equal(got, want) {
		l.t.Errorf("%q answered %q, want %q", frame, got, want)
	}
}

// silent sends a frame and wants no answer to it: over TCP the next is that to a
// poll behind it.
func (l *line) silent(frame, poll, pollAnswer []byte) {
	l.t.Helper()
	l.send(frame)
	if l.conn.RemoteAddr().Network() == "udp" {
		if got := l.answer(200 * time.Millisecond); got != nil {
			l.t.Errorf("%q answered %q, want silence", frame, got)
		}
		return
	}
	l.send(poll)
	if got := l.answer(5 * time.Second); !bytes.Equal(got, pollAnswer) {
		l.t.Errorf("%q and a poll answered %q, want only the poll's %q", frame, got, pollAnswer)
	}
}
