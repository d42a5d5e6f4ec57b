package intake

import (
	"context"
	"time"

	"vedetta/node/identity"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
)

// store journals the message and waits until it is durable where the panel's
// setting wants it: at a majority when it says nothing. Not durable in time is no
// error of ours: the panel repeats, and the entry becomes an event when it is
// durable (rule 8).
func (in *Intake) store(ctx context.Context, a *arrival, answer entry.Answer, reason dc09.Reason) bool {
	m := in.message(a, answer, reason)
	if a.set.Ack == doc.AckLocal {
		ctx, cancel := context.WithTimeout(ctx, in.cfg.Wait)
		defer cancel()
		var ok bool
		a.entry, ok = in.journal(m, a.match, func(shard byte, id mesh.Identity, seal sealing) (mesh.Position, error) {
			return in.parts.Journal.Append(ctx, mesh.KindMessage, shard, id, seal)
		})
		return ok
	}
	pos, ok := in.journal(m, a.match, in.post)
	a.entry = pos
	switch {
	case !ok:
		return false
	case a.set.Ack == doc.AckAll:
		return in.parts.Replica.WaitAll(ctx, pos, in.cfg.Wait) == nil
	}
	return in.parts.Replica.WaitDurable(ctx, pos, in.cfg.Wait) == nil
}

// sealing makes the content of the record that a header is of.
type sealing = func(mesh.Header) ([]byte, error)

// post hands a record to the journal and waits for nothing.
func (in *Intake) post(shard byte, id mesh.Identity, seal sealing) (mesh.Position, error) {
	return in.parts.Journal.Post(mesh.KindMessage, shard, id, seal)
}

// journal writes a message under the key of the panel's customer, or of the
// day when it is nobody's; it is not durable at a majority yet.
func (in *Intake) journal(m entry.Message, match roster.Match, put func(byte, mesh.Identity, sealing) (mesh.Position, error)) (mesh.Position, bool) {
	sender := identity.Sender{Listener: m.Listener, Prefix: m.Prefix, Receiver: m.Receiver, Account: m.Account}
	var names identity.Key
	var record func(mesh.Origin) *seal.RecordKey
	if match.Panel != nil {
		names, record = match.Customer.Identifier, match.Customer.RecordKey
		m.Customer, m.Panel, sender.Panel = match.Customer.Doc.ID, match.Panel.ID, match.Panel.ID
	} else {
		day, ok := in.parts.Keys.DayKey(mesh.DayOf(m.Received))
		if !ok {
			in.env.Log.Warn("no key of the day yet; a message of an unknown account is dropped")
			return mesh.Position{}, false
		}
		names, record = day, day.For
	}
	content, err := entry.Marshal(m)
	if err != nil {
		in.env.Log.Error("a message can't be written as an entry", "error", err)
		return mesh.Position{}, false
	}
	id := sender.Of(names, m.Token, m.Sequence, m.Data)
	pos, err := put(sender.Shard(), id, func(h mesh.Header) ([]byte, error) {
		return record(h.Origin).Seal(h, content), nil
	})
	if err != nil {
		in.env.Log.Warn("a message was not stored", "error", err)
		return mesh.Position{}, false
	}
	return pos, true
}

func (in *Intake) message(a *arrival, answer entry.Answer, reason dc09.Reason) entry.Message {
	f, c := &a.frame, &a.content
	m := entry.Message{
		Received: a.now.UTC().Truncate(time.Millisecond), Listener: a.from.Listener, Transport: a.from.Transport,
		Peer: a.from.Peer.String(), RosterIndex: a.snap.Index(), Token: f.Token, Encrypted: f.Encrypted, Sequence: f.Number(),
		Receiver: f.Receiver, Prefix: f.Prefix, Account: f.Account, Data: c.Data, XData: c.XData, Raw: []byte(f.Raw),
		Quirks: (f.Quirks | c.Quirks).Words(), Answer: answer, Reason: string(reason),
		Key: a.ring, Taken: a.taken, Window: a.set.DuplicateSeconds,
	}
	if in.parts.Offset != nil {
		m.OffsetMs = in.parts.Offset().Milliseconds()
	}
	if c.Stamp == dc09.StampGood && entry.Holds(c.Time) { // else only the frame has it
		m.Timestamp = &c.Time
	}
	if a.set.Ack != doc.AckMajority && answer == entry.AnswerACK {
		m.Ack = a.set.Ack
	}
	if a.set.Text != doc.TextAuto {
		m.Text = a.set.Text
	}
	if a.clock.zone != nil {
		m.Zone = a.clock.zone.String()
	}
	return m
}
