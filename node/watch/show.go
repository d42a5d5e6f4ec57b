package watch

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/event"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
	wire "vedetta/wire/watch"
)

// bareBytes is how much is shown of bytes whose content is withheld and that
// have no header that ends: in no form does an account begin before it.
const bareBytes = 16

// show makes what a viewer sees of an attempt; ok is false when he sees nothing.
func (w *Watch) show(k *kept, s subject, find func(string, dc09.Frame) (roster.Match, roster.Kind)) (wire.Attempt, bool) {
	r := read(k.raw)
	relation, withheld, ok := s.relate(k, r, find)
	if !ok {
		return wire.Attempt{}, false
	}
	a := wire.Attempt{
		ID:   fmt.Sprintf("%s.%s.%d", w.self, map[bool]string{true: "s", false: "p"}[k.verdict.Panel == ""], k.seq),
		Time: wire.Time(k.at), Node: w.self.Node, Site: w.site, Listener: k.from.Listener, Transport: k.from.Transport, Source: k.from.Peer.String(),
		Relation: relation, Withheld: withheld, Answer: k.verdict.Word, Reason: string(k.verdict.Reason), Took: k.took.Seconds(), Unsent: k.unsent,
		Frame: bytesOf(event.HideSecrets(k.raw)),
	}
	if len(k.verdict.Answer) > 0 {
		b := bytesOf(string(k.verdict.Answer))
		a.Answered = &b
	}
	if !k.verdict.Entry.IsZero() {
		place := k.verdict.Entry.String()
		a.Entry = &place
	}
	a.Evidence = evidence(k, r)
	if s.ask.All && relation != wire.Own { // the panel that it does name, if any
		if m, kind := find(k.from.Listener, r.Frame); r.isFrame && kind == roster.Found {
			s.match = m
			s.keys, _ = ciphers(m.Panel, k.at)
		}
	}
	if r.isFrame {
		a.Decoded = s.decode(&a, k, r, withheld)
	}
	if withheld {
		s.withhold(&a, k, r)
	}
	return a, true
}

// decode reads a frame with the panel's keys and adds what they tell.
func (s subject) decode(a *wire.Attempt, k *kept, r reading, withheld bool) *wire.Decoded {
	f := r.Frame
	d := &wire.Decoded{CRCForm: f.Form.String(), CRC: word(r.CRCGood), Length: word(r.LengthGood), Encrypted: f.Encrypted, Token: f.Token, Seq: f.Sequence,
		Receiver: f.Receiver, Prefix: f.Prefix, XData: []string{}, Quirks: quirks(f.Quirks)}
	if f.Account != "" {
		d.Account = &f.Account
	}
	s.differences(a, k, f)
	if withheld {
		return d
	}
	content, opened := r.Content, r.Opened
	s.aboutKey(a, r, &content, &opened)
	if !opened {
		return d
	}
	d.Quirks = quirks(f.Quirks | content.Quirks)
	data := event.Text(content.Data)
	d.Data = &data
	for _, x := range content.XData {
		if len(x) > 1 && (event.Extended{ID: string(x[:1])}).Secret() {
			x = append(x[:1:1], "..."...)
		}
		d.XData = append(d.XData, event.Text(x))
	}
	if content.Stamp == dc09.StampGood {
		said := panelTime(s.match.Panel, content.Time)
		at, off := wire.Time(said), said.Sub(k.at.Truncate(time.Second)).Seconds()
		d.Timestamp, a.Evidence.ClockSeconds = &at, &off
	}
	return d
}

// aboutKey tells which key there is, without telling it, and whether it opens
// the frame.
func (s subject) aboutKey(a *wire.Attempt, r reading, content *dc09.Content, opened *bool) {
	e := &a.Evidence
	if p := s.match.Panel; p != nil && len(p.Key) > 0 {
		bits, check := len(p.Key)*8, check(s.match.Key(), p.Key)
		e.KeyBits, e.KeyCheck = &bits, &check
	}
	if !r.Frame.Encrypted || len(s.keys) == 0 {
		return
	}
	c := r.opens(s.keys)
	if c == nil {
		c = s.keys[0] // also a content without a good time shows
	}
	if got, err := r.Frame.Open(nil, c); err == nil {
		*content, *opened = got, true
	}
	e.KeyOpens = opened
	if *opened {
		return
	}
	for _, m := range append(misreadings(s.match.Panel.Key), misreadings(s.match.Panel.Settings().NextKey)...) {
		if c, err := dc09.NewCipher(m.key); err == nil && r.opens([]*dc09.Cipher{c}) != nil {
			e.KeyAs = &m.as
			return
		}
	}
}

