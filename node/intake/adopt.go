package intake

import (
	"context"
	"errors"
	"net/netip"

	"vedetta/node/reception"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// ErrNotNow says that a held message can't be adopted at this node for now.
var ErrNotNow = errors.New("this node can't journal it now")

// Adoption says to whom a held message is given.
type Adoption struct {
	Customer, Panel string
	Tell            entry.Tell
}

// Adopted is what became of a held message that was to be adopted.
type Adopted string

// Outcomes of an adoption.
const (
	AdoptedDone     Adopted = "adopted"                         // journaled anew under the customer's key, durable
	AdoptedPoll     Adopted = "poll"                            // it reports nothing
	AdoptedNoPanel  Adopted = "no_panel"                        // the roster, as this node has it, gives the message to nobody
	AdoptedOther    Adopted = "other_panel"                     // or to another panel
	AdoptedNotOpen          = Adopted(dc09.ReasonUndecryptable) // the panel's key doesn't open it
	AdoptedPlain            = Adopted(dc09.ReasonPlain)         // it is plain, and the panel has a key: it isn't believed
	AdoptedTime             = Adopted(dc09.ReasonTime)          // its time lay outside the window when it came: late, or somebody's replay
	AdoptedGone     Adopted = "gone"                            // the held message can't be read any more
	AdoptedUnframed Adopted = "unreadable"                      // its frame can't be read
)

// Adopt journals a held message again, as a message of the panel that the
// roster now gives it to. It is judged as it would have been when it came, and
// keeps its receive time, so that what follows from it is late. Adopted twice,
// it is a copy of itself (rule 11).
func (in *Intake) Adopt(ctx context.Context, held mesh.Position, m entry.Message, as Adoption) (mesh.Position, Adopted, error) {
	var none mesh.Position
	if !in.parts.Ready() {
		return none, "", ErrNotNow
	}
	f, err := dc09.ParseFrame(m.Raw)
	if err != nil {
		return none, AdoptedUnframed, nil
	}
	peer, _ := netip.ParseAddrPort(m.Peer)
	a := arrival{frame: f, now: m.Received, snap: in.parts.Roster.Snapshot(), from: reception.Source{Listener: m.Listener, Transport: m.Transport, Peer: peer}}
	match, _ := a.snap.Find(m.Listener, f.Prefix, f.Receiver, f.Account)
	switch {
	case match.Panel == nil:
		return none, AdoptedNoPanel, nil
	case match.Panel.ID != as.Panel || match.Customer.Doc.ID != as.Customer:
		return none, AdoptedOther, nil
	case f.Kind() == dc09.KindPoll:
		return none, AdoptedPoll, nil
	}
	in.meet(&a, match)
	if a.plainRefused() {
		return none, AdoptedPlain, nil
	}
	if a.content, a.key, a.ring, err = in.rings.of(match.Panel).open(f, nil, m.Received); err != nil {
		return none, AdoptedNotOpen, nil
	}
	a.clock.read(&a.content, m.Received)
	if a.clock.stale(a.content, f.Encrypted, m.Received) {
		return none, AdoptedTime, nil
	}
	again := in.message(&a, m.Answer, "adopted")
	again.OffsetMs, again.Adopted = m.OffsetMs, &entry.Adopted{Held: held, Tell: as.Tell}
	pos, ok := in.journal(again, match, in.post)
	if !ok {
		return none, "", ErrNotNow
	}
	if err := in.parts.Replica.WaitDurable(ctx, pos, in.cfg.Wait); err != nil {
		return none, "", err // it may become durable: the next adoption is a copy of it
	}
	in.parts.Heard.Heard(m.Received, match.Panel, m.Transport, f.Prefix, f.Receiver)
	return pos, AdoptedDone, nil
}
