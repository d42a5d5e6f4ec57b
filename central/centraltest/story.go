package centraltest

import (
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// Origins of the three nodes.
var (
	arezzo  = mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 0xa1b2c3d4e5f60718}
	roubaix = mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 0x0123456789abcdef}
	limburg = mesh.Origin{Node: "limburg", Incarnation: 7, Random: 0xfedcba9876543210}
)

// Origin is the origin of a node of the test mesh.
func Origin(node string) mesh.Origin {
	switch node {
	case "roubaix":
		return roubaix
	case "limburg":
		return limburg
	}
	return arezzo
}

// Alarm is one message of a panel with what the mesh decides about it.
type Alarm struct {
	At    time.Time
	Node  string // arezzo when empty
	Panel string // House when empty
	Event decision.Event
	Plan  []string // channels
}

// PanelsNewKey is what a message with extended data K says: nobody may be shown it.
const PanelsNewKey = "00112233445566778899AABBCCDDEEFF"

// Message appends the panel's message only.
func (a Alarm) Message(m *Mesh) mesh.Position {
	account, prefix := "AB12CD34", "0"
	panel := a.Panel
	if panel == "" {
		panel = House
	}
	if panel == Shop {
		account = "5544"
	}
	raw, extended := "\n...", [][]byte(nil)
	for _, x := range a.Event.Extended {
		if x == "K" { // an event never carries the key, its message does
			x += PanelsNewKey
		}
		extended, raw = append(extended, []byte(x)), raw+"["+x+"]"
	}
	r := m.Message(Origin(a.Node), entry.Message{XData: extended, Received: a.At.UTC(), Listener: "main", Transport: "tcp", Peer: "192.0.2.77:40001", Customer: Customer, Panel: panel,
		Token: a.Event.Standard, Sequence: 7, Prefix: &prefix, Account: account, Data: []byte("#" + account + "|Nri1/BA003"), Raw: []byte(raw + "\r"), Answer: entry.AnswerACK})
	return r.Position()
}

// Decision is what the mesh decides about a message of which nobody is told.
func (a Alarm) Decision(p mesh.Position) *decision.Verdict {
	panel := a.Panel
	if panel == "" {
		panel = House
	}
	a.Event.Index = 0
	return &decision.Verdict{Entry: p, Customer: Customer, Panel: panel, ReceivedMs: a.At.UnixMilli(), Ruling: decision.RulingEvents, Events: []decision.Event{a.Event}}
}

// Verdict appends the decision about a message, as the mesh writes it, and gives
// the plan's ids.
func (a Alarm) Verdict(m *Mesh, p mesh.Position) []string {
	v := a.Decision(p)
	if len(a.Plan) == 0 {
		m.Run(1, a.At.Add(200*time.Millisecond), Customer, v)
		return nil
	}
	var ids []string
	for _, channel := range a.Plan {
		n := decision.Notification{Event: decision.EventID(p, 0), Contact: Contact, Channel: channel, Address: "a-" + channel, Rule: "r-all", DueMs: a.At.UnixMilli(), Claimed: true}
		n.ID = decision.NotificationID(n)
		v.Plan = append(v.Plan, n)
		ids = append(ids, n.ID)
	}
	m.Decision(1, a.At.Add(200*time.Millisecond), decision.Record{Customer: Customer, Verdict: v})
	return ids
}

// Copy appends a repeat of a message and the decision that it is one.
func (a Alarm) Copy(m *Mesh, of mesh.Position) mesh.Position {
	p := a.Message(m)
	m.Decision(1, a.At.Add(200*time.Millisecond), decision.Record{Customer: Customer, Verdict: &decision.Verdict{Entry: p, Customer: Customer, Panel: House,
		ReceivedMs: a.At.UnixMilli(), Ruling: decision.RulingCopy, CopyOf: of}})
	return p
}

// Settle appends an outcome.
func Settle(m *Mesh, at time.Time, id string, attempt int, state decision.State, reason string) {
	m.Decision(1, at, decision.Record{Customer: Customer, Settled: &decision.Settled{Outcome: decision.Outcome{Notification: id, Attempt: attempt, By: arezzo,
		State: state, Reason: reason, ProviderRef: "250 2.0.0 queued", HandedOverMs: at.UnixMilli()}}})
}

