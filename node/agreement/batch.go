package agreement

import (
	"fmt"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// batch collects the records of one command. Nothing is numbered before all of
// them are known to fit and to have a key, so that a refused command leaves no
// trace.
type batch struct {
	s       *State
	drafts  []draft
	runs    map[string]int // by customer, its run that is still open: an index of drafts
	failed  int            // index of the draft that commit gave a reason for
	records []mesh.Record
}

// draft is one record before it has a number. The customer of the record says
// whose key seals it: none, or one that is destroyed, means the day's.
type draft struct {
	shard    byte
	identity mesh.Identity
	record   decision.Record
	run      []*decision.Verdict // in place of the record's contents
	bytes    int                 // of the run, at most
}

// add drafts a record. What comes later of its customer stays behind it.
func (b *batch) add(d draft) {
	delete(b.runs, d.record.Customer)
	b.drafts = append(b.drafts, d)
}

// addPlain drafts a plain verdict, into its customer's run while nothing else of
// that customer was decided since: its decisions keep their order. A run belongs
// to no shard, and has no identity: they stand inside. False: it is too long.
func (b *batch) addPlain(v *decision.Verdict) bool {
	size := decision.SizeOf(v)
	if size >= partBytes {
		return false
	}
	if i, ok := b.runs[v.Customer]; ok && b.drafts[i].bytes+size <= partBytes {
		b.drafts[i].run = append(b.drafts[i].run, v)
		b.drafts[i].bytes += size
		return true
	}
	if b.runs == nil {
		b.runs = map[string]int{}
	}
	b.runs[v.Customer] = len(b.drafts)
	b.drafts = append(b.drafts, draft{shard: mesh.NoShard, record: decision.Record{Customer: v.Customer}, run: append(make([]*decision.Verdict, 0, 8), v), bytes: size})
	return true
}

func (d *draft) encode(clockMs int64) []byte {
	if len(d.run) > 0 {
		return decision.EncodeRun(clockMs, d.record.Customer, d.run)
	}
	d.record.ClockMs = clockMs
	return decision.EncodeRecord(d.record)
}

// maxPlain leaves room for the seal.
const maxPlain = mesh.MaxSealedBytes - seal.Overhead

// commit seals and numbers the drafts. It gives a reason when the command must
// be refused; then, and with an error, nothing has changed.
func (b *batch) commit() (Reason, error) {
	s := b.s
	plain := make([][]byte, len(b.drafts))
	keys := make([]*seal.RecordKey, len(b.drafts))
	for i := range b.drafts {
		b.failed = i
		plain[i] = b.drafts[i].encode(s.clock)
		if len(plain[i]) > maxPlain {
			return ReasonTooLarge, nil
		}
		var reason Reason
		var err error
		if keys[i], reason, err = s.sealingKey(b.drafts[i].record.Customer); err != nil || reason != "" {
			return reason, err
		}
	}
	tail, day := s.tail, s.today()
	records := make([]mesh.Record, 0, len(b.drafts))
	for i, d := range b.drafts {
		h := mesh.Header{Kind: mesh.KindDecision, Origin: tail.Origin, Number: tail.Number + 1, Day: day, Shard: d.shard, Identity: d.identity}
		r, err := mesh.Encode(h, keys[i].Seal(h, plain[i]), tail.Hash)
		if err != nil {
			return "", fmt.Errorf("decision %d: %w", h.Number, err)
		}
		tail = Tail{Origin: tail.Origin, Number: r.Number, Hash: r.Hash, Day: r.Day}
		records = append(records, r)
	}
	s.tail, b.records, b.drafts, b.runs = tail, append(b.records, records...), nil, nil
	return "", nil
}

// sealingKey is the key of a customer's records: its own, else the day's.
func (s *State) sealingKey(customer string) (*seal.RecordKey, Reason, error) {
	if w, ok := s.keys[customer]; ok {
		k, err := s.recordKey(w, customer)
		return k, "", err
	}
	if _, gone := s.gone[customer]; customer != "" && !gone {
		return nil, ReasonNoKeys, nil
	}
	w, ok := s.dayKeys[s.today()]
	if !ok {
		return nil, ReasonDayKey, nil
	}
	k, err := s.recordKey(w, DayOwner(s.today()))
	return k, "", err
}
