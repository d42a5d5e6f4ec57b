package uplink

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"vedetta/node/agreement"
	"vedetta/node/intake"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// adopter notes what it is given; it fails from the message with that sequence on.
type adopter struct {
	got    []int
	failAt int
}

func (a *adopter) Adopt(_ context.Context, _ mesh.Position, m entry.Message, _ intake.Adoption) (mesh.Position, intake.Adopted, error) {
	if m.Sequence == a.failAt {
		return mesh.Position{}, "", intake.ErrNotNow
	}
	a.got = append(a.got, m.Sequence)
	return mesh.Position{Origin: roubaix, Number: uint64(100 + m.Sequence)}, intake.AdoptedDone, nil
}

// put seals one message as entry of arezzo.
func (j *journals) put(t *testing.T, k seal.Key, seq int) mesh.Position {
	t.Helper()
	plain, err := entry.Marshal(entry.Message{Received: time.Unix(1, 0).UTC(), Sequence: seq, Account: "F00D", Data: []byte("x"), Raw: []byte("x"), Answer: entry.AnswerSilence})
	if err != nil {
		t.Fatal(err)
	}
	all, prev := j.records[arezzo], mesh.Hash{}
	if len(all) > 0 {
		prev = all[len(all)-1].Hash
	}
	h := mesh.Header{Kind: mesh.KindMessage, Origin: arezzo, Number: uint64(len(all) + 1), Day: 20000}
	r, err := mesh.Encode(h, seal.Seal(k, h, plain), prev)
	if err != nil {
		t.Fatal(err)
	}
	j.records[arezzo] = append(all, r)
	j.durable[arezzo] = r.Number
	return r.Position()
}

// TestRule31_OnlyHeldMessagesAreAdopted: what a customer's key seals is never
// given to another, and what can't be read any more is said to be gone.
func TestRule31_OnlyHeldMessagesAreAdopted(t *testing.T) {
	u, l, j := newUplink(t)
	a := &adopter{failAt: 4}
	u.adopter = a
	today := mesh.DayOf(time.Now())
	keys := map[string]seal.Key{"day": seal.NewKey(), "customer": seal.NewKey(), "destroyed": seal.NewKey(), "unheard": seal.NewKey()}
	propose := func(b decision.Body) {
		t.Helper()
		if r, err := l.Propose(t.Context(), b); err != nil || r.Refusal != nil {
			t.Fatal(r.Refusal, err)
		}
	}
	wrap := func(name, owner string) ([]byte, []byte) {
		k := keys[name]
		w, err := meshKey.Wrap(k, owner)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID[:], w
	}
	id, w := wrap("day", agreement.DayOwner(today))
	propose(decision.PutDayKey{Day: today, KeyID: id, Wrapped: w})
	id, w = wrap("destroyed", agreement.DayOwner(today-1))
	propose(decision.PutDayKey{Day: today - 1, KeyID: id, Wrapped: w})
	propose(decision.Destroy{Day: today - 1})
	id, w = wrap("customer", "c1")
	propose(decision.PutKeys{Customer: "c1", KeyID: id, Wrapped: w})

	list := []mesh.Position{
		j.put(t, keys["day"], 1), j.put(t, keys["customer"], 2), j.put(t, keys["destroyed"], 3), j.put(t, keys["day"], 5),
		{Origin: roubaix, Number: 9}, j.put(t, keys["day"], 4), j.put(t, keys["day"], 6),
	}
	j.write(t, roubaix, 10)
	j.durable[roubaix], j.records[roubaix] = 10, j.records[roubaix][9:] // deleted with their day
	ask := func(list []mesh.Position) (adoptAnswer, error) {
		req, err := json.Marshal(adoptRequest{Version: 1, Customer: "c1", Panel: "p1", Tell: entry.TellRecent, Entries: list})
		if err != nil {
			t.Fatal(err)
		}
		var out adoptAnswer
		b, err := u.Adopt(t.Context(), req)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		return out, err
	}
	out, err := ask(list)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []intake.Adopted
	for _, e := range out.Entries {
		outcomes = append(outcomes, e.Outcome)
	}
	want := []intake.Adopted{intake.AdoptedDone, intake.AdoptedGone, intake.AdoptedGone, intake.AdoptedDone, intake.AdoptedGone}
	if !slices.Equal(outcomes, want) || !slices.Equal(a.got, []int{1, 5}) || out.Entries[0].Adopted.Number != 101 {
		t.Errorf("outcomes %v of messages %v, want %v of 1 and 5: what is done before a failure is told", outcomes, a.got, want)
	}
	if _, err := ask(list[5:]); err == nil {
		t.Error("a call that could do nothing has an answer")
	}
	if _, err := ask([]mesh.Position{j.put(t, keys["unheard"], 7)}); err == nil {
		t.Error("a key that isn't applied here yet is taken for destroyed")
	}
	next := mesh.Position{Origin: arezzo, Number: uint64(len(j.records[arezzo])) + 1}
	j.durable[arezzo]++
	if _, err := ask([]mesh.Position{next}); err == nil {
		t.Error("what isn't flushed here yet is said to be gone")
	}
	j.durable[arezzo] -= 2
	if _, err := ask([]mesh.Position{{Origin: arezzo, Number: uint64(len(j.records[arezzo]))}}); err == nil {
		t.Error("what isn't durable is adopted")
	}
}
