// Package channel is what all channels share: the message that is to be sent,
// the word for what became of it, and the guard against addresses that are
// nobody's business.
//
// A channel hands one message over once: it never repeats by itself, keeps no
// state between messages, and says in its Outcome whether another attempt may
// be made. One channel never imports another. The words here are opened
// content: they live as long as the attempt and are never logged.
package channel

import (
	"context"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/event"
)

// Message is one notification, opened and ready to be worded by a channel.
type Message struct {
	Notification string // id; Message-ID, webhook id and the like are made from it (rule 10)
	Customer     string // roster id
	Contact      string // roster id
	Language     string // it or en
	Address      string // the contact's address as the channel writes it; personal
	Urgent       bool   // life safety
	Panel        Panel
	Event        Event
}

// Panel is where the event comes from.
type Panel struct {
	ID       string // roster id
	Name     string
	Account  string
	TimeZone string // IANA name of the premises; UTC when it can't be loaded
}

// Event is the event as the API shows it. Empty strings are absent.
type Event struct {
	ID        string
	Standard  string // SIA-DCS, ADM-CID, VEDETTA
	Code      string
	Qualifier string // new, restore, ongoing
	Category  string
	Meaning   string // English
	MeaningIT string
	Partition string
	Zone      string
	ZoneName  string
	User      string
	Text      string           // the panel's own
	Extended  []event.Extended // what the message says besides; secrets have no value
	Prefix    *string
	Receiver  *string
	Origin    string // node.incarnation.number of the entry
	// Datacenter is where the message came in.
	Datacenter string
	Copies     int // 1 = no repeat
	Late       bool
	PanelTime  time.Time // zero: unknown
	Received   time.Time
}

// Outcome is what became of one attempt.
type Outcome struct {
	// State is delivered, refused, unknown, or pending: certainly or harmlessly
	// not handed over, so that another attempt is right.
	State       decision.State
	Reason      string    // one word; empty when delivered
	ProviderRef string    // the provider's own reference; may be personal
	HandedOver  time.Time // when the last byte left; zero when it did not
	// Retry says that another attempt is worth it. With refused: the provider
	// said "not now". With unknown: the channel is idempotent by id, so that a
	// repetition does no harm.
	Retry bool
	// After is how long the provider asked to be left alone; 0: it didn't say.
	After time.Duration
}

// Reasons, one word each; the log, the metric and the customer see the same.
const (
	ReasonProviderRefused = "provider_refused" // said no to this message
	ReasonProviderBusy    = "provider_busy"    // said not now
	ReasonUnreachable     = "unreachable"      // no provider, no hand-over
	ReasonInvalidAddress  = "invalid_address"  // the address is no address, or the provider says so
	ReasonGone            = "gone"             // the provider says that this address has ended for good; central takes it from its contact
	ReasonNoAnswer        = "no_answer"        // handed over, and then nothing was heard
	ReasonArrived         = "arrived"          // not sent again: an earlier attempt was delivered after all
	ReasonTooLate         = "too_late"         // the claim's ten seconds were over before the last byte (rule 23)
	ReasonNoAddress       = "no_address"       // contact or address is gone from the roster, or can't be opened
	ReasonNoChannel       = "no_channel"       // this node has no such channel
	ReasonPossiblyTwice   = "possibly_twice"   // handed over again without proof that the first was not (rule 24)
)

// Sender is one channel.
//
// Send hands the message over. ctx bounds the time until the last byte: when
// it ends before, the connection is cut. deadline is asked right before that
// last byte, and false cuts it too (rule 23). What the provider answers
// afterwards is awaited by the channel's own, finite time.
type Sender interface {
	Traits() Traits
	Send(ctx context.Context, m Message, deadline func() bool) Outcome
}

// Traits is what a repetition means to a channel.
type Traits struct {
	// Idempotent: the receiver knows a repetition by its id, so that sending
	// again needs no proof (webhook, Web Push).
	Idempotent bool
	// Slots is how many messages may be under way at once; 8 when 0.
	Slots int
}

// Delivered is the outcome of a message that the provider took.
func Delivered(ref string, handed time.Time) Outcome {
	return Outcome{State: decision.StateDelivered, ProviderRef: clip(ref), HandedOver: handed}
}

// Refused is a no that stays one.
func Refused(reason, ref string) Outcome {
	return Outcome{State: decision.StateRefused, Reason: reason, ProviderRef: clip(ref)}
}

// NotNow is a no that may become a yes.
func NotNow(reason, ref string) Outcome {
	return Outcome{State: decision.StateRefused, Reason: reason, ProviderRef: clip(ref), Retry: true}
}

// NotBegun says that nothing was handed over; another attempt is free of doubt.
func NotBegun(reason string) Outcome {
	return Outcome{State: decision.StatePending, Reason: reason, Retry: true}
}

// Unknown says that the last byte left and nothing certain came back.
func Unknown(handed time.Time, idempotent bool) Outcome {
	return Outcome{State: decision.StateUnknown, Reason: ReasonNoAnswer, HandedOver: handed, Retry: idempotent}
}

// maxRef bounds what a provider's answer adds to every journal.
const maxRef = 200

func clip(s string) string {
	if len(s) > maxRef {
		s = s[:maxRef]
	}
	b := []rune(s)
	for i, r := range b {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			b[i] = ' '
		}
	}
	return string(b)
}
