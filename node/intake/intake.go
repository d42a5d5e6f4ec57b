// Package intake takes one frame from a panel and says what the panel is
// answered: it finds the panel, opens the content, judges its time, and answers
// a message only when it is durable at a majority of sites (design, section 3).
//
// A panel's settings (wire/roster, Reception) change how it is judged; without
// them all are judged alike. It is one call in the goroutine of the connection. What is true after an
// ACK: the entry is flushed at a majority of sites; a poll's answer means "seen
// here". It never answers what it could not store.
package intake

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Roster finds the panel of a message; it never waits.
type Roster interface {
	Snapshot() *roster.Snapshot
}

// Journal stores. Append returns when the record is flushed at this site, Post
// at once: whether it becomes durable is the replica's to tell.
type Journal interface {
	Post(kind mesh.Kind, shard byte, id mesh.Identity, seal func(mesh.Header) ([]byte, error)) (mesh.Position, error)
	Append(ctx context.Context, kind mesh.Kind, shard byte, id mesh.Identity, seal func(mesh.Header) ([]byte, error)) (mesh.Position, error)
}

// Replica tells when an entry is durable at a majority of sites; its error
// means that it is not known to be within that time.
type Replica interface {
	WaitDurable(ctx context.Context, pos mesh.Position, within time.Duration) error
	// WaitAll is WaitDurable for every configured site (rule 8).
	WaitAll(ctx context.Context, pos mesh.Position, within time.Duration) error
}

// Keys gives the key of the day for what is no customer's; false while the
// agreement has none for that day.
type Keys interface {
	DayKey(day mesh.Day) (seal.Key, bool)
}

// Supervisor notes when a panel was heard; it never waits.
type Supervisor interface {
	Heard(now time.Time, p *doc.Panel, transport string, prefix, receiver *string)
}

// Config of the intake.
type Config struct {
	Wait   time.Duration // for durability, then silence
	Behind time.Duration // a panel's time may lie this far behind ours (DC-09: 40 s)
	Ahead  time.Duration // or ahead (20 s)

	Unknown UnknownAnswer // what panels of unknown accounts are answered; empty: silence
}

// Parts the intake talks to.
type Parts struct {
	Roster  Roster
	Journal Journal
	Replica Replica
	Keys    Keys
	Heard   Supervisor
	Ready   func() bool          // would an alarm be acknowledged now
	Offset  func() time.Duration // our clock minus the median of the peers

	Hold func(from netip.Addr, datagram bool, now time.Time) bool // may one more message of an unknown account be stored; nil: yes
}

// Intake answers frames.
type Intake struct {
	cfg     Config
	parts   Parts
	env     env.Env
	unknown atomic.Int64 // unknown messages being journaled now
	notices notices      // of what a panel's owner is told seldom
	taken   notices      // of panels that have taken their next key
	polls   notices      // of polls of unknown accounts
	rings   rings        // keys of the panels that were heard last
	zones   zones
	buffers sync.Pool // of *[]byte: plaintext, while its frame is answered

	messages *prometheus.CounterVec
	usual    map[dc09.Reason]prometheus.Counter // of messages: what is answered ack, most of all there is
	seconds  prometheus.Histogram
}

// New makes an intake; it starts nothing.
func New(cfg Config, parts Parts, e env.Env) *Intake {
	in := &Intake{
		cfg: cfg, parts: parts, env: e, rings: rings{seed: maphash.MakeSeed()},
		notices: newNotices(noticePeriod, 0), taken: newNotices(takenPeriod, 0), polls: newNotices(noticePeriod, maxStrangers),
		buffers: sync.Pool{New: func() any { b := make([]byte, 0, dc09.MaxBody); return &b }},
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_messages_total", Help: "Messages by what they were answered and why."}, []string{"answer", "reason"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vedetta_ack_seconds", Help: "From a whole frame to its acknowledgement.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 3}}),
	}
	in.usual = map[dc09.Reason]prometheus.Counter{reasonStored: in.messages.WithLabelValues("ack", string(reasonStored)), reasonPoll: in.messages.WithLabelValues("ack", string(reasonPoll))}
	e.Metrics.MustRegister(in.messages, in.seconds)
	return in
}

// verdict is what a frame is answered and why; the reason is a metric label.
type verdict struct {
	answer []byte
	label  string // ack, nak, duh, silence
	reason dc09.Reason
}

// Reasons of what is acknowledged.
const (
	reasonStored dc09.Reason = "stored"
	reasonPoll   dc09.Reason = "poll"
)

func silence(reason dc09.Reason) verdict { return verdict{label: "silence", reason: reason} }

// Handle answers one frame.
func (in *Intake) Handle(ctx context.Context, f dc09.Frame, from reception.Source) reception.Verdict {
	began := time.Now()
	buf := in.buffers.Get().(*[]byte)
	defer in.buffers.Put(buf)
	a := arrival{frame: f, from: from, now: began}
	v := in.judge(ctx, &a, (*buf)[:0])
	if usual := in.usual[v.reason]; usual != nil && v.label == "ack" {
		usual.Inc()
	} else {
		in.messages.WithLabelValues(v.label, string(v.reason)).Inc()
	}
	if v.label == "ack" {
		in.seconds.Observe(time.Since(began).Seconds())
	}
	out := reception.Verdict{Answer: v.answer, Word: v.label, Reason: v.reason, Entry: a.entry}
	if a.match.Panel != nil {
		out.Customer, out.Panel = a.match.Customer.Doc.ID, a.match.Panel.ID
		out.Known = v.label == "ack" || v.reason == dc09.ReasonUnknownToken || v.reason == dc09.ReasonNotDurable
	}
	return out
}

