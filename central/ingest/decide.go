package ingest

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

var (
	errOtherKey      = errors.New("sealed with another's key")
	errOtherCustomer = errors.New("the verdict names another customer than its record")
	errNoItem        = errors.New("waits as one of a run that has fewer decisions")
	errRing          = errors.New("a copy of a copy, more than 100 deep")
)

// apply carries one record's decision out, or says what it waits for. Of a run
// each decision is carried out, and waits, by itself.
func (b *batch) apply(r mesh.Record, item int) (waits, error) {
	plain, key, err := b.i.ring.OpenRecord(r)
	switch {
	case errors.Is(err, keys.ErrUnknown):
		return b.missingKey(r)
	case errors.Is(err, keys.ErrMissing):
		return "", err
	case err != nil:
		return b.damaged(r.Position(), "not opened", err), nil
	}
	list, err := decision.DecodeRecords(plain)
	switch {
	case errors.Is(err, decision.ErrVersion):
		return "", err // rule 4: stop and say so
	case err != nil:
		return b.damaged(r.Position(), "not read", err), nil
	case item > len(list):
		return b.damaged(r.Position(), "form", errNoItem), nil
	case item > 0:
		return b.one(r, list[item-1], key)
	case list[0].Version != decision.RunVersion:
		return b.one(r, list[0], key)
	}
	for i := range list {
		w, err := b.try(r, func() (waits, error) { return b.one(r, list[i], key) })
		if err == nil && w != "" {
			err = b.park(r.Origin.String(), r.Number, i+1, w, nil)
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// one carries one decision out.
func (b *batch) one(r mesh.Record, d decision.Record, key keys.Owned) (waits, error) {
	switch {
	case d.Customer != key.Customer:
		return b.damaged(r.Position(), "form", errOtherKey), nil
	case d.Verdict != nil && d.Verdict.Customer != d.Customer:
		return b.damaged(r.Position(), "form", errOtherCustomer), nil
	}
	switch {
	case d.Verdict != nil:
		return b.verdict(d, key.Key)
	case d.Claimed != nil:
		customer, err := history.Claim(b.ctx, b.tx, d.Claimed.Notification, d.Claimed.Attempt)
		return b.ofNotification(d.Claimed.Notification, customer, err)
	case d.Settled != nil && d.Customer == "": // the customer's key is destroyed, the decision is sealed with its day's
		customer, err := history.SettleState(b.ctx, b.tx, *d.Settled)
		return b.ofNotification(d.Settled.Notification, customer, err)
	case d.Settled != nil:
		to, err := history.Settle(b.ctx, b.tx, key.Key, *d.Settled, d.ClockMs)
		if err == nil && d.Settled.State == decision.StateRefused && d.Settled.Reason == reasonGone {
			err = b.endAddress(to, d.ClockMs)
		}
		return b.ofNotification(d.Settled.Notification, to.Customer, err)
	case d.Destroyed != nil: // rows are deleted by the privacy part
		b.i.ring.Destroyed(d.Destroyed.Customer, d.Destroyed.Day)
	}
	return "", nil
}

// reasonGone is a channel's word for an address that has ended for good
// (node/channel).
const reasonGone = "gone"

// endAddress takes an address that its provider said is gone out of its
// contact, in the same transaction as the outcome: both are there, or none.
func (b *batch) endAddress(to history.Recipient, clockMs int64) error {
	at := time.UnixMilli(clockMs)
	b.ended = true
	return b.i.premises.EditIn(b.ctx, b.tx, at, to.Customer, func(c *premises.Change) error { return c.EndAddress(to.Contact, to.Address, at) })
}

func (b *batch) missingKey(r mesh.Record) (waits, error) {
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		return b.damaged(r.Position(), "names no key", err), nil
	}
	return waits(awaitKey(id)), nil
}

func (b *batch) ofNotification(id, customer string, err error) (waits, error) {
	if errors.Is(err, history.ErrNoNotification) {
		return waits("notification " + id), nil
	}
	if err == nil {
		b.customers[customer] = true
	}
	return "", err
}

// verdict makes what was decided about one entry visible.
func (b *batch) verdict(d decision.Record, k seal.Key) (waits, error) {
	v := d.Verdict
	var msg *entry.Message
	if !v.Entry.Origin.IsAgreement() { // the agreement's own events have no message
		ruling, found, err := b.ruling(v.Entry)
		switch {
		case err != nil:
			return "", err
		case !found:
			return waits("entry " + v.Entry.String()), nil
		case d.Part > 0 && ruling == "":
			return waits("ruling " + v.Entry.String()), nil // the verdict itself still waits
		case d.Part > 0:
			return b.part(d, k)
		case ruling != "":
			return "", nil // decided once
		}
		if v.Ruling == decision.RulingEvents {
			m, w, err := b.message(v)
			if w != "" || err != nil {
				return w, err
			}
			msg = m
		}
	}
	if v.Ruling == decision.RulingCopy {
		if w, err := b.copy(v); w != "" || err != nil {
			return w, err
		}
	}
	if v.Ruling == decision.RulingHeld {
		if err := b.noteHeld(v); err != nil {
			return "", err
		}
	}
	if v.Ruling == decision.RulingEvents && v.Customer != "" {
		if w, err := b.events(d, k, msg); w != "" || err != nil {
			return w, err
		}
	}
	_, err := b.tx.ExecContext(b.ctx, `UPDATE entries SET ruling = ?3, copy_origin = ?4, copy_number = ?5 WHERE origin = ?1 AND number = ?2`,
		v.Entry.Origin.String(), int64(v.Entry.Number), string(v.Ruling), nullOrigin(v.CopyOf), nullNumber(v.CopyOf))
	if err != nil {
		return "", fmt.Errorf("note ruling of %s: %w", v.Entry, err)
	}
	if err := b.wake("ruling " + v.Entry.String()); err != nil {
		return "", err
	}
	return "", b.wakePlan(v)
}

func (b *batch) wakePlan(v *decision.Verdict) error {
	for _, n := range v.Plan {
		if err := b.wake("notification " + n.ID); err != nil {
			return err
		}
	}
	return nil
}

// part writes a further part of a long verdict, whose beginning is here.
func (b *batch) part(d decision.Record, k seal.Key) (waits, error) {
	if len(d.Verdict.Events) == 0 {
		if err := b.putPlan(d, k); err != nil {
			return "", err
		}
		return "", b.wakePlan(d.Verdict)
	}
	msg, w, err := b.message(d.Verdict)
	if w == "" && err == nil {
		w, err = b.events(d, k, msg)
	}
	if w != "" || err != nil {
		return w, err
	}
	return "", b.wakePlan(d.Verdict)
}

func (b *batch) putPlan(d decision.Record, k seal.Key) error {
	for _, n := range d.Verdict.Plan {
		if err := history.PutNotification(b.ctx, b.tx, k, d.Customer, n, d.PlannedMs()); err != nil {
			return err
		}
	}
	b.customers[d.Customer] = true
	return nil
}

// message opens the entry that a verdict is about.
func (b *batch) message(v *decision.Verdict) (*entry.Message, waits, error) {
	var bytes []byte
	err := b.tx.QueryRowContext(b.ctx, `SELECT record FROM entries WHERE origin = ?1 AND number = ?2`, v.Entry.Origin.String(), int64(v.Entry.Number)).Scan(&bytes)
	if err != nil {
		return nil, "", fmt.Errorf("read entry %s: %w", v.Entry, err)
	}
	rec, err := mesh.Decode(bytes)
	if err != nil {
		return nil, "", fmt.Errorf("stored entry %s: %w", v.Entry, err)
	}
	plain, _, err := b.i.ring.OpenRecord(rec)
	switch {
	case errors.Is(err, keys.ErrUnknown):
		w, err := b.missingKey(rec)
		return nil, w, err
	case errors.Is(err, keys.ErrMissing):
		return nil, "", err
	case err != nil:
		return nil, b.damaged(v.Entry, "its entry not opened", err), nil
	}
	m, err := entry.Unmarshal(plain)
	if err != nil {
		return nil, b.damaged(v.Entry, "its entry not read", err), nil
	}
	return &m, "", nil
}

// noteHeld keeps where a held message is, and each of its repeats: all of them
// go with the panel when it is adopted. What can't be opened is left out, nobody
// will ever read it.
func (b *batch) noteHeld(v *decision.Verdict) error {
	m, w, err := b.message(v)
	if m == nil || w != "" || err != nil {
		return err
	}
	return b.i.held.Note(b.ctx, b.tx, v.Entry, *m)
}

// copy counts a repeat at the event that it repeats.
func (b *batch) copy(v *decision.Verdict) (waits, error) {
	of := v.CopyOf
	for range 100 { // a copy of a copy; the agreement makes no rings
		var ruling, origin sql.NullString
		var number sql.NullInt64
		err := b.tx.QueryRowContext(b.ctx, `SELECT ruling, copy_origin, copy_number FROM entries WHERE origin = ?1 AND number = ?2`,
			of.Origin.String(), int64(of.Number)).Scan(&ruling, &origin, &number)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !ruling.Valid {
			return waits("ruling " + of.String()), nil
		} else if err != nil {
			return "", fmt.Errorf("read entry %s: %w", of, err)
		}
		if ruling.String == string(decision.RulingHeld) {
			return "", b.noteHeld(v)
		}
		if ruling.String != string(decision.RulingCopy) {
			customers, err := history.AddCopy(b.ctx, b.tx, of)
			for _, c := range customers {
				b.customers[c] = true
			}
			return "", err
		}
		if of.Origin, err = mesh.ParseOrigin(origin.String); err != nil {
			return "", fmt.Errorf("entry %s is a copy: %w", of, err)
		}
		of.Number = uint64(number.Int64)
	}
	return b.damaged(v.Entry, "copy", errRing), nil
}

// events writes a verdict's events and their plan.
func (b *batch) events(d decision.Record, k seal.Key, msg *entry.Message) (waits, error) {
	v := d.Verdict
	var known int
	if err := b.tx.QueryRowContext(b.ctx, `SELECT count(*) FROM customers WHERE id = ?1`, v.Customer).Scan(&known); err != nil {
		return "", fmt.Errorf("look for customer: %w", err)
	}
	if known == 0 {
		b.i.log.Warn("verdict for a customer that is not here, it waits", "customer", v.Customer)
		return waits("customer " + v.Customer), nil
	}
	panel, _, err := premises.Panel(b.ctx, b.tx, k, v.Customer, v.Panel)
	if err != nil {
		return "", fmt.Errorf("panel %s: %w", v.Panel, err)
	}
	for _, e := range v.Events {
		n := history.NewEvent{ID: decision.EventID(v.Entry, e.Index), Customer: v.Customer, Entry: v.Entry, ReceivedMs: v.ReceivedMs,
			Body: history.EventBody{Account: panel.Account, Panel: v.Panel, Standard: e.Standard, Code: e.Code, Qualifier: e.Qualifier, Category: e.Category,
				Partition: e.Partition, Zone: e.Zone, ZoneName: premises.ZoneName(panel, e.Zone), User: e.User, Text: e.Text, PanelMs: e.PanelMs, Late: v.Late, Extended: e.Extended}}
		if msg != nil {
			n.ReceivedMs = msg.Received.UnixMilli()
			n.Body.Account, n.Body.Prefix, n.Body.Receiver = msg.Account, msg.Prefix, msg.Receiver
		}
		n.AccountIndex = premises.AccountIndex(k, n.Body.Account)
		if err := history.PutEvent(b.ctx, b.tx, k, n); err != nil {
			return "", err
		}
	}
	return "", b.putPlan(d, k)
}

// ruling is what was decided about an entry, empty when nothing yet.
func (b *batch) ruling(p mesh.Position) (ruling string, found bool, err error) {
	var r sql.NullString
	err = b.tx.QueryRowContext(b.ctx, `SELECT ruling FROM entries WHERE origin = ?1 AND number = ?2`, p.Origin.String(), int64(p.Number)).Scan(&r)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("read entry %s: %w", p, err)
	}
	return r.String, true, nil
}

func nullOrigin(p mesh.Position) sql.NullString {
	return sql.NullString{String: p.Origin.String(), Valid: !p.IsZero()}
}

func nullNumber(p mesh.Position) sql.NullInt64 {
	return sql.NullInt64{Int64: int64(p.Number), Valid: !p.IsZero()}
}
