package centraltest

import (
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// Stranger is one message of a panel that nobody has entered.
type Stranger struct {
	At               time.Time
	Node             string // arezzo when empty
	Account          string
	Prefix, Receiver *string
	Token            string // SIA-DCS when empty
	Blocks           string // with brackets
	Sequence         int
	Key              []byte
	Reason           string // unknown_account when empty
	CopyOf           mesh.Position
}

// Hold appends the message, as the node that got it would, and the mesh's
// decision that it is held, or that it repeats another.
func (s Stranger) Hold(m *Mesh) mesh.Position {
	if s.Token == "" {
		s.Token = dc09.TokenSIA
	}
	if s.Reason == "" {
		s.Reason = string(dc09.ReasonUnknown)
	}
	message := dc09.Message{Token: s.Token, Sequence: s.Sequence, Prefix: s.Prefix, Receiver: s.Receiver, Account: s.Account, Blocks: s.Blocks}
	var cipher *dc09.Cipher
	if s.Key != nil {
		message.Time = s.At.UTC()
		var err error
		if cipher, err = dc09.NewCipher(s.Key); err != nil {
			panic(err)
		}
	}
	raw, err := message.AppendFrame(nil, cipher)
	if err != nil {
		panic(err)
	}
	f, err := dc09.ParseFrame(raw)
	if err != nil {
		panic(err)
	}
	e := entry.Message{Received: s.At.UTC(), Listener: "main", Transport: "tcp", Peer: "198.51.100.23:50123", Token: f.Token, Encrypted: f.Encrypted, Sequence: s.Sequence,
		Prefix: f.Prefix, Receiver: f.Receiver, Account: f.Account, Data: []byte(f.Body), Raw: raw, Answer: entry.AnswerSilence, Reason: s.Reason}
	if !f.Encrypted {
		c, err := f.Open(nil, nil)
		if err != nil {
			panic(err)
		}
		e.Data, e.XData = c.Data, c.XData
	}
	p := m.Message(Origin(s.Node), e).Position()
	v := &decision.Verdict{Entry: p, ReceivedMs: s.At.UnixMilli(), Sequence: s.Sequence, Ruling: decision.RulingHeld}
	if !s.CopyOf.IsZero() {
		v.Ruling, v.CopyOf = decision.RulingCopy, s.CopyOf
	}
	m.Decision(1, s.At.Add(200*time.Millisecond), decision.Record{Verdict: v})
	return p
}
