package intake

import (
	"context"
	"strings"
	"time"

	"vedetta/node/identity"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
)

// Messages of unknown accounts that may wait for the journal at once; further
// ones are dropped, so that a flood of strangers doesn't fill the alarms' lane.
const maxUnknown = 64

// maxStrangers bounds the unknown accounts whose polls are remembered.
const maxStrangers = 4096

// UnknownAnswer is what a panel is answered whose account nobody has entered.
type UnknownAnswer string

// Answers to unknown accounts.
const (
	UnknownSilence UnknownAnswer = "silence" // it turns to its other receiver
	UnknownACK     UnknownAnswer = "ack"     // once its message is durable; an encrypted one gets DUH, an ACK would need its key
	UnknownDUH     UnknownAnswer = "duh"     // it doesn't repeat
)

// Known tells whether u is one of the above.
func (u UnknownAnswer) Known() bool {
	return u == UnknownSilence || u == UnknownACK || u == UnknownDUH
}

// unknownAccount stores what can't be given to a panel, sealed with the key of
// the day, for the operator to see. Of a stranger's polls one an hour is enough
// to see that it is there. What two panels could have sent is never answered.
func (in *Intake) unknownAccount(ctx context.Context, a *arrival, buf []byte, kind roster.Kind) verdict {
	f := &a.frame
	reason, say := dc09.ReasonUnknown, in.cfg.Unknown
	if kind == roster.Ambiguous {
		reason, say = dc09.ReasonAmbiguous, UnknownSilence
	}
	if say == UnknownACK && f.Encrypted {
		say = UnknownDUH
	}
	stored := f.Kind() == dc09.KindPoll && !in.polls.allow(strangerKey(*f, a.from), a.now)
	if !stored {
		if in.parts.Hold != nil && !in.parts.Hold(a.from.Peer.Addr(), a.from.Transport == reception.UDP, a.now) {
			return silence(dc09.ReasonUnknownFlood)
		}
		if in.unknown.Add(1) > maxUnknown {
			in.unknown.Add(-1)
			return silence(dc09.ReasonUnknownFlood)
		}
		defer in.unknown.Add(-1)
		a.content = dc09.Content{Data: []byte(f.Body)}
		if !f.Encrypted {
			if c, err := f.Open(buf, nil); err == nil {
				a.content = c
			}
		}
		stored = in.store(ctx, a, say.recorded(), reason)
	}
	switch {
	case !stored || say == "" || say == UnknownSilence:
		return silence(reason)
	case say == UnknownACK:
		return verdict{f.AppendACK(nil, nil, time.Now().UTC()), "ack", reason}
	}
	return verdict{f.AppendDUH(nil), "duh", reason}
}

func (u UnknownAnswer) recorded() entry.Answer {
	if u == UnknownACK || u == UnknownDUH {
		return entry.Answer(u)
	}
	return entry.AnswerSilence
}

func strangerKey(f dc09.Frame, from reception.Source) string {
	part := func(s *string) string {
		if s == nil {
			return "-"
		}
		return "=" + *s
	}
	listener := from.Listener
	if listener == "" {
		listener = identity.DefaultListener
	}
	return strings.ToUpper(strings.Join([]string{listener, part(f.Prefix), part(f.Receiver), f.Account}, "\x00"))
}
