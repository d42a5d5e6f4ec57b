package watch

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"vedetta/central/history"
	"vedetta/wire/entry"
	"vedetta/wire/internet"
)

// Bounds of the search for a panel's own addresses.
const (
	addressEvents = 20             // latest events of the account that are looked at
	addressFrames = 5              // of them, the panel's, whose messages are read
	addressAge    = 24 * time.Hour // older ones prove nothing: a carrier gives an address to the next
)

// Addresses are those that attempts without a known panel may be shown from: the
// one that the viewer himself comes from, and those that the panel was
// acknowledged at over a connection within a day. A datagram's source proves
// nothing, and neither does an address that many networks have.
func (w *Watch) Addresses(ctx context.Context, now time.Time, customer, panel, account string, viewer netip.Addr) ([]string, error) {
	list := w.prove(nil, viewer)
	events, err := w.history.Events(ctx, customer, history.Query{Account: account, Limit: addressEvents})
	if err != nil {
		return nil, err
	}
	read := 0
	for _, e := range events.Items {
		if e.Panel != panel || now.Sub(time.Time(e.ReceivedTime)) > addressAge || read == addressFrames {
			continue
		}
		read++
		frames, err := w.history.Frames(ctx, customer, e.ID)
		if err != nil {
			return nil, err
		}
		for _, f := range frames {
			at, err := netip.ParseAddrPort(f.Peer)
			if err != nil || !f.Opened || f.Panel != panel || f.Transport == "udp" || f.Answer != entry.AnswerACK || now.Sub(f.Received) > addressAge {
				continue
			}
			list = w.prove(list, at.Addr())
		}
	}
	return list, nil
}

func (w *Watch) prove(list []string, a netip.Addr) []string {
	a = a.Unmap().WithZone("")
	if internet.Never(a) || !w.cfg.AllowPrivate && !internet.Public(a) || slices.Contains(list, a.String()) {
		return list
	}
	return append(list, a.String())
}