// arrival is one frame on its way through the intake.
type arrival struct {
	frame dc09.Frame
	from  reception.Source
	now   time.Time
	snap  *roster.Snapshot
	match roster.Match // zero while the panel isn't known
	set   doc.Reception
	clock clock

	content dc09.Content // in the buffer of this call
	key     *dc09.Cipher // that opened it, nil when it was plain
	ring    string       // which key that was: entry.KeyNext and the like
	taken   bool         // the first message under the next key

	entry mesh.Position // where it was journaled; zero: it wasn't
}

// judge says what a frame is answered, and fills in a. The plaintext lies in buf.
func (in *Intake) judge(ctx context.Context, a *arrival, buf []byte) verdict {
	f, now := &a.frame, a.now
	if f.Kind() == dc09.KindAnswer {
		return silence(dc09.ReasonNotAMessage)
	}
	if !in.parts.Ready() {
		return silence(dc09.ReasonNotReady)
	}
	a.snap = in.parts.Roster.Snapshot()
	match, kind := a.snap.Find(a.from.Listener, f.Prefix, f.Receiver, f.Account)
	if kind != roster.Found {
		return in.unknownAccount(ctx, a, buf, kind)
	}
	in.meet(a, match)
	panel, keys := match.Panel, in.rings.of(match.Panel)
	var err error
	if a.content, a.key, a.ring, err = keys.open(*f, buf, now); err != nil {
		return in.unopened(ctx, a, keys.empty())
	}
	a.clock.read(&a.content, now)
	if a.plainRefused() {
		// Who forges them needs no key: one notice a panel and period, the rest
		// are counted, and an old frame is worth none.
		if f.Kind() != dc09.KindPoll && !a.clock.stale(a.content, false, now) && in.notices.allow(panel.ID, now) {
			in.store(ctx, a, entry.AnswerSilence, dc09.ReasonPlain)
		}
		return silence(dc09.ReasonPlain)
	}
	if a.set.StrictAccount && a.loose() {
		return silence(dc09.ReasonStrict)
	}
	if a.clock.stale(a.content, f.Encrypted, now) {
		return verdict{f.AppendNAK(nil, a.clock.wall(now)), "nak", dc09.ReasonTime}
	}
	in.parts.Heard.Heard(now, panel, a.from.Transport, f.Prefix, f.Receiver)
	if a.ring == entry.KeyNext {
		a.taken = in.taken.allow(takenNotice(panel.ID, a.set.NextKey), now)
	}
	switch f.Kind() {
	case dc09.KindPoll:
		// A poll is stored only to tell that the panel has taken its next key;
		// its answer doesn't hang on that.
		if a.taken {
			in.store(ctx, a, entry.AnswerACK, "")
		}
		return verdict{f.AppendACK(nil, a.key, a.clock.wall(now)), "ack", reasonPoll}
	case dc09.KindUnknown:
		if a.set.UnknownToken == doc.TokenACK {
			return in.acknowledge(ctx, a, dc09.ReasonUnknownToken)
		}
		if !in.store(ctx, a, entry.AnswerDUH, dc09.ReasonUnknownToken) {
			return silence(dc09.ReasonNotDurable)
		}
		return verdict{f.AppendDUH(nil), "duh", dc09.ReasonUnknownToken}
	}
	return in.acknowledge(ctx, a, "")
}

// meet takes over what the panel's document says of its messages.
func (in *Intake) meet(a *arrival, match roster.Match) {
	a.match, a.set = match, match.Panel.Settings()
	a.clock = in.clockOf(match.Panel, &a.set)
	a.frame.Answer = answerForm(a.frame.Form, a.frame.Answer, a.set.Answer)
}

// plainRefused tells whether it should have been encrypted.
func (a *arrival) plainRefused() bool {
	return a.match.Panel.Keyed() && !a.frame.Encrypted && !a.set.AllowPlain
}

// acknowledge stores the message and says so.
func (in *Intake) acknowledge(ctx context.Context, a *arrival, reason dc09.Reason) verdict {
	if !in.store(ctx, a, entry.AnswerACK, reason) {
		return silence(dc09.ReasonNotDurable)
	}
	if reason == "" {
		reason = reasonStored
	}
	return verdict{a.frame.AppendACK(nil, a.key, a.clock.wall(time.Now())), "ack", reason}
}

// unopened answers what no key of the panel opens. Its owner is told, seldom: it is
// a key that was entered wrongly, or somebody who has none.
func (in *Intake) unopened(ctx context.Context, a *arrival, keyless bool) verdict {
	reason := dc09.ReasonUndecryptable
	if keyless {
		reason = dc09.ReasonNoKey
	}
	if a.frame.Kind() != dc09.KindPoll && in.notices.allow(string(reason)+a.match.Panel.ID, a.now) {
		a.content = dc09.Content{Data: []byte(a.frame.Body)}
		in.store(ctx, a, entry.AnswerDUH, reason)
	}
	return verdict{a.frame.AppendDUH(nil), "duh", reason}
}

// loose tells whether the account is written in a way that a strict panel's must not be.
func (a *arrival) loose() bool {
	if a.frame.Quirks&(dc09.QuirkNoAccount|dc09.QuirkAccountNotHex) != 0 {
		return true
	}
	return a.content.Quirks&dc09.QuirkAccountDiffers != 0 && a.frame.Kind() != dc09.KindPoll
}

// answerForm is the CRC's form of answers; auto is what the codec chose.
func answerForm(received, auto dc09.Form, setting string) dc09.Form {
	switch setting {
	case doc.AnswerReceived:
		return received
	case doc.AnswerStandard:
		return dc09.ASCII
	}
	return auto
}
