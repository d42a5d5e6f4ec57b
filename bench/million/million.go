// Package million measures what a million supervised panels cost a node: bytes
// of its roster and of supervision, digests to another node, judging, and how
// soon a poll is noted. It runs in one process, on the product's own parts.
package million

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"time"

	"vedetta/cluster/env"
	rosters "vedetta/node/roster"
	"vedetta/node/supervision"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Options of Run.
type Options struct {
	Panels      int           `default:"1000000" help:"How many panels."`
	PerCustomer int           `default:"1000" help:"Panels of one customer."`
	Interval    time.Duration `default:"60s" help:"How often each panel polls."`
	Seconds     int           `default:"10" help:"Seconds of polls to measure."`
}

// Report is what was measured.
type Report struct {
	Panels       int
	RosterBytes  float64 // per panel
	SuperBytes   float64 // per panel
	SealedBytes  float64 // per panel: the agreement's own copy of the documents, not in the sum
	NotePoll     time.Duration
	DigestBytes  float64 // a second, to one node
	DigestCPU    time.Duration
	TakeCPU      time.Duration
	JudgeCPU     time.Duration
	WholeBytes   int
	WholeCPU     time.Duration
	FalselyRaise int
}

// Main is Run for a command line: only what it prints counts.
func Main(ctx context.Context, o Options, out io.Writer) error {
	_, err := Run(ctx, o, out)
	return err
}

// Run measures and prints.
func Run(ctx context.Context, o Options, out io.Writer) (Report, error) {
	r := Report{Panels: o.Panels}
	src := &source{o: o, key: seal.NewKey()}
	people := rosters.New(src, env.Quiet(1))
	var ids []string
	began := time.Now()
	empty := heap()
	for src.next(); !src.done(); src.next() {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		people.Sync()
	}
	src.docs = nil
	r.RosterBytes = float64(heap()-empty) / float64(o.Panels)
	r.SealedBytes = float64(src.sealed) / float64(o.Panels)
	fmt.Fprintf(out, "%d panels of %d customers, roster loaded in %s\n", o.Panels, src.at, time.Since(began).Round(100*time.Millisecond))

	before := heap()
	now := time.Now()
	core := supervision.NewCore(now, "arezzo", 1, 24*time.Hour)
	configure(core)
	people.Snapshot().Each(func(customer string, p *roster.Panel) {
		core.Put(now, supervision.Panel{ID: p.ID, Customer: customer, Within: o.Interval + o.Interval/2})
		ids = append(ids, p.ID)
	})
	idBytes := cap(ids) * 16
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i, id := range ids { // all are heard once, over one interval
		core.Heard(now.Add(time.Duration(i)*o.Interval/time.Duration(len(ids))), id, supervision.Primary)
	}
	now = now.Add(o.Interval)
	core.Cut(now)
	for range 12 { // what is kept for slow nodes is forgotten
		now = now.Add(time.Second)
		core.Cut(now)
	}
	r.SuperBytes = float64(heap()-before-uint64(idBytes)) / float64(o.Panels)

	peer := supervision.NewCore(now, "roubaix", 2, 24*time.Hour)
	configure(peer)
	for _, id := range ids {
		peer.Put(now, supervision.Panel{ID: id, Customer: "c", Within: o.Interval + o.Interval/2})
	}
	core.Serve(now, true)
	start := cpu()
	whole, seq := core.Digest(now, "roubaix")
	r.WholeBytes = len(whole)
	if again, err := peer.Take(now, "arezzo", whole); err != nil || again {
		return r, fmt.Errorf("whole digest not taken: %v, %w", again, err)
	}
	r.WholeCPU = cpu() - start
	core.Answered("roubaix", seq, true)
	whole = nil

	perSecond, at := int(float64(len(ids))*float64(time.Second)/float64(o.Interval)), 0
	var noted, told, took, judged time.Duration
	bytes := 0
	for range o.Seconds {
		now = now.Add(time.Second)
		start = cpu()
		for range perSecond {
			core.Heard(now, ids[at%len(ids)], supervision.Primary)
			at++
		}
		noted += cpu() - start
		core.Serve(now, true)
		peer.Serve(now, true)
		start = cpu()
		core.Cut(now)
		b, seq := core.Digest(now, "roubaix")
		told += cpu() - start
		bytes += len(b)
		start = cpu()
		if again, err := peer.Take(now, "arezzo", b); err != nil || again {
			return r, fmt.Errorf("digest not taken: %v, %w", again, err)
		}
		took += cpu() - start
		core.Answered("roubaix", seq, true)
		answer(peer, core, now)
		start = cpu()
		look := core.Judge(now)
		for shard := range byte(64) {
			r.FalselyRaise += len(look.Shard(shard, nil, 1000))
		}
		judged += cpu() - start
		if !look.Judges() {
			return r, fmt.Errorf("not judged: the peer's digest is missing")
		}
	}
	n := time.Duration(o.Seconds)
	r.NotePoll, r.DigestBytes, r.DigestCPU, r.TakeCPU, r.JudgeCPU = noted/time.Duration(at), float64(bytes)/float64(o.Seconds), told/n, took/n, judged/n
	runtime.KeepAlive(people)
	runtime.KeepAlive(core)
	r.print(out, perSecond)
	return r, nil
}

