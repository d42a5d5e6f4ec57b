// Package intake takes one frame from a panel and says what the panel is
// answered: it finds the panel, opens the content, judges its time, and answers
// a message only when it is durable at a majority of sites (design, section 3).
//
// It is one call in the goroutine of the connection. What is true after an
// ACK: the entry is flushed at a majority of sites; a poll's answer means "seen
// here". It never answers what it could not store.
package intake

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/node/identity"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Roster finds the panel of a message; it never waits.
type Roster interface {
	Snapshot() *roster.Snapshot
}

// Journal stores. Append returns when the record is flushed at this site.
type Journal interface {
	Append(ctx context.Context, kind mesh.Kind, shard byte, id mesh.Identity, seal func(mesh.Header) ([]byte, error)) (mesh.Position, error)
}

// Replica tells when an entry is durable at a majority of sites; its error
// means that it is not known to be.
type Replica interface {
	WaitDurable(ctx context.Context, pos mesh.Position) error
}

// Keys gives the key of the day for what is no customer's; false while the
// agreement has none for that day.
type Keys interface {
	DayKey(day mesh.Day) (seal.Key, bool)
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
	Ready   func() bool          // would an alarm be acknowledged now
	Offset  func() time.Duration // our clock minus the median of the peers
}

// Intake answers frames.
type Intake struct {
	cfg     Config
	parts   Parts
	env     env.Env
	unknown atomic.Int64 // unknown messages being journaled now
	notices notices      // of plain messages to panels with a key
	polls   notices      // of polls of unknown accounts

	messages *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// New makes an intake; it starts nothing.
func New(cfg Config, parts Parts, e env.Env) *Intake {
	in := &Intake{
		cfg: cfg, parts: parts, env: e, notices: notices{last: map[string]time.Time{}}, polls: notices{last: map[string]time.Time{}, most: maxStrangers},
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_messages_total", Help: "Messages by what they were answered and why."}, []string{"answer", "reason"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vedetta_ack_seconds", Help: "From a whole frame to its acknowledgement.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 3}}),
	}
	e.Metrics.MustRegister(in.messages, in.seconds)
	return in
}

// verdict is what a frame is answered and why; the reason is a metric label.
type verdict struct {
	answer []byte
	label  string // ack, nak, duh, silence
	reason dc09.Reason
}

func silence(reason dc09.Reason) verdict { return verdict{label: "silence", reason: reason} }

// Handle answers one frame.
func (in *Intake) Handle(ctx context.Context, f dc09.Frame, from reception.Source) reception.Verdict {
	began := time.Now()
	var who roster.Match
	v := in.judge(ctx, f, from, began, &who)
	in.messages.WithLabelValues(v.label, string(v.reason)).Inc()
	if v.label == "ack" {
		in.seconds.Observe(time.Since(began).Seconds())
	}
	out := reception.Verdict{Answer: v.answer, Word: v.label, Reason: v.reason}
	if who.Panel != nil {
		out.Customer, out.Panel = who.Customer.Doc.ID, who.Panel.ID
		out.Known = v.label == "ack" || v.reason == dc09.ReasonUnknownToken || v.reason == dc09.ReasonNotDurable
	}
	return out
}

// judge sets who when it finds the panel.
func (in *Intake) judge(ctx context.Context, f dc09.Frame, from reception.Source, now time.Time, who *roster.Match) verdict {
	if f.Kind() == dc09.KindAnswer {
		return silence(dc09.ReasonNotAMessage)
	}
	if !in.parts.Ready() {
		return silence(dc09.ReasonNotReady)
	}
	snap := in.parts.Roster.Snapshot()
	match, kind := snap.Find(from.Listener, f.Prefix, f.Receiver, f.Account)
	if kind != roster.Found {
		return in.unknownAccount(ctx, f, from, now, snap, kind)
	}
	*who = match
	cipher, v, ok := in.cipher(f, match)
	if !ok {
		return v
	}
	content, err := f.Open(nil, cipher)
	if err != nil {
		return verdict{f.AppendDUH(nil), "duh", dc09.ReasonUndecryptable}
	}
	if len(match.Panel.Key) > 0 && !f.Encrypted {
		// Who forges them needs no key: one notice a panel and period, the rest
		// are counted, and an old frame is worth none.
		if f.Kind() != dc09.KindPoll && !in.stale(content, false, now) && in.notices.allow(match.Panel.ID, now) {
			in.store(ctx, f, content, from, now, snap, match, entry.AnswerSilence, dc09.ReasonPlain)
		}
		return silence(dc09.ReasonPlain)
	}
	if in.stale(content, f.Encrypted, now) {
		return verdict{f.AppendNAK(nil, now.UTC()), "nak", dc09.ReasonTime}
	}
	switch f.Kind() {
	case dc09.KindPoll:
		return verdict{f.AppendACK(nil, cipher, now.UTC()), "ack", "poll"}
	case dc09.KindUnknown:
		if !in.store(ctx, f, content, from, now, snap, match, entry.AnswerDUH, dc09.ReasonUnknownToken) {
			return silence(dc09.ReasonNotDurable)
		}
		return verdict{f.AppendDUH(nil), "duh", dc09.ReasonUnknownToken}
	}
	if !in.store(ctx, f, content, from, now, snap, match, entry.AnswerACK, "") {
		return silence(dc09.ReasonNotDurable)
	}
	return verdict{f.AppendACK(nil, cipher, time.Now().UTC()), "ack", "stored"}
}

// cipher is the panel's, when the frame needs one.
func (in *Intake) cipher(f dc09.Frame, match roster.Match) (*dc09.Cipher, verdict, bool) {
	if !f.Encrypted {
		return nil, verdict{}, true
	}
	if len(match.Panel.Key) == 0 {
		return nil, verdict{f.AppendDUH(nil), "duh", dc09.ReasonNoKey}, false
	}
	c, err := dc09.NewCipher(match.Panel.Key)
	if err != nil {
		in.env.Log.Error("a panel's key has a wrong length", "panel", match.Panel.ID)
		return nil, verdict{f.AppendDUH(nil), "duh", dc09.ReasonNoKey}, false
	}
	return c, verdict{}, true
}

// stale tells whether the panel's time lies outside the window. A plain message
// without a timestamp, or with one that is no date, passes (reference rows 17, 27).
func (in *Intake) stale(c dc09.Content, encrypted bool, now time.Time) bool {
	switch c.Stamp {
	case dc09.StampGood:
		return c.Time.Before(now.Add(-in.cfg.Behind)) || c.Time.After(now.Add(in.cfg.Ahead))
	case dc09.StampBad:
		return encrypted
	}
	return false
}

// store journals the message and waits until it is durable at a majority.
func (in *Intake) store(ctx context.Context, f dc09.Frame, c dc09.Content, from reception.Source, now time.Time,
	snap *roster.Snapshot, match roster.Match, answer entry.Answer, reason dc09.Reason,
) bool {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.Wait)
	defer cancel()
	pos, ok := in.journal(ctx, in.message(f, c, from, now, snap.Index(), answer, reason), match)
	// Not durable in time is no error of ours: the panel repeats, and the entry
	// becomes an event when it is durable (rule 8).
	return ok && in.parts.Replica.WaitDurable(ctx, pos) == nil
}