// Story feeds a day and a half of a customer's life, ending shortly before now.
func Story(m *Mesh, now time.Time) {
	send := func(ago time.Duration, a Alarm, outcomes ...decision.State) mesh.Position {
		a.At = now.Add(-ago)
		p := a.Message(m)
		for i, id := range a.Verdict(m, p) {
			if i >= len(outcomes) || outcomes[i] == decision.StatePending {
				continue
			}
			reason := map[decision.State]string{decision.StateRefused: "provider_refused", decision.StateUnknown: "possibly_twice", decision.StateCancelled: "acknowledged"}[outcomes[i]]
			Settle(m, a.At.Add(1200*time.Millisecond), id, 1, outcomes[i], reason)
		}
		return p
	}
	const ok = decision.StateDelivered
	both := []string{"email", "webhook"}
	sia := func(code, category, qualifier, zone, user, text string) decision.Event {
		return decision.Event{Standard: "SIA-DCS", Code: code, Category: category, Qualifier: qualifier, Partition: "1", Zone: zone, User: user, Text: text}
	}
	cid := func(code, category, qualifier, zone string) decision.Event {
		return decision.Event{Standard: "ADM-CID", Code: code, Category: category, Qualifier: qualifier, Partition: "01", Zone: zone}
	}
	send(31*time.Hour, Alarm{Event: sia("CL", "openclose", "new", "", "4", "Inserimento totale"), Plan: both}, ok, ok)
	send(26*time.Hour, Alarm{Panel: Shop, Event: cid("302", "power", "new", ""), Plan: both}, ok, decision.StateRefused)
	send(25*time.Hour, Alarm{Panel: Shop, Event: cid("302", "power", "restore", ""), Plan: both}, ok, ok)
	send(9*time.Hour, Alarm{Event: sia("OP", "openclose", "new", "", "4", ""), Plan: both}, ok, ok)
	send(7*time.Hour, Alarm{Event: sia("RP", "test", "new", "", "", ""), Plan: nil})
	send(5*time.Hour, Alarm{Node: "roubaix", Event: sia("YC", "communication", "new", "", "", ""), Plan: both}, ok, decision.StateUnknown)
	send(4*time.Hour, Alarm{Node: "roubaix", Event: sia("TA", "tamper", "new", "12", "", "Coperchio aperto"), Plan: both}, ok, ok)
	send(3*time.Hour, Alarm{Node: "limburg", Event: sia("FA", "fire", "new", "12", "", "Rilevatore fumo garage"), Plan: []string{"email", "webhook", "voice"}}, ok, ok, decision.StateCancelled)
	send(3*time.Hour-4*time.Minute, Alarm{Node: "limburg", Event: sia("FR", "fire", "restore", "12", "", ""), Plan: both}, ok, ok)
	broken := sia("BA", "burglary", "new", "3", "", "Contatto finestra <studio> & persiana")
	broken.Extended = []string{"Vhttps://video.vedetta.example/clip/8f21.mp4,https://video.vedetta.example/a,b", "Ujavascript:alert(1)", "X011E52.9", "Y43N27.8", "LScala B, secondo piano", "M0026B9E4268B", "K", "E115000"}
	p := send(40*time.Minute, Alarm{Event: broken, Plan: []string{"email", "webhook", "sms"}}, ok, ok, ok)
	Alarm{At: now.Add(-40*time.Minute + 4*time.Second), Node: "roubaix", Event: sia("BA", "burglary", "new", "3", "", "")}.Copy(m, p)
	Alarm{At: now.Add(-40*time.Minute + 9*time.Second), Node: "limburg", Event: sia("BA", "burglary", "new", "3", "", "")}.Copy(m, p)
	send(30*time.Minute, Alarm{Event: sia("BR", "burglary", "restore", "3", "", ""), Plan: both}, ok, ok)
	send(8*time.Second, Alarm{Panel: Shop, Event: cid("120", "panic", "new", "2"), Plan: both}, ok, decision.StatePending)
}