// answer is what the peer, which hears nobody, tells: that it is there.
func answer(peer, core *supervision.Core, now time.Time) {
	peer.Cut(now)
	b, seq := peer.Digest(now, "arezzo")
	whole, err := core.Take(now, "roubaix", b)
	peer.Answered("arezzo", seq, err == nil && !whole)
}

func configure(c *supervision.Core) {
	c.Configure([]supervision.Member{{Node: "arezzo", Site: "arezzo"}, {Node: "roubaix", Site: "roubaix"}}, []string{"arezzo", "roubaix"})
}

func (r Report) print(out io.Writer, perSecond int) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-34s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("roster, bytes per panel", "%.0f", r.RosterBytes)
	line("supervision, bytes per panel", "%.0f", r.SuperBytes)
	line("together, bytes per panel", "%.0f (budget 512)", r.RosterBytes+r.SuperBytes)
	line("sealed documents, bytes per panel", "%.0f (the agreement's, beside it)", r.SealedBytes)
	line("polls", "%d/s", perSecond)
	line("noting a poll", "%s of CPU", r.NotePoll)
	line("digest to one node", "%.0f bytes/s, %.1f per panel heard", r.DigestBytes, r.DigestBytes/float64(perSecond))
	line("digest, CPU a second", "%s to make, %s to take", r.DigestCPU.Round(10*time.Microsecond), r.TakeCPU.Round(10*time.Microsecond))
	line("judging all shards, CPU a second", "%s", r.JudgeCPU.Round(10*time.Microsecond))
	line("whole digest", "%.1f MB, %s to make and take", float64(r.WholeBytes)/1e6, r.WholeCPU.Round(time.Millisecond))
}

// heap is what is alive.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// source is an agreement that gives one customer's document after the other.
type source struct {
	o      Options
	at     int // customers given
	docs   []rosters.Document
	key    seal.Key // of all: the customers' keys are the agreement's
	sealed int
}

func (s *source) done() bool { return len(s.docs) == 0 }

func (s *source) next() {
	s.docs = nil
	from := s.at * s.o.PerCustomer
	if from >= s.o.Panels {
		return
	}
	s.at++
	customer := fmt.Sprintf("c%025d", s.at)
	doc := roster.Customer{ID: customer, Language: "it"}
	for i := from; i < min(from+s.o.PerCustomer, s.o.Panels); i++ {
		doc.Panels = append(doc.Panels, roster.Panel{ID: fmt.Sprintf("p%025d", i), Name: fmt.Sprintf("Villa Bianchi %d", i), Listener: "main",
			Account: fmt.Sprintf("%08X", i), Key: []byte(fmt.Sprintf("%016d", i)), PollSeconds: 60, GraceSeconds: 30, TimeZone: "Europe/Rome", Zones: []roster.Zone{}})
	}
	b, err := roster.Marshal(doc)
	if err != nil {
		panic(err) // plain fields
	}
	sealed := seal.SealColumn(s.key, rosters.Purpose, b)
	s.sealed += len(sealed)
	s.docs = []rosters.Document{{Customer: customer, Revision: 1, Index: uint64(s.at), Sealed: sealed}}
}

// Documents is Source.
func (s *source) Documents(uint64) ([]rosters.Document, int, uint64) {
	return s.docs, s.at, uint64(s.at)
}

// HasDocument is Source.
func (s *source) HasDocument(c string) bool { return strings.HasPrefix(c, "c") }

// CustomerKey is Source.
func (s *source) CustomerKey(string) (seal.Key, bool) { return s.key, true }

// Changed is Source.
func (s *source) Changed() <-chan struct{} { return nil }