// differences tells where an attempt that names no known panel differs from the
// watched one.
func (s subject) differences(a *wire.Attempt, k *kept, f dc09.Frame) {
	p := s.match.Panel
	if p == nil || a.Relation == wire.Own || a.Relation == wire.Other {
		return
	}
	e := &a.Evidence
	e.Expected = &p.Account
	differ := func(name string, yes bool) {
		if yes {
			e.Differs = append(e.Differs, name)
		}
	}
	differ("account", !strings.EqualFold(p.Account, f.Account))
	differ("prefix", p.Prefix != nil && !sameDigits(p.Prefix, f.Prefix))
	differ("receiver", p.Receiver != nil && !sameDigits(p.Receiver, f.Receiver))
	name := p.Listener
	if name == "" {
		name = "main"
	}
	differ("listener", name != k.from.Listener)
}

func sameDigits(a, b *string) bool {
	return b != nil && strings.EqualFold(roster.TrimZeros(*a), roster.TrimZeros(*b))
}

// withhold takes away what a message says: its data always, all but its shape
// where nothing but the address is known. The account keeps its end, so that
// who has typed it knows it again.
func (s subject) withhold(a *wire.Attempt, k *kept, r reading) {
	shown := min(len(k.raw), bareBytes)
	if i := strings.IndexByte(k.raw, '['); a.Relation == wire.Near && i >= 0 {
		shown = i + 1
	}
	a.Frame = bytesOf(k.raw[:shown])
	a.Frame.Length = len(k.raw)
	if a.Relation == wire.Near || r.Frame.Account == "" {
		return
	}
	a.Answered = nil // it echoes the account
	account := r.Frame.Account
	end := 1
	if len(account) >= 6 {
		end = 2
	}
	masked := strings.Repeat("•", len(account)-min(end, len(account))) + account[len(account)-min(end, len(account)):]
	d := a.Decoded
	d.Account, d.Receiver, d.Prefix = &masked, nil, nil
	a.Evidence.Differs = []string{"account"}
}

func evidence(k *kept, r reading) wire.Evidence {
	e := wire.Evidence{CRCTried: []string{}, Differs: []string{}}
	if k.detail != "" {
		e.Protocol = &k.detail
	}
	if !r.isFrame || r.CRCGood {
		return e
	}
	f := r.Frame
	body := strings.IndexByte(f.Raw, '"')
	received, computed := "", fmt.Sprintf("%04X", r.CRC)
	var number uint64
	switch {
	case f.Form == dc09.Binary:
		body, received = 7, strings.ToUpper(hex.EncodeToString([]byte(f.Raw[1:3])))
		e.CRCTried = append(e.CRCTried, dc09.Binary.String())
	case body >= 8:
		received = f.Raw[body-8 : body-4]
		e.CRCTried = append(e.CRCTried, dc09.ASCII.String(), dc09.ASCIICR.String())
	default:
		return e
	}
	e.CRCReceived, e.CRCComputed = &received, &computed
	if _, err := fmt.Sscanf(received, "%04X", &number); err == nil {
		if name, ok := otherSum([]byte(strings.TrimSuffix(f.Raw[body:], "\r")), uint16(number)); ok {
			e.CRCOther = &name
		}
	}
	return e
}

// check is four hex digits that are the same for the same key of the same
// customer, and tell nobody else anything: they hang on a secret of the mesh.
func check(customer seal.Key, key []byte) string {
	return strings.ToUpper(hex.EncodeToString(customer.Index("panel key check", string(key))[:2]))
}

// ciphers are the panel's keys, those of its ring too; strong are those that
// nobody else is likely to have.
func ciphers(p *doc.Panel, now time.Time) (all, strong []*dc09.Cipher) {
	set := p.Settings()
	list := [][]byte{p.Key, set.NextKey}
	if now.UnixMilli() < set.PreviousUntilMs {
		list = append(list, set.PreviousKey)
	}
	for _, key := range list {
		c, err := dc09.NewCipher(key)
		if err != nil { // none
			continue
		}
		all = append(all, c)
		if !weak(key) {
			strong = append(strong, c)
		}
	}
	return all, strong
}

// panelTime is the time that a panel means: UTC, or its premises' when it is set so.
func panelTime(p *doc.Panel, t time.Time) time.Time {
	if p == nil || !p.Settings().LocalTime {
		return t
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone).UTC()
}

func quirks(q dc09.Quirk) []string {
	if words := q.Words(); words != nil {
		return words
	}
	return []string{}
}

func word(good bool) string {
	if good {
		return "ok"
	}
	return "bad"
}

func bytesOf(s string) wire.Bytes {
	return wire.Bytes{Length: len(s), Hex: hex.EncodeToString([]byte(s)), Text: printable(s)}
}

// printable shows bytes as one line of text; what can't be printed, and the
// backslash, as an escape.
func printable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\\':
			b.WriteString(`\\`)
		case c < 0x20 || c >= 0x7F:
			fmt.Fprintf(&b, `\x%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var _ reception.Observer = (*Watch)(nil)