// journal writes a message under the key of the panel's customer, or of the
// day when it is nobody's; it is not durable at a majority yet.
func (in *Intake) journal(ctx context.Context, m entry.Message, match roster.Match) (mesh.Position, bool) {
	sender := identity.Sender{Listener: m.Listener, Prefix: m.Prefix, Receiver: m.Receiver, Account: m.Account}
	var key seal.Key
	record := func(o mesh.Origin) *seal.RecordKey { return key.For(o) }
	if match.Panel != nil {
		record = match.Customer.RecordKey
		m.Customer, m.Panel = match.Customer.Doc.ID, match.Panel.ID
		sender.Panel, key = match.Panel.ID, match.Key()
	} else {
		var ok bool
		if key, ok = in.parts.Keys.DayKey(mesh.DayOf(m.Received)); !ok {
			in.env.Log.Warn("no key of the day yet; a message of an unknown account is dropped")
			return mesh.Position{}, false
		}
	}
	content, err := entry.Marshal(m)
	if err != nil {
		in.env.Log.Error("a message can't be written as an entry", "error", err)
		return mesh.Position{}, false
	}
	id := sender.Of(key, m.Token, m.Sequence, m.Data)
	pos, err := in.parts.Journal.Append(ctx, mesh.KindMessage, sender.Shard(), id, func(h mesh.Header) ([]byte, error) {
		return record(h.Origin).Seal(h, content), nil
	})
	if err != nil {
		in.env.Log.Warn("a message was not stored", "error", err)
		return mesh.Position{}, false
	}
	return pos, true
}

func (in *Intake) message(f dc09.Frame, c dc09.Content, from reception.Source, now time.Time, index uint64, answer entry.Answer, reason dc09.Reason) entry.Message {
	m := entry.Message{
		Received: now.UTC().Truncate(time.Millisecond), Listener: from.Listener, Transport: from.Transport,
		Peer: from.Peer.String(), RosterIndex: index, Token: f.Token, Encrypted: f.Encrypted, Sequence: f.Number(),
		Receiver: f.Receiver, Prefix: f.Prefix, Account: f.Account, Data: c.Data, XData: c.XData, Raw: []byte(f.Raw),
		Quirks: (f.Quirks | c.Quirks).Words(), Answer: answer, Reason: string(reason),
	}
	if in.parts.Offset != nil {
		m.OffsetMs = in.parts.Offset().Milliseconds()
	}
	if c.Stamp == dc09.StampGood {
		m.Timestamp = &c.Time
	}
	return m
}
