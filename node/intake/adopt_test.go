package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// opened are the messages of all records, under whichever key.
func opened(t *testing.T, st *store, keys ...seal.Key) (out []entry.Message) {
	t.Helper()
	for _, r := range st.records {
		for _, k := range keys {
			if id, err := seal.IDOf(r.Sealed); err != nil || id != k.ID {
				continue
			}
			b, err := seal.Open(k, r.Header, r.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			m, err := entry.Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, m)
		}
	}
	return out
}

// heldMessage is what f left while its account was unknown.
func heldMessage(in *Intake, f dc09.Frame, came time.Time) entry.Message {
	a := arrival{frame: f, from: from, now: came, snap: in.parts.Roster.Snapshot(), content: contentOf(f)}
	return in.message(&a, entry.AnswerSilence, dc09.ReasonUnknown)
}

// TestAdoptedIsJudgedAsWhenItCame gives held messages to the panel that the
// roster finds for them now, an hour later.
func TestAdoptedIsJudgedAsWhenItCame(t *testing.T) {
	const ba = "[#AAAA|Nri1/BA001]"
	tests := []struct {
		name  string
		sent  sent
		as    Adoption
		want  Adopted
		ready bool
	}{
		{"encrypted, the key fits", sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey}, Adoption{"c1", "p-keyed", entry.TellRecent}, AdoptedDone, true},
		{"another key", sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: []byte("another key 1234")}, Adoption{"c1", "p-keyed", entry.TellRecent}, AdoptedNotOpen, true},
		{"plain, the panel has a key", sent{token: "SIA-DCS", account: "AAAA", blocks: ba}, Adoption{"c1", "p-keyed", entry.TellRecent}, AdoptedPlain, true},
		{"a replay was one then", sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey, at: -time.Hour}, Adoption{"c1", "p-keyed", entry.TellRecent}, AdoptedTime, true},
		{"plain", sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/FA2]"}, Adoption{"c1", "p-plain", entry.TellAll}, AdoptedDone, true},
		{"of another panel", sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/FA2]"}, Adoption{"c1", "p-keyed", entry.TellAll}, AdoptedOther, true},
		{"of another customer", sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/FA2]"}, Adoption{"c2", "p-plain", entry.TellAll}, AdoptedOther, true},
		{"of nobody", sent{token: "SIA-DCS", account: "F00D", blocks: "[#F00D|Nri1/FA2]"}, Adoption{"c1", "p-plain", entry.TellAll}, AdoptedNoPanel, true},
		{"poll", sent{token: "NULL", account: "BBBB", blocks: "[]"}, Adoption{"c1", "p-plain", entry.TellAll}, AdoptedPoll, true},
		{"not ready", sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/FA2]"}, Adoption{"c1", "p-plain", entry.TellAll}, "", false},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			st := &store{day: seal.NewKey()}
			in, key := newIntake(t, st, tt.ready)
			came := time.Now().UTC()
			f := tt.sent.frame(t, came)
			m := heldMessage(in, f, came)
			m.OffsetMs = -70
			time.Sleep(time.Hour)
			held := mesh.Position{Origin: mesh.Origin{Node: "limburg", Incarnation: 4, Random: 9}, Number: 17}
			pos, got, err := in.Adopt(t.Context(), held, m, tt.as)
			if got != tt.want || (err == nil) != tt.ready {
				t.Fatalf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
			}
			if got != AdoptedDone {
				if len(st.records) != 0 {
					t.Errorf("%s: %d entries, want none", tt.name, len(st.records))
				}
				return
			}
			list := opened(t, st, key)
			if len(list) != 1 || st.records[0].Position() != pos || st.records[0].Shard != identity.Shard(tt.as.Panel) {
				t.Fatalf("%s: entries %+v at %s, want one under the customer's key, in the panel's shard", tt.name, list, pos)
			}
			a := list[0]
			if !a.Received.Equal(came.Truncate(time.Millisecond)) || a.OffsetMs != -70 || a.Peer != m.Peer || a.Customer != "c1" || a.Panel != tt.as.Panel || a.RosterIndex != 9 ||
				a.Adopted == nil || *a.Adopted != (entry.Adopted{Held: held, Tell: tt.as.Tell}) || string(a.Raw) != string(m.Raw) {
				t.Errorf("%s: adopted as %+v", tt.name, a)
			}
			if tt.sent.key != nil && string(a.Data) != "#AAAA|Nri1/BA001" {
				t.Errorf("%s: data %q, want it decrypted", tt.name, a.Data)
			}
		})
	}
}

// TestRule11_AdoptedTwiceIsOneIdentity: an adoption is repeated when its answer
// was lost, and the panel may have repeated the message itself meanwhile.
func TestRule11_AdoptedTwiceIsOneIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		s := sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001]", key: panelKey}
		f := s.frame(t, time.Now())
		m := heldMessage(in, f, time.Now())
		for range 2 {
			if _, got, err := in.Adopt(t.Context(), mesh.Position{}, m, Adoption{"c1", "p-keyed", entry.TellRecent}); got != AdoptedDone || err != nil {
				t.Fatal(got, err)
			}
		}
		time.Sleep(20 * time.Second)
		in.Handle(t.Context(), s.frame(t, time.Now()), from)
		if len(st.records) != 3 || st.records[0].Identity != st.records[1].Identity || st.records[0].Identity != st.records[2].Identity {
			t.Errorf("%d entries, want three of one identity", len(st.records))
		}
	})
}
