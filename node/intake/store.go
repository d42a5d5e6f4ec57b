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
	ctx, cancel := context.WithTimeout(ctx, in.cfg.Wait)
	defer cancel()
	pos, ok := in.journal(ctx, in.message(a, answer, reason), a.match)
	a.entry = pos
	switch {
	case !ok:
		return false
	case a.set.Ack == doc.AckLocal:
		return true
	case a.set.Ack == doc.AckAll:
		return in.parts.Replica.WaitAll(ctx, pos) == nil
	}
	return in.parts.Replica.WaitDurable(ctx, pos) == nil
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
	if c.Stamp == dc09.StampGood {
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
